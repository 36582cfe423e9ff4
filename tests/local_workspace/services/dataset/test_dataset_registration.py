"""Datasets through the SDK: saved, registered, versioned, listed, forgotten."""

import threading

import pytest
from azureml.core import Dataset
from azureml.exceptions import UserErrorException


@pytest.fixture(scope="module")
def files(local_workspace, tmp_path_factory):
    """Makes datasets over files that exist: `tabular(n)` and `file(n)` differ for every n."""
    folder = tmp_path_factory.mktemp("files")
    for number in range(10):
        (folder / f"f{number}.csv").write_text(
            "id,value,word,when\n"
            + "".join(
                f"{number * 10 + row},{row}.5,w{row},2026-01-0{row + 1}\n" for row in range(5)
            )
        )
    datastore = local_workspace.workspace.get_default_datastore()
    Dataset.File.upload_directory(str(folder), (datastore, "registration"), show_progress=False)
    return Files(datastore)


class Files:
    def __init__(self, datastore):
        self.datastore = datastore

    def tabular(self, number):
        return Dataset.Tabular.from_delimited_files((self.datastore, f"registration/f{number}.csv"))

    def file(self, number):
        return Dataset.File.from_files((self.datastore, f"registration/f{number}.csv"))


@pytest.fixture
def send(caller):
    """Requests that the SDK would not send."""

    def request(method, path, service="dataset", **options):
        return caller(f"/{service}/v1.0{{scope}}")(method, path, **options)

    return request


def ids(dataset):
    return dataset.to_pandas_dataframe()["id"].tolist()


def test_register_and_get(ws, files):
    made = files.tabular(1).register(ws, "diabetes dataset", "about it", {"format": "CSV"})
    assert (made.name, made.version) == ("diabetes dataset", 1)
    found = Dataset.get_by_name(ws, "diabetes dataset")
    assert (found.id, found.version) == (made.id, 1)
    assert (found.description, found.tags) == ("about it", {"format": "CSV"})
    assert type(found).__name__ == "TabularDataset"
    assert ids(found) == [10, 11, 12, 13, 14]
    by_id = Dataset.get_by_id(ws, made.id)
    assert (by_id.name, by_id.version) == ("diabetes dataset", 1)
    assert ids(by_id) == ids(found)


def test_file_datasets_stay_file_datasets(ws, files, tmp_path):
    files.file(2).register(ws, "files")
    found = Dataset.get_by_name(ws, "files")
    assert type(found).__name__ == "FileDataset"
    assert found.to_path() == ["/f2.csv"] or found.to_path() == ["/registration/f2.csv"]
    (path,) = found.download(str(tmp_path))
    with open(path) as file:
        assert file.readline() == "id,value,word,when\n"


def test_versions(ws, files):
    first = files.tabular(1).register(ws, "versions", create_new_version=True)
    second = files.tabular(2).register(ws, "versions", create_new_version=True)
    assert (first.version, second.version) == (1, 2)
    assert first.id != second.id
    assert Dataset.get_by_name(ws, "versions").version == 2
    assert ids(Dataset.get_by_name(ws, "versions")) == [20, 21, 22, 23, 24]
    assert ids(Dataset.get_by_name(ws, "versions", version=1)) == [10, 11, 12, 13, 14]
    assert ids(Dataset.get_by_name(ws, "versions", version="latest")) == [20, 21, 22, 23, 24]
    assert Dataset.get_by_id(ws, first.id).version == 1
    assert Dataset.get_by_id(ws, second.id).version == 2


def test_the_same_definition_is_the_same_version(ws, files):
    # The data engine writes the inferred types in another order each time.
    made = [files.tabular(3).register(ws, "same", create_new_version=True) for _ in range(6)]
    assert {(dataset.version, dataset.id) for dataset in made} == {(1, made[0].id)}
    timestamps = files.tabular(3).with_timestamp_columns("when")
    assert timestamps.register(ws, "same", create_new_version=True).version == 2
    # What is registered last is what one gets, also when an earlier version was the same.
    assert files.tabular(3).register(ws, "same", create_new_version=True).version == 3
    assert Dataset.get_by_name(ws, "same").timestamp_columns == (None, None)


def test_a_name_that_exists_needs_create_new_version(ws, files):
    made = files.tabular(1).register(ws, "taken")
    with pytest.raises(UserErrorException, match="already a dataset registered under name"):
        files.tabular(2).register(ws, "taken")
    with pytest.raises(UserErrorException, match="been registered as taken:1"):
        made.register(ws, "taken under another name")
    assert "taken under another name" not in ws.datasets
    assert Dataset.get_by_name(ws, "taken").id == made.id
    # As a new version it may: the service gives it an id of its own.
    again = made.register(ws, "taken under another name", create_new_version=True)
    assert again.id != made.id and ids(again) == ids(made)


