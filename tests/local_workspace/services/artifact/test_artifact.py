"""Files of runs through the SDK and through the calls of azureml-mlflow."""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from azureml.core import Experiment, Run
from azureml.exceptions import AzureMLException, UserErrorException

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def run(local_workspace):
    experiment = Experiment(local_workspace.workspace, "artifacts")
    return experiment.start_logging(snapshot_directory=None)


@pytest.fixture
def call(caller):
    """Call a service directly: call(method, service, path) gives the response."""

    def send(method, service, path, **options):
        return caller(f"/{service}{{scope}}")(method, path, **options)

    return send


NAMES = [
    "plain.txt",
    "outputs/two words.txt",
    "outputs/ü 中.txt",
    "outputs/100%.txt",
    "a+b&c=d.txt",
    "deep/er/and/deeper/x.bin",
    "it's [1].txt",
]


def test_files_go_up_and_come_back_whatever_they_are_called(local_workspace, run, folder):
    contents = {}
    for number, name in enumerate(NAMES):
        Path(f"source{number}").write_text(name)
        run.upload_file(name, f"source{number}")
        contents[name] = name
    found = Run.get(local_workspace.workspace, run.id)
    assert found.get_file_names() == sorted(NAMES)
    for name in NAMES:
        found.download_file(name, "back")
        assert Path("back").read_text() == contents[name]
    found.download_files(output_directory="all")
    loaded = {str(p.relative_to("all")): p.read_text() for p in Path("all").rglob("*.*")}
    assert loaded == contents


def test_a_folder_goes_up_and_a_part_of_it_comes_back(run):
    for name in ("x.txt", "sub/y.txt", "sub/deep/z.txt"):
        Path("data", name).parent.mkdir(parents=True, exist_ok=True)
        Path("data", name).write_text(name)
    run.upload_folder("kept", "data")
    run.upload_files(["list/one", "list/two"], ["data/x.txt", "data/sub/y.txt"])
    assert run.get_file_names() == [
        "kept/sub/deep/z.txt",
        "kept/sub/y.txt",
        "kept/x.txt",
        "list/one",
        "list/two",
    ]
    run.download_files(prefix="kept/sub", output_directory="back", append_prefix=False)
    assert sorted(str(p) for p in Path("back").rglob("*.txt")) == [
        "back/deep/z.txt",
        "back/y.txt",
    ]


def test_a_file_lies_where_azure_keeps_it(local_workspace, run):
    Path("model").write_bytes(b"weights")
    run.upload_file("outputs/model.pkl", "model")
    account = local_workspace.settings.storage_account
    kept = local_workspace.root / "blobs" / account / "azureml" / "ExperimentRun"
    assert (kept / f"dcid.{run.id}" / "outputs" / "model.pkl").read_bytes() == b"weights"


def test_a_large_file_is_sent_in_blocks(run, folder):
    data = os.urandom(1024 * 1024) * 70
    Path("large.bin").write_bytes(data)
    run.upload_file("large.bin", "large.bin")
    run.download_file("large.bin", "back.bin")
    digests = [hashlib.sha256(Path(p).read_bytes()).digest() for p in ("large.bin", "back.bin")]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "name", ["../outside.txt", "outputs/../../outside.txt", "what?.txt", "#1", "a;b", "%41"]
)
def test_names_that_lead_out_or_cannot_be_sent_are_refused(run, name):
    Path("file").write_text("x")
    with pytest.raises(AzureMLException, match=r"contains '\.\.'|Rename the file"):
        run.upload_file(name, "file")
    assert run.get_file_names() == []


def test_a_file_is_written_once(run):
    Path("file").write_text("first")
    run.upload_file("report.txt", "file")
    Path("file").write_text("second")
    with pytest.raises(AzureMLException, match=f"dcid.{run.id}/report.txt already exists"):
        run.upload_file("report.txt", "file")
    run.download_file("report.txt", "back")
    assert Path("back").read_text() == "first"


def test_a_missing_file_is_named_with_those_there_are(run):
    Path("file").write_text("x")
    run.upload_file("here.txt", "file")
    with pytest.raises(UserErrorException, match=r"nope\.txt was not found") as missing:
        run.download_file("nope.txt")
    assert "here.txt" in str(missing.value)


def test_what_a_run_prints_and_writes_is_streamed(local_workspace):
    experiment = Experiment(local_workspace.workspace, "artifacts")
    Path("outputs").mkdir()
    with experiment.start_logging(snapshot_directory=None) as run:
        print("printed ü")
        Path("logs").mkdir(exist_ok=True)
        Path("logs/mine.txt").write_text("written")
        Path("outputs/model.pkl").write_text("weights")
    found = Run.get(local_workspace.workspace, run.id)
    assert found.get_file_names() == ["logs/mine.txt", "logs/user_log.txt", "outputs/model.pkl"]
    logs = found.get_details_with_logs()["logFiles"]
    assert logs == {"logs/mine.txt": "written", "logs/user_log.txt": "printed ü\n"}


