"""Reading and writing data through datasets: the SDK's data engine on the blobs of the server."""

import hashlib
import json
import os
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from azureml.core import Dataset, Datastore
from azureml.data import DataType
from azureml.data.datapath import DataPath
from azureml.data.dataset_error_handling import DatasetValidationError
from azureml.exceptions import UserErrorException

from local_workspace.services.blob import sign_sas

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def datastore(local_workspace):
    """A datastore registered with the account's key, as lesson 01 does it."""
    settings = local_workspace.settings
    return Datastore.register_azure_blob_container(
        local_workspace.workspace,
        "reading",
        "reading",
        settings.storage_account,
        account_key=settings.storage_key,
        create_if_not_exists=True,
    )


@pytest.fixture(scope="module")
def upload(datastore, tmp_path_factory):
    """`upload("folder", {"a/b.csv": "text or bytes"})` puts files below a folder."""

    def call(target, files):
        folder = tmp_path_factory.mktemp("upload")
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return Dataset.File.upload_directory(
            str(folder), (datastore, target), overwrite=True, show_progress=False
        )

    return call


@pytest.fixture(scope="module")
def numbers(upload, datastore):
    """1,000 rows in 20 files: id 0..999 in the order of the file names, a letter, a day."""
    start = datetime(2026, 1, 1)
    files = {}
    for part in range(20):
        rows = ["id,letter,score,day\n"]
        for number in range(part * 50, part * 50 + 50):
            day = (start + timedelta(days=number)).strftime("%Y-%m-%d")
            rows.append(f"{number},{'abc'[number % 3]},{number / 4},{day}\n")
        files[f"part-{part:02}.csv"] = "".join(rows)
    upload("numbers", files)
    return Dataset.Tabular.from_delimited_files((datastore, "numbers/*.csv"))


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def test_csv_rows_come_in_the_order_of_the_file_names(numbers):
    frame = numbers.to_pandas_dataframe()
    assert frame.columns.tolist() == ["id", "letter", "score", "day"]
    assert frame["id"].tolist() == list(range(1000))
    assert frame["score"].tolist() == [number / 4 for number in range(1000)]
    assert frame["letter"].tolist() == ["abc"[number % 3] for number in range(1000)]
    assert frame["day"].iloc[31] == pd.Timestamp("2026-02-01")
    assert [str(kind) for kind in frame.dtypes] == ["int64", "object", "float64", "datetime64[ns]"]


def test_take_skip_sample_and_columns(numbers):
    assert numbers.take(3).to_pandas_dataframe()["id"].tolist() == [0, 1, 2]
    assert numbers.skip(997).to_pandas_dataframe()["id"].tolist() == [997, 998, 999]
    sample = numbers.take_sample(0.3, seed=7).to_pandas_dataframe()["id"].tolist()
    assert 200 < len(sample) < 400 and sample == sorted(set(sample))
    assert numbers.take_sample(0.3, seed=7).to_pandas_dataframe()["id"].tolist() == sample
    kept = numbers.keep_columns(["score", "id"]).take(1).to_pandas_dataframe()
    assert set(kept.columns) == {"score", "id"}
    dropped = numbers.drop_columns("day").take(1).to_pandas_dataframe()
    assert dropped.columns.tolist() == ["id", "letter", "score"]
    few = numbers.filter(numbers["id"] >= 998).to_pandas_dataframe()
    assert few["id"].tolist() == [998, 999]


def test_random_split(numbers):
    first, second = numbers.random_split(0.7, seed=123)
    one = first.to_pandas_dataframe()["id"].tolist()
    two = second.to_pandas_dataframe()["id"].tolist()
    assert sorted(one + two) == list(range(1000))
    assert 600 < len(one) < 800
    assert numbers.random_split(0.7, seed=123)[0].to_pandas_dataframe()["id"].tolist() == one


def test_timestamp_filters(ws, numbers):
    timed = numbers.with_timestamp_columns("day").register(ws, "timed", create_new_version=True)
    found = Dataset.get_by_name(ws, "timed")
    assert found.timestamp_columns == ("day", None)
    assert timed.id == found.id
    start = datetime(2026, 1, 1)

    def ids(dataset):
        return dataset.to_pandas_dataframe()["id"].tolist()

    assert ids(found.time_before(start + timedelta(days=3), include_boundary=False)) == [0, 1, 2]
    assert ids(found.time_before(start + timedelta(days=2))) == [0, 1, 2]
    assert ids(found.time_after(start + timedelta(days=998))) == [998, 999]
    between = found.time_between(start + timedelta(days=10), start + timedelta(days=12))
    assert ids(between) == [10, 11, 12]


