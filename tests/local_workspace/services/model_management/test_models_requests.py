"""Requests to model management that the SDK would not send, or not in this way."""

import pytest
import requests
from azureml.core import Experiment, Model
from azureml.exceptions import ModelPathNotFoundException, WebserviceException


@pytest.fixture(scope="module")
def call(local_workspace):
    """Sends a request; gives status and body."""
    settings = local_workspace.settings
    auth = local_workspace.workspace._auth_object.get_authentication_header()
    base = (
        f"{local_workspace.origin}/modelmanagement/v1.0/subscriptions/{settings.subscription_id}"
        f"/resourceGroups/{settings.resource_group}/providers/Microsoft.MachineLearningServices"
        f"/workspaces/{settings.workspace_name}"
    )

    def send(method, path, body=None):
        answer = requests.request(method, base + path, headers=auth, json=body, timeout=60)
        return answer.status_code, answer.json()

    return send


@pytest.fixture
def registered(ws, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.txt").write_text("x")
    return Model.register(ws, "f.txt", "requested")


def _refused(answer, what):
    status, body = answer
    assert status == 400 and body["error"]["code"] == "UserError"
    assert what in body["error"]["message"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", {"a": 1}),
        ("description", {"a": 1}),
        ("framework", 5),
        ("runId", ["x"]),
        ("mimeType", {"a": 1}),
        ("sampleInputData", [1]),
        ("datasets", ["x"]),
        ("datasets", {"a": 1}),
        ("datasets", [{"name": "training"}]),
        ("resourceRequirements", "x"),
    ],
)
def test_models_that_are_none(ws, call, registered, key, value):
    given = {"name": "not-a-model", "url": registered.url, key: value}
    what = {"name": "name of a model", "datasets": "dataset"}.get(key, key)
    _refused(call("POST", "/models", given), what)
    assert Model.list(ws, name="not-a-model") == []


@pytest.mark.parametrize(
    ("operations", "what"),
    [
        ([5], "list of operations"),
        ([{"path": "/description", "value": {"a": 1}}], "value"),
        ([{"path": "/datasets", "value": ["x"]}], "dataset"),
        ([{"path": "/datasets", "value": 5}], "datasets"),
        ([{"path": "/sampleOutputData", "value": [1]}], "value"),
        ([{"path": "/resourceRequirements", "value": 5}], "resourceRequirements"),
    ],
)
def test_patches_that_are_none(call, registered, operations, what):
    _refused(call("PATCH", f"/models/{registered.id}", operations), what)


def test_paths_that_leave_their_container(call):
    given = {"name": "x", "artifacts": [{"prefix": "LocalUpload/a/../b"}]}
    _refused(call("POST", "/assets", given), "'..'")


def test_tokens_of_pages_that_are_none(call):
    _refused(call("GET", "/models?$skipToken=%C2%B2"), "continuation token")


def test_a_version_no_database_could_keep(ws, registered):
    with pytest.raises(WebserviceException, match="not found"):
        Model(ws, "requested", version=10**30)


def test_a_model_has_no_files_of_its_neighbours(ws, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Experiment(ws, "neighbours").start_logging(snapshot_directory=None)
    for name in ("m.pkl", "m.pkl.bak", "model/w", "model_2/w"):
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        run.upload_file(f"outputs/{name}", str(path))
    run.complete()
    file = run.register_model("neighbour-file", "outputs/m.pkl")
    assert file.download("one") == "one/m.pkl"
    assert list(file.get_sas_urls()) == ["m.pkl"]
    folder = run.register_model("neighbour-folder", "outputs/model")
    assert list(folder.get_sas_urls()) == ["model/w"]
    with pytest.raises(ModelPathNotFoundException, match="outputs/mod "):
        run.register_model("neighbour-none", "outputs/mod")