def test_the_calls_of_azureml_mlflow(local_workspace, run, call):
    base = f"/experiments/artifacts/runs/{run.id}/artifacts"
    history = "history/v1.0"
    paths = {"paths": [{"path": "sub/50% x.txt"}, {"path": "../out"}]}
    made = call("POST", history, f"{base}/batch/metadata", json=paths).json()
    assert list(made["errors"]) == ["../out"]
    address = made["artifactContentInformation"]["sub/50% x.txt"]["contentUri"]
    assert quote("sub/50% x.txt") in address
    sent = requests.put(
        address,
        data=b"hello",
        headers={"x-ms-blob-type": "BlockBlob", "x-ms-version": "2021-12-02"},
        timeout=10,
    )
    assert sent.status_code == 201
    listed = call("GET", history, base).json()
    assert [item["path"] for item in listed["value"]] == ["sub/50% x.txt"]
    for listing in (f"{base}/path?path=sub", f"{base}/path?path=sub/50%25%20x.txt"):
        assert call("GET", history, listing).json()["value"] == listed["value"]
    assert call("GET", history, f"{base}/path?path=other").json()["value"] == []
    for found in (
        call("GET", history, f"{base}/contentinfo", params={"path": "sub/50% x.txt"}).json(),
        call("GET", history, f"{base}/prefix/contentinfo?path=sub/").json()["value"][0],
    ):
        assert requests.get(found["contentUri"], timeout=10).content == b"hello"
    assert call("GET", history, f"{base}/contentinfo?path=none").status_code == 404
    assert call("GET", history, f"{base}/contentinfo?path=..").status_code == 400
    elsewhere = base.replace(run.id, "no-such-run")
    assert call("GET", history, elsewhere).status_code == 404


def test_an_address_holds_for_its_file_and_purpose_only(run, call):
    Path("file").write_text("x")
    run.upload_file("mine.txt", "file")
    run.upload_file("other.txt", "file")
    container = f"ExperimentRun/dcid.{run.id}"
    path = f"/artifacts/contentinfo/{container}/mine.txt"
    address = call("GET", "artifact/v2.0", path).json()["contentUri"]
    assert requests.get(address, timeout=10).text == "x"
    assert requests.get(address.replace("mine.txt", "other.txt"), timeout=10).status_code == 403
    assert requests.delete(address, timeout=10).status_code == 403


def test_azureml_mlflow_gives_paths_as_parameters(run, call):
    Path("file").write_text("x")
    run.upload_file("sub/a b.txt", "file")
    container = f"/artifacts/ExperimentRun/dcid.{run.id}"
    wanted = {"params": {"path": "sub/a b.txt"}}
    described = call("GET", "artifact/v2.0", f"{container}/metadata", **wanted).json()
    assert described["path"] == "sub/a b.txt"
    assert call("GET", "artifact/v2.0", f"{container}/content", **wanted).text == "x"
    [below] = call("GET", "artifact/v2.0", f"{container}/prefix/contentinfo?path=sub").json()[
        "value"
    ]
    exact = call("GET", "artifact/v2.0", f"{container}/contentinfo", **wanted).json()
    for found in (below, exact):
        assert requests.get(found["contentUri"], timeout=10).text == "x"
    assert call("GET", "artifact/v2.0", f"{container}/contentinfo").status_code == 400


def test_artifacts_by_their_own_service(run, call):
    container = f"ExperimentRun/dcid.{run.id}"

    def send(method, path, **options):
        return call(method, "artifact/v2.0", f"/artifacts{path}", **options)

    assert send("POST", f"/content/{container}/log.txt?append=true", data=b"one").status_code == 200
    more = send("POST", f"/content/{container}/log.txt?append=true&index=3", data=b"two")
    assert more.json()["path"] == "log.txt"
    gap = send("POST", f"/content/{container}/log.txt?append=true&index=9", data=b"x")
    assert gap.status_code == 400
    assert send("GET", f"/content/{container}/log.txt").content == b"onetwo"
    assert send("GET", f"/metadata/{container}/log.txt").json()["artifactId"] == (
        f"{container}/log.txt"
    )
    assert send("DELETE", f"/metadata/{container}/log.txt").status_code == 200
    assert send("GET", f"/{container}").json()["value"] == []
    assert send("GET", f"/content/{container}/log.txt").status_code == 404
    assert send("POST", f"/batch/metadata/{container}", json={"files": []}).status_code == 400
    assert send("POST", f"/batch/metadata/{container}", json={"paths": ["x"]}).status_code == 400


def test_more_files_than_a_page(run, call, local_workspace):
    account = local_workspace.settings.storage_account
    kept = local_workspace.root / "blobs" / account / "azureml" / "ExperimentRun"
    target = kept / f"dcid.{run.id}" / "many"
    target.mkdir(parents=True)
    for number in range(1200):
        (target / f"{number:04d}.txt").write_text("x")
    assert run.get_file_names() == [f"many/{number:04d}.txt" for number in range(1200)]
