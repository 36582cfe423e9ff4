"""Requests to model management that the SDK would not send, or not in this way."""

import pytest
from azureml.core import Experiment, Model
from azureml.exceptions import ModelPathNotFoundException, WebserviceException


@pytest.fixture
def call(caller):
    """Sends a request; gives status and body."""
    send = caller("/modelmanagement/v1.0{scope}")

    def call(method, path, body=None):
        answer = send(method, path, body)
        return answer.status_code, answer.json()

    return call


@pytest.fixture
def registered(ws, folder):
    (folder / "f.txt").write_text("x")
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


@pytest.mark.parametrize("what", ["models", "assets"])
def test_tokens_of_pages_that_are_none(call, what):
    _refused(call("GET", f"/{what}?$skipToken=%C2%B2"), "continuation token")


def test_assets_are_listed(call, caller, local_workspace):
    made = []
    for number in range(3):
        given = {"name": "listed", "artifacts": [{"prefix": "LocalUpload/listed/x"}]}
        given |= {"kvTags": {"number": str(number)}, "properties": {"even": str(number % 2 == 0)}}
        made.insert(0, call("POST", "/assets", given | {"runid": f"run{number}"})[1])
    call("POST", "/assets", {"name": "other", "artifacts": [{"prefix": "LocalUpload/listed/x"}]})

    def listed(query):
        status, body = call("GET", f"/assets?name=listed{query}")
        assert status == 200
        return body

    assert listed("") == {"value": made, "nextLink": None}
    assert listed("&runId=run1")["value"] == listed("&runid=run1")["value"] == [made[1]]
    assert listed("&tags=number=2")["value"] == listed("&tag=number=2")["value"] == [made[0]]
    assert listed("&properties=even=True")["value"] == [made[0], made[2]]
    assert "other" in {one["name"] for one in call("GET", "/assets")[1]["value"]}
    first = listed("&count=2")
    assert first["value"] == made[:2]
    rest = caller("")("GET", first["nextLink"].removeprefix(local_workspace.origin))
    assert rest.json() == {"value": made[2:], "nextLink": None}


def test_a_version_no_database_could_keep(ws, registered):
    with pytest.raises(WebserviceException, match="not found"):
        Model(ws, "requested", version=10**30)


def test_a_model_has_no_files_of_its_neighbours(ws, folder):
    run = Experiment(ws, "neighbours").start_logging(snapshot_directory=None)
    for name in ("m.pkl", "m.pkl.bak", "model/w", "model_2/w"):
        path = folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        run.upload_file(f"outputs/{name}", str(path))
    run.complete()
    file = run.register_model("neighbour-file", "outputs/m.pkl")
    assert file.download("one") == "one/m.pkl"
    assert list(file.get_sas_urls()) == ["m.pkl"]
    model = run.register_model("neighbour-folder", "outputs/model")
    assert list(model.get_sas_urls()) == ["model/w"]
    with pytest.raises(ModelPathNotFoundException, match="outputs/mod "):
        run.register_model("neighbour-none", "outputs/mod")