def test_time_recent(upload, datastore):
    now = datetime.utcnow()
    rows = [(age, (now - timedelta(days=age)).isoformat()) for age in (0.5, 3, 30)]
    upload("recent", {"rows.csv": "age,at\n" + "".join(f"{a},{t}\n" for a, t in rows)})
    dataset = Dataset.Tabular.from_delimited_files(
        (datastore, "recent/rows.csv"), set_column_types={"at": DataType.to_datetime()}
    ).with_timestamp_columns("at")
    assert dataset.time_recent(timedelta(days=1)).to_pandas_dataframe()["age"].tolist() == [0.5]
    assert dataset.time_recent(timedelta(days=7)).to_pandas_dataframe()["age"].tolist() == [0.5, 3]


def test_partition_format(ws, upload, datastore):
    upload(
        "partitions",
        {
            "north/2026/01/31.csv": "value\n1\n2\n",
            "north/2026/02/01.csv": "value\n3\n",
            "south/2026/02/01.csv": "value\n4\n",
        },
    )
    dataset = Dataset.Tabular.from_delimited_files(
        (datastore, "partitions/**/*.csv"),
        partition_format="partitions/{region}/{day:yyyy/MM/dd}.csv",
    )
    frame = dataset.to_pandas_dataframe()
    assert frame["region"].tolist() == ["north", "north", "north", "south"]
    assert frame["value"].tolist() == [1, 2, 3, 4]
    assert frame["day"].dt.strftime("%m-%d").tolist() == ["01-31", "01-31", "02-01", "02-01"]
    dataset.register(ws, "partitioned", create_new_version=True)
    found = Dataset.get_by_name(ws, "partitioned")
    assert found.partition_keys == ["region", "day"]
    keys = sorted((entry["region"], entry["day"]) for entry in found.get_partition_key_values())
    assert keys == [
        ("north", pd.Timestamp("2026-01-31")),
        ("north", pd.Timestamp("2026-02-01")),
        ("south", pd.Timestamp("2026-02-01")),
    ]
    timed = found.with_timestamp_columns("day")
    after = timed.time_after(datetime(2026, 2, 1)).to_pandas_dataframe()
    assert after["value"].tolist() == [3, 4]


def test_parquet_and_json_lines(upload, datastore, tmp_path):
    frame = pd.DataFrame(
        {
            "number": np.arange(100, dtype="int64"),
            "real": np.linspace(0, 1, 100),
            "word": [f"wörd {number}" for number in range(100)],
            "when": pd.date_range("2026-01-01", periods=100, freq="H"),
        }
    )
    frame.to_parquet(tmp_path / "frame.parquet")
    lines = "".join(
        json.dumps({"a": number, "b": {"c": str(number)}}) + "\n" for number in range(50)
    )
    upload(
        "formats",
        {"frame.parquet": (tmp_path / "frame.parquet").read_bytes(), "lines.jsonl": lines},
    )
    back = Dataset.Tabular.from_parquet_files((datastore, "formats/frame.parquet"))
    pd.testing.assert_frame_equal(back.to_pandas_dataframe(), frame)
    lines = Dataset.Tabular.from_json_lines_files((datastore, "formats/lines.jsonl"))
    rows = lines.to_pandas_dataframe()
    assert rows["a"].tolist() == list(range(50))
    assert rows["b"].iloc[7] == {"c": "7"}


def test_column_types(upload, datastore):
    upload("types", {"rows.csv": "flag,code\n0,007\n1,010\n1,011\n"})
    path = (datastore, "types/rows.csv")
    # The data engine takes a column of 0 and 1 for truth values unless told otherwise.
    typed = Dataset.Tabular.from_delimited_files(
        path, set_column_types={"flag": DataType.to_long(), "code": DataType.to_string()}
    )
    frame = typed.filter(typed["flag"] == 1).to_pandas_dataframe()
    assert frame["code"].tolist() == ["010", "011"]
    plain = Dataset.Tabular.from_delimited_files(path, infer_column_types=False)
    assert plain.to_pandas_dataframe()["flag"].tolist() == ["0", "1", "1"]
    named = Dataset.Tabular.from_delimited_files(path, header=False)
    assert len(named.to_pandas_dataframe()) == 4