def test_description_and_tags(ws, files):
    made = files.tabular(1).register(ws, "tagged", description="one", tags={"a": "1"})
    made.add_tags({"b": "2"})
    assert Dataset.get_by_name(ws, "tagged").tags == {"a": "1", "b": "2"}
    made.remove_tags(["a"])
    made.update(description="two")
    found = Dataset.get_by_name(ws, "tagged")
    assert (found.description, found.tags, found.version) == ("two", {"b": "2"}, 1)
    assert found.id == made.id
    # A new version that says nothing about them keeps them; one that does replaces them.
    files.tabular(2).register(ws, "tagged", create_new_version=True)
    assert Dataset.get_by_name(ws, "tagged").tags == {"b": "2"}
    files.tabular(2).register(ws, "tagged", tags={"c": "3"}, create_new_version=True)
    found = Dataset.get_by_name(ws, "tagged")
    assert (found.description, found.tags, found.version) == ("two", {"c": "3"}, 2)
    # Changing an old version gives that version back.
    old = Dataset.get_by_name(ws, "tagged", version=1)
    assert old.update(tags={}).version == 1
    assert Dataset.get_by_name(ws, "tagged").tags == {}


def test_unregister(ws, files):
    for number in (1, 2):
        made = files.tabular(number).register(ws, "leaving", create_new_version=True)
    saved = made.id
    made.unregister_all_versions()
    assert "leaving" not in Dataset.get_all(ws)
    with pytest.raises(UserErrorException, match='registered with name "leaving"'):
        Dataset.get_by_name(ws, "leaving")
    # A run that used it can still be reproduced.
    kept = Dataset.get_by_id(ws, saved)
    assert kept.name is None and ids(kept) == [20, 21, 22, 23, 24]
    assert files.tabular(5).register(ws, "leaving").version == 1
    with pytest.raises(UserErrorException, match=r"registered as 'never-was'"):
        gone = Dataset.get_by_name(ws, "leaving")
        gone._registration.name = "never-was"
        gone.unregister_all_versions()


def test_list_over_pages(ws, files, send):
    definition = files.tabular(1)._dataflow.to_json()
    names = [f"many-{number:03}" for number in range(205)]
    for name in names:
        dataset = {"name": name, "datasetType": "tabular", "latest": {"dataflow": definition}}
        assert send("POST", "/datasets", json=dataset).status_code == 200
    files.tabular(2).register(ws, "many-007", create_new_version=True)
    found = Dataset.get_all(ws)
    assert set(names) <= set(found.keys())
    assert len(found.keys()) == len(set(found.keys()))
    assert {entry.name: entry.version for entry in found.registrations}["many-007"] == 2
    assert set(ws.datasets.keys()) == set(found.keys())
    assert ids(ws.datasets["many-007"]) == [20, 21, 22, 23, 24]


def test_list_filters(send, ws, files):
    for name in ("filter one", "filter two"):
        files.tabular(1).register(ws, name)
    body = files.tabular(1)._dataflow.to_json()
    hidden = {
        "name": "filter hidden",
        "datasetType": "file",
        "isVisible": False,
        "latest": {"dataflow": body},
    }
    assert send("POST", "/datasets", json=hidden).status_code == 200

    def names(**parameters):
        answer = send("GET", "/datasets", params=parameters).json()
        return [entry["name"] for entry in answer["value"]]

    assert names(searchText="filter") == ["filter one", "filter two"]
    assert names(datasetNames="filter two,filter hidden", includeInvisible=True) == [
        "filter hidden",
        "filter two",
    ]
    assert names(searchText="%") == []
    assert send("GET", "/datasets?pageSize=0").status_code == 400


def test_unknown_ones(ws, files, send):
    files.tabular(1).register(ws, "known")
    with pytest.raises(UserErrorException, match='name "unknown"'):
        Dataset.get_by_name(ws, "unknown")
    with pytest.raises(UserErrorException, match=r'name "known" \(version: 9\)'):
        Dataset.get_by_name(ws, "known", version=9)
    with pytest.raises(UserErrorException, match="Version value must be number"):
        Dataset.get_by_name(ws, "known", version="first")
    with pytest.raises(UserErrorException, match='id "00000000'):
        Dataset.get_by_id(ws, "00000000-0000-0000-0000-000000000001")
    with pytest.raises(KeyError):
        ws.datasets["unknown"]
    for path, says in {
        "/datasets/query/name=unknown": "no dataset registered as 'unknown'",
        "/datasets/query/name=known?versionId=9": "no version '9'. Its latest is 1",
        "/datasets/query/name=known?versionId=²": "no version",
        "/datasets/query/name=known?versionId=-1": "no version",
        "/datasets/none": "no registered dataset with the id 'none'",
        "/saveddatasets/none": "no dataset with the id 'none'",
    }.items():
        answer = send("GET", path)
        assert answer.status_code == 404
        assert says in answer.json()["error"]["message"]
    assert send("PUT", "/datasets/none", json={}).status_code == 404
    answer = send("GET", "/dataversion/known/versions/1", service="data")
    assert answer.status_code == 404 and "no data asset" in answer.text


