"""Snapshots of project folders through the SDK."""

import uuid
import zipfile
from pathlib import Path

import pytest
from azureml._base_sdk_common.project_snapshot_cache import ContentSnapshotCache
from azureml.core import Experiment
from azureml.exceptions import SnapshotException

from local_workspace.errors import BadRequest, NotFound
from local_workspace.services import content

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture(scope="module")
def experiment(local_workspace):
    return Experiment(local_workspace.workspace, "snapshots")


@pytest.fixture
def project(tmp_path):
    """A small project with names that are hard to send, and things to leave out."""
    project = tmp_path / "project"
    for name, text in {
        "train.py": "print(1)",
        "data/two words ü.csv": "1,2",
        "data/50% #1?.csv": "3",
        "ignored.log": "no",
        "secret/key.txt": "no",
        ".amlignore": "*.log\nsecret/\n",
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    (project / "empty").mkdir()
    return project


@pytest.fixture
def call(caller):
    """Call the content service directly: call(method, path, body) gives the response."""
    return caller("/content/v2.0{scope}/snapshots")


def unpack(run, tmp_path):
    archive = run.restore_snapshot(path=str(tmp_path))
    with zipfile.ZipFile(archive) as file:
        return {name: file.read(name).decode() for name in file.namelist()}


def test_a_snapshot_is_taken_and_restored(experiment, project, tmp_path, opened):
    run = experiment.start_logging(snapshot_directory=str(project))
    expected = {
        ".amlignore": "*.log\nsecret/\n",
        "data/50% #1?.csv": "3",
        "data/two words ü.csv": "1,2",
        "train.py": "print(1)",
    }
    assert run.get_properties()["ContentSnapshotId"] == run.get_snapshot_id()
    assert unpack(run, tmp_path) == expected
    target = tmp_path / "restored"
    written = content.restore_snapshot(opened, run.get_snapshot_id(), target)
    assert {str(p.relative_to(target)): p.read_text() for p in written} == expected
    assert (target / "empty").is_dir()


def test_only_differences_are_sent(experiment, project, tmp_path, call):
    first = experiment.start_logging(snapshot_directory=str(project))
    unchanged = experiment.start_logging(snapshot_directory=str(project))
    assert unchanged.get_snapshot_id() == first.get_snapshot_id()
    (project / "train.py").write_text("print(2)")
    (project / "data/50% #1?.csv").unlink()
    (project / "new.py").write_text("new")
    second = experiment.start_logging(snapshot_directory=str(project))
    assert second.get_snapshot_id() != first.get_snapshot_id()
    files = unpack(second, tmp_path)
    assert files["train.py"] == "print(2)"
    assert sorted(files) == [".amlignore", "data/two words ü.csv", "new.py", "train.py"]
    assert unpack(first, tmp_path)["train.py"] == "print(1)"


def test_a_client_whose_parent_snapshot_is_unknown_sends_everything(
    local_workspace, experiment, project, tmp_path
):
    experiment.start_logging(snapshot_directory=str(project))
    cache = ContentSnapshotCache(local_workspace.workspace.service_context)
    file = Path(cache._get_latest_snapshot_cache_file())
    known = file.read_text()
    _, snapshot_id = cache.get_latest_snapshot()
    file.write_text(known.replace(snapshot_id, str(uuid.uuid4())))
    (project / "train.py").write_text("print(3)")
    run = experiment.start_logging(snapshot_directory=str(project))
    assert unpack(run, tmp_path)["data/two words ü.csv"] == "1,2"
    assert unpack(run, tmp_path)["train.py"] == "print(3)"


def test_the_snapshot_of_an_empty_folder_is_empty(local_workspace, experiment, tmp_path, opened):
    ContentSnapshotCache(local_workspace.workspace.service_context).remove_latest()
    (tmp_path / "nothing").mkdir()
    run = experiment.start_logging(snapshot_directory=str(tmp_path / "nothing"))
    assert unpack(run, tmp_path) == {}
    assert content.restore_snapshot(opened, run.get_snapshot_id(), tmp_path / "restored") == []
    assert (tmp_path / "restored").is_dir()


def test_a_folder_over_the_limit_is_refused_by_the_sdk(experiment, project, monkeypatch):
    monkeypatch.setattr("azureml._restclient.snapshots_client.SNAPSHOT_MAX_SIZE_BYTES", 10)
    run = experiment.start_logging(snapshot_directory=None)
    with pytest.raises(SnapshotException, match="exceeds the limit"):
        run.take_snapshot(str(project))


def tree(*names):
    children = {name: {"name": name, "type": "File", "children": {}} for name in names}
    return {"name": "", "type": "Directory", "children": children}


def test_snapshots_that_cannot_be(call):
    def create(body):
        return call("POST", f"/{uuid.uuid4()}", body)

    empty = {"FileRevisionList": {"FileNodes": []}}
    unknown = create({"ParentSnapshotId": str(uuid.uuid4()), "DirTreeNode": tree(), **empty})
    assert unknown.status_code == 400
    assert "parent snapshot" in unknown.json()["error"]["message"]
    missing = create({"ParentSnapshotId": None, "DirTreeNode": tree("a.py"), **empty})
    assert missing.status_code == 400
    assert "'a.py'" in missing.json()["error"]["message"]
    for name in ("..", "../a.py", "sub/../../a.py", "", "/"):
        answer = create({"DirTreeNode": tree(name), **empty})
        assert answer.status_code == 400, name
        assert call("POST", "/getblob", {"FileNames": [name]}).status_code == 400
    never_sent = call("POST", "/getblob", {"FileNames": ["a.py"]}).json()["fileNodes"][0]
    foreign = never_sent["blobUri"].replace("/snapshots/", "/azureml/")
    for address in (never_sent["blobUri"], foreign, "nonsense"):
        node = {"FullName": "a.py", "BlobUri": address, "FileSize": 1}
        body = {"DirTreeNode": tree("a.py"), "FileRevisionList": {"FileNodes": [node]}}
        assert "was not uploaded" in create(body).json()["error"]["message"]
    for body in (None, [], {}, {"DirTreeNode": 5}, {"DirTreeNode": {"children": [5]}}):
        assert create(body).status_code == 400
    for revisions in (5, {"FileNodes": 5}, {"FileNodes": [5]}, {"FileNodes": [{"FullName": "a"}]}):
        answer = create({"DirTreeNode": tree(), "FileRevisionList": revisions})
        assert answer.json()["error"]["code"] == "UserError", revisions


def test_an_id_is_used_once(call):
    snapshot_id = str(uuid.uuid4())
    body = {"DirTreeNode": tree(), "FileRevisionList": {"FileNodes": []}}
    assert call("POST", f"/{snapshot_id}", body).status_code == 200
    assert call("POST", f"/{snapshot_id}", body).status_code == 409
    assert call("GET", f"/{snapshot_id}/metadata").json()["root"] == tree()


def test_an_unknown_snapshot_is_not_found(call, opened, tmp_path):
    assert call("POST", f"/{uuid.uuid4()}/zip").status_code == 404
    with pytest.raises(NotFound, match="submit again"):
        content.restore_snapshot(opened, str(uuid.uuid4()), tmp_path / "restored")
    answer = call("POST", f"/uri/{uuid.uuid4()}", {"uri": "https://example.com/x.git"})
    assert answer.json()["error"]["code"] == "NotImplementedByLocalWorkspace"


def test_a_snapshot_has_a_largest_size(workspace, monkeypatch):
    monkeypatch.setattr("local_workspace.services.content.records.MAX_SNAPSHOT_BYTES", 3)
    content.ensure_snapshot_store(workspace)
    account = workspace.settings.storage_account
    workspace.blobs.put_bytes(account, "snapshots", "x/a", b"1234")
    node = {"FullName": "a", "BlobUri": workspace.blob_url("snapshots", "x/a")}
    body = {"DirTreeNode": tree("a"), "FileRevisionList": {"FileNodes": [node]}}
    with pytest.raises(BadRequest, match="has 4 bytes; at most 3"):
        content.create_snapshot(workspace, "snapshot", body)