def test_register_pandas_dataframe(ws, datastore):
    frame = pd.DataFrame(
        {
            "id": [1, 2, 3],
            "word": ["x", None, "z"],
            "real": [0.5, 1.5, np.nan],
            "day": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"]),
        }
    )
    made = Dataset.Tabular.register_pandas_dataframe(
        frame, (datastore, "frames"), "from pandas", tags={"a": "b"}, show_progress=False
    )
    assert (made.version, made.tags) == (1, {"a": "b"})
    back = Dataset.get_by_name(ws, "from pandas").to_pandas_dataframe()
    pd.testing.assert_frame_equal(back, frame)
    # Every call writes a folder of its own, and so makes a new version.
    changed = Dataset.Tabular.register_pandas_dataframe(
        frame.head(1), (datastore, "frames"), "from pandas", show_progress=False
    )
    assert changed.version == 2
    assert len(Dataset.get_by_name(ws, "from pandas", version=1).to_pandas_dataframe()) == 3
    assert len(Dataset.get_by_name(ws, "from pandas").to_pandas_dataframe()) == 1


def test_partition_by_and_to_files(ws, upload, datastore):
    upload("split", {"rows.csv": "kind,value\na,1\nb,2\na,3\n"})
    dataset = Dataset.Tabular.from_delimited_files((datastore, "split/rows.csv"))
    parts = dataset.partition_by(
        ["kind"], (datastore, "split-by-kind"), name="by kind", show_progress=False
    )
    assert parts.partition_keys == ["kind"]
    frame = parts.filter(parts["kind"] == "a").to_pandas_dataframe()
    assert frame["value"].tolist() == [1, 3]
    assert Dataset.get_by_name(ws, "by kind").version == 1
    assert dataset.to_parquet_files().to_path() == ["/part-0.parquet"]


def test_several_paths(upload, datastore):
    upload("several", {"one.csv": "a\n1\n", "two.csv": "a\n2\n", "three.csv": "a\n3\n"})
    dataset = Dataset.Tabular.from_delimited_files(
        [(datastore, "several/two.csv"), DataPath(datastore, "several/one.csv")]
    )
    assert sorted(dataset.to_pandas_dataframe()["a"].tolist()) == [1, 2]


def test_files_to_path_and_download(ws, upload, tmp_path):
    contents = {
        "one.txt": "first",
        "empty.bin": b"",
        "folder/with space+ü#.bin": bytes(range(256)) * 40,
        "folder/deep/er/last.csv": "a,b\n1,2\n",
    }
    made = upload("tree", contents).register(ws, "tree", create_new_version=True)
    found = Dataset.get_by_name(ws, "tree")
    assert found.id == made.id
    assert [path.lstrip("/") for path in found.to_path()] == sorted(contents)
    paths = found.download(str(tmp_path / "down"), overwrite=True)
    assert len(paths) == len(contents)
    for name, content in contents.items():
        expected = content.encode() if isinstance(content, str) else content
        assert (tmp_path / "down" / name).read_bytes() == expected
    assert len(found.take(2).to_path()) == 2
    assert [path.lstrip("/") for path in found.skip(3).to_path()] == [sorted(contents)[3]]
    first, second = found.random_split(0.5, seed=1)
    assert sorted(first.to_path() + second.to_path()) == found.to_path()


def test_hundred_files_of_one_patient(upload, datastore):
    upload("patients", {f"{number:03}.csv": f"{number},1,2\n" for number in range(100)})
    dataset = Dataset.File.from_files((datastore, "patients/*.csv"))
    assert [path.lstrip("/") for path in dataset.to_path()] == [f"{n:03}.csv" for n in range(100)]


@pytest.mark.skipif(
    not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="mounting needs access to /dev/fuse"
)
def test_mount(upload, tmp_path):
    made = upload("mounted", {"a.txt": "alpha", "b/c.txt": "gamma"})
    with made.mount(str(tmp_path / "mount")) as context:
        with open(os.path.join(context.mount_point, "a.txt")) as file:
            assert file.read() == "alpha"
        with open(os.path.join(context.mount_point, "b", "c.txt")) as file:
            assert file.read() == "gamma"