def test_saved_without_registering(ws, files):
    def save(number):
        dataset = files.tabular(number)
        return dataset, dataset._ensure_saved(ws)

    dataset, saved = save(6)
    assert dataset.id == saved and dataset.name is None
    assert save(6)[1] == saved
    assert save(7)[1] != saved
    found = Dataset.get_by_id(ws, saved)
    assert found.name is None and ids(found) == [60, 61, 62, 63, 64]
    # Registering it keeps the id; from then on the same definition is saved under another.
    assert dataset.register(ws, "saved before").id == saved
    assert Dataset.get_by_id(ws, saved).name == "saved before"
    other, other_id = save(6)
    assert other_id != saved
    assert other.register(ws, "saved again").version == 1


def test_all_versions_by_id(ws, files, send):
    for number in (1, 2):
        files.tabular(number).register(ws, "history", create_new_version=True)
    dataset_id = send("GET", "/datasets/query/name=history").json()["datasetId"]
    versions = send("GET", f"/datasets/{dataset_id}/definitions").json()["value"]
    assert [version["versionId"] for version in versions] == ["1", "2"]
    latest = send("GET", f"/datasets/{dataset_id}").json()
    assert latest["name"] == "history" and latest["latest"] == versions[1]


@pytest.mark.parametrize(
    "name", ["", " leading", "a/b", "../x", "question?", "percent%20", "x" * 256, "ü", "a\nb"]
)
def test_names_that_cannot_be(ws, files, name):
    with pytest.raises(UserErrorException, match="must start with a letter or digit"):
        files.tabular(1).register(ws, name)


@pytest.mark.parametrize("name", ["x" * 255, "A-b_c.d 1", "9"])
def test_names_that_can_be(ws, files, name):
    files.tabular(1).register(ws, name, create_new_version=True)
    found = Dataset.get_by_name(ws, name)
    assert found.name == name
    found.unregister_all_versions()
    assert name not in ws.datasets


@pytest.mark.parametrize(
    "change",
    [
        {"datasetType": "picture"},
        {"datasetType": None},
        {"latest": None},
        {"latest": {"dataflow": None}},
        {"latest": {"dataflow": "{"}},
        {"latest": {"dataflow": '{"blocks": []}'}},
        {"latest": {"dataflow": '{"meta": {"RsDataflow": 3}}'}},
        {"latest": {"dataflow": "just text"}},
        {"latest": {"dataflow": "a: [1"}},
        {"latest": {"dataflow": "paths: []", "properties": []}},
        {"name": None},
        {"tags": ["a"]},
        {"tags": {"a": 1}},
    ],
)
def test_bodies_that_make_no_sense(send, change):
    body = {"name": "bad", "datasetType": "tabular", "latest": {"dataflow": "paths: []"}}
    answer = send("POST", "/datasets", json={**body, **change})
    assert answer.status_code == 400 and answer.json()["error"]["message"]
    assert send("GET", "/datasets/query/name=bad").status_code == 404


@pytest.mark.parametrize("body", [None, [], "x"])
def test_bodies_that_are_no_objects(send, body):
    for path in ("/datasets", "/saveddatasets"):
        assert send("POST", path, json=body).status_code == 400


def test_profiles_are_not_made_and_it_says_so(ws, files, send):
    found = files.tabular(1).register(ws, "profile")
    with pytest.raises(Exception, match="Bad Request"):
        found.get_profile(workspace=ws)
    for path in (
        f"/datasets/{found.id}/actions/result",
        f"/saveddatasets/{found.id}/profilewithpreview",
    ):
        answer = send("POST", path, json={})
        assert answer.status_code == 400
        assert "describe()" in answer.json()["error"]["message"]


def test_eight_clients_register_one_name_at_once(ws, files):
    prepared = [files.tabular(number) for number in range(8)]
    versions, errors = {}, []
    ready = threading.Barrier(8)

    def register(number):
        try:
            ready.wait(10)
            made = prepared[number].register(ws, "crowd", create_new_version=True)
            versions[made.version] = number
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=register, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(versions) == list(range(1, 9))
    for version, number in versions.items():
        found = Dataset.get_by_name(ws, "crowd", version=version)
        assert ids(found)[0] == number * 10


def test_eight_clients_register_the_same_definition_at_once(ws, files):
    versions = []
    ready = threading.Barrier(8)
    prepared = [files.tabular(1) for _ in range(8)]

    def register(dataset):
        ready.wait(10)
        versions.append(dataset.register(ws, "same crowd", create_new_version=True).version)

    threads = [threading.Thread(target=register, args=(dataset,)) for dataset in prepared]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert versions == [1] * 8


def test_they_survive_a_crash(ws, files, local_workspace):
    files.tabular(4).register(ws, "durable")
    local_workspace.kill()
    local_workspace.start(local_workspace.settings.port)
    assert ids(Dataset.get_by_name(ws, "durable")) == [40, 41, 42, 43, 44]