def test_40_mib_through_the_data_engine_and_python(datastore, tmp_path):
    """Beyond 8 MiB the engine writes blocks, and reports success whatever becomes of them."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "big.bin").write_bytes(np.random.default_rng(1).bytes(40 * MIB + 12345))
    expected = sha256(source / "big.bin")
    native = Dataset.File.upload_directory(
        str(source), (datastore, "big-native"), show_progress=False
    )
    datastore.upload(str(source), "big-python", show_progress=False)
    python = Dataset.File.from_files((datastore, "big-python/big.bin"))
    for number, dataset in enumerate((native, python)):
        (path,) = dataset.download(str(tmp_path / f"engine-{number}"))
        assert sha256(path) == expected
    assert datastore.download(str(tmp_path / "sdk"), prefix="big-", show_progress=False) == 2
    for name in ("big-native", "big-python"):
        assert sha256(tmp_path / "sdk" / name / "big.bin") == expected


def test_overwrite_of_an_upload(upload, datastore):
    upload("over", {"a.csv": "a\n4\n"})
    dataset = Dataset.Tabular.from_delimited_files((datastore, "over/a.csv"))
    assert dataset.to_pandas_dataframe()["a"].tolist() == [4]
    upload("over", {"a.csv": "a\n5\n6\n"})
    # A dataset is a reference: it reads what is there now.
    assert dataset.to_pandas_dataframe()["a"].tolist() == [5, 6]


@pytest.mark.parametrize("path", ["nothing/here.csv", "nothing/*.csv", "nothing/**"])
def test_a_path_that_matches_nothing(datastore, path):
    with pytest.raises(DatasetValidationError, match="requested stream was not found"):
        Dataset.Tabular.from_delimited_files((datastore, path))
    files = Dataset.File.from_files((datastore, path), validate=False)
    with pytest.raises(Exception, match="requested stream was not found"):
        files.to_path()


def test_rows_with_more_or_fewer_fields(upload, datastore):
    """The data engine pads: no row is lost, and none moves to another column."""
    upload("ragged", {"more.csv": "a,b\n1,2\n3,4,5\n6,7\n", "less.csv": "a,b,c\n1,2,3\n4\n5,6,7\n"})
    more = Dataset.Tabular.from_delimited_files((datastore, "ragged/more.csv"))
    frame = more.to_pandas_dataframe()
    assert frame["a"].tolist() == [1, 3, 6] and frame["b"].tolist() == [2, 4, 7]
    assert frame.iloc[:, 2].isna().tolist() == [True, False, True]
    less = Dataset.Tabular.from_delimited_files((datastore, "ragged/less.csv"))
    frame = less.to_pandas_dataframe()
    assert frame["a"].tolist() == [1, 4, 5]
    assert frame["c"].isna().tolist() == [False, True, False]


def test_files_that_are_not_what_they_are_said_to_be(upload, datastore):
    upload("broken", {"empty.csv": "", "text.parquet": "no parquet", "bad.jsonl": '{"a":\n'})
    with pytest.raises(DatasetValidationError, match="no records"):
        Dataset.Tabular.from_delimited_files((datastore, "broken/empty.csv"))
    with pytest.raises(DatasetValidationError, match="Failed to validate"):
        Dataset.Tabular.from_parquet_files((datastore, "broken/text.parquet"))
    with pytest.raises(Exception, match="ParseJsonFailure"):
        Dataset.Tabular.from_json_lines_files((datastore, "broken/bad.jsonl")).to_pandas_dataframe()


def test_data_that_were_deleted(ws, upload, datastore):
    upload("deleted", {"a.csv": "a\n1\n"})
    dataset = Dataset.Tabular.from_delimited_files((datastore, "deleted/a.csv"))
    dataset.register(ws, "deleted data", create_new_version=True)
    datastore.blob_service.get_blob_client("reading", "deleted/a.csv").delete_blob()
    with pytest.raises(UserErrorException, match="requested stream was not found"):
        Dataset.get_by_name(ws, "deleted data").to_pandas_dataframe()


def test_a_datastore_that_was_unregistered(ws, local_workspace, upload):
    settings = local_workspace.settings
    gone = Datastore.register_azure_blob_container(
        ws, "reading_gone", "reading", settings.storage_account, account_key=settings.storage_key
    )
    upload("left", {"a.csv": "a\n1\n"})
    gone.unregister()
    with pytest.raises(DatasetValidationError, match=r"(?i)reading_gone|not found|NotFound"):
        Dataset.Tabular.from_delimited_files((gone, "left/a.csv"))


def test_a_sas_that_may_not_write(ws, local_workspace, upload, tmp_path, capfd):
    upload("read-only", {"a.csv": "a\n1\n"})
    settings = local_workspace.settings
    sas = sign_sas(settings.storage_account, settings.storage_key, "reading", permissions="rl")
    read_only = Datastore.register_azure_blob_container(
        ws, "read_only", "reading", settings.storage_account, sas_token=sas
    )
    dataset = Dataset.Tabular.from_delimited_files((read_only, "read-only/a.csv"))
    assert dataset.to_pandas_dataframe()["a"].tolist() == [1]
    (tmp_path / "b.csv").write_text("a\n2\n")
    with pytest.raises(Exception, match="not authorized to perform this operation"):
        read_only.blob_service.get_blob_client("reading", "read-only/b.csv").upload_blob(b"a")
    Dataset.File.upload_directory(str(tmp_path), (read_only, "read-only"))
    assert "Files copied=0, skipped=0, failed=1" in capfd.readouterr().out
    assert dataset.to_pandas_dataframe()["a"].tolist() == [1]
