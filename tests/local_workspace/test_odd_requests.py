"""Whatever a client sends, it gets an answer that says what is wrong: no 5xx, no defect."""

import json
import logging
import os
import re
from urllib.parse import quote

import pytest
from odd_requests import (
    ODD_BODIES,
    ODD_TEXTS,
    bodies_with_one_odd_part,
    routes,
    usual_body,
)
from starlette.testclient import TestClient
from usual_mlflow_requests import MLFLOW
from usual_requests import NO_SNAPSHOT

from local_workspace import startup
from local_workspace.identity.sign_in import SESSION_SECONDS, _sealed, cookie_name
from local_workspace.paths import Paths
from local_workspace.settings import Settings

pytestmark = pytest.mark.timeout(300)


class Server:
    """A workspace of its own, asked within this process, with one thing of each kind in it."""

    def __init__(self, client, application):
        self.workspace = application.workspace
        self.client = client
        settings = self.workspace.settings
        token, _ = self.workspace.tokens.issue(self.workspace.origin)
        self.headers = {"Authorization": f"Bearer {token}"}
        self.values = {
            "WS": settings.scope,
            "subscription_id": settings.subscription_id,
            "location": settings.region,
            "workspace_id": settings.workspace_id,
            "version": "1",
            "name": "e",
            "experiment": "e",
            "run_id": "r",
            "origin": "ExperimentRun",
            "container": "dcid.r",
            "path": "outputs/f.txt",
            "compute": "cc",
            "snapshot_id": NO_SNAPSHOT,
            "model_id": "m:1",
            "label": "latest",
        }
        self._fill()

    def send(self, method, path, body=None, query=""):
        """The answer to a request; `body` is bytes, or a value that is sent as JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        # The resource manager asks for it.
        version = f"{'&' if query else '?'}api-version=2022-05-01"
        address = f"{self.address(path)}{query}{version}"
        return self.client.request(method, address, content=content, headers=self.headers)

    def address(self, path, /, **others):
        """The address that a route's path means."""
        values = {**self.values, **self._own(path), **others}
        return re.sub(r"\{(\w+)(?::path)?\}", lambda m: str(values.get(m[1], "x")), path)

    def _own(self, path):
        """Where a name is that of something else than an experiment or environment."""
        if "/computes/{name}" in path:
            return {"name": "cc"}
        if "/datastore" in path:
            return {"name": "made_here"}
        if "/dataset/" in path:
            return {"name": "d"}
        if "/models/{name}" in path:
            return {"name": "m"}
        if "/pipelines/" in path:
            run_id = self.values.get("pipeline_run", "")
            return {"run_id": run_id, "version": "0", "kind": "STDOUT"}
        return {"version": "v2.0"} if path.startswith("/mlflow/") else {}

    def filled(self, body):
        """`body` with the ids of this server in it."""
        text = json.dumps(body)
        for name in ("experiment_id", "asset_id", "module_id", "pipeline_id"):
            text = text.replace(f"{{{name}}}", str(self.values.get(name)))
        return json.loads(text)

    def _fill(self):
        history = "/history/v1.0{WS}/experiments/{name}"
        experiment = self._make("POST", history)
        self.values["experiment_id"] = experiment["experimentId"]
        self._make("PATCH", f"{history}/runs/{{run_id}}")
        self._make("POST", "/metric/v2.0{WS}/runs/{run_id}/batch")
        content = "/artifact/v2.0{WS}/artifacts/content/{origin}/{container}/{path:path}"
        self.send("POST", content, b"content")
        for path in (
            "/environment/v1.0{WS}/environments/{name}/versions/{version}",
            "{WS}/computes/{name}",
        ):
            self._make("PUT", path)
        skip = "?skipValidation=true"
        answer = self.send(
            "POST",
            "/datastore/v1.0{WS}/datastores",
            usual_body("POST", "/datastore/v1.0{WS}/datastores"),
            skip,
        )
        assert answer.status_code == 200, answer.text
        self.values["dataset_id"] = self._make("POST", "/dataset/v1.0{WS}/datasets")["datasetId"]
        saved = self._make("POST", "/dataset/v1.0{WS}/saveddatasets")
        self.values["saved_id"] = saved["id"]
        asset = self._make("POST", "/modelmanagement/v1.0{WS}/assets")
        self.values["asset_id"] = asset["id"]
        self._make("POST", "/modelmanagement/v1.0{WS}/models")
        pipelines = "/pipelines/v1.0{WS}"
        for name, path in (
            ("module_id", "/Modules"),
            ("pipeline_id", "/Pipelines/Create"),
            ("endpoint_id", "/PipelineEndpoints/Create"),
            ("schedule_id", "/Schedules/Create"),
            ("pipeline_run", "/PipelineRuns/Unsubmitted/CreationInfoWithGraph"),
        ):
            self.values[name] = self._make("POST", f"{pipelines}{path}")["Id"]

    def _make(self, method, path):
        query = "?experimentName=e" if "/pipelines/" in path else ""
        answer = self.send(method, path, self.filled(usual_body(method, path)), query)
        assert answer.status_code < 300, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def registries():
    """MLflow's own lists of stores, as they were: its clients are in this process, too."""
    from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry
    from mlflow.tracking._model_registry import utils as models
    from mlflow.tracking._tracking_service import utils as runs

    known = _artifact_repository_registry._registry
    before = dict(known)
    addresses = models._registry_uri, runs._tracking_uri
    variables = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(variables)
    known.clear()
    known.update(before)
    models._registry_uri, runs._tracking_uri = addresses


@pytest.fixture(scope="module")
def server(tmp_path_factory, registries):
    logging.getLogger("httpx").setLevel(logging.WARNING)
    application = startup.build(Paths(tmp_path_factory.mktemp("odd")), Settings(), 1)
    with TestClient(application, "https://localhost", follow_redirects=False) as client:
        server = Server(client, application)
        workspace = server.workspace
        session = _sealed(workspace.tokens, "studio/session", SESSION_SECONDS)
        client.cookies.set(cookie_name(workspace), session)
        yield server


def check(answers):
    """Fail, with a list, unless all answers (what was odd, the answer) are good ones."""
    bad = []
    for what, answer in answers:
        defect = re.search(r"\((\w+)\)[^(]*logs` shows where", answer.text)
        if answer.status_code >= 500 or defect:
            bad.append(f"{what}: {defect[1] if defect else answer.text[:200]}")
    assert not bad, "\n".join(bad)


ROUTES = routes()
WITH_BODY = [(method, path) for method, path, _ in ROUTES if method != "GET"]


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_odd_bodies(server, method, path):
    usual = usual_body(method, path)
    query = "?runId=new-run" if path.endswith("run") else "?skipValidation=true&experimentName=e"

    def answers():
        for body in ODD_BODIES:
            yield f"{body[:40]!r}", server.send(method, path, body, query)
        if "/experimentids/{experiment_id}/" in path:
            # The same route as that with the experiment's name.
            return
        for what, body in bodies_with_one_odd_part(server.filled(usual)):
            yield what, server.send(method, path, body, query)

    check(answers())


@pytest.mark.parametrize(("method", "path", "parameters"), ROUTES)
def test_odd_addresses(server, method, path, parameters):
    usual = server.filled(usual_body(method, path))

    def answers():
        for name in parameters:
            for text in ODD_TEXTS:
                query = f"?{quote(name)}={text}"
                yield query[:60], server.send(method, path, usual, query)
        for name in re.findall(r"\{(\w+)(?::path)?\}", path):
            for text in ODD_TEXTS if name != "WS" else ():
                address = server.address(path, **{name: text})
                yield f"{name}: {text[:60]}", server.send(method, address, usual)

    check(answers())


@pytest.mark.parametrize(("method", "operation"), MLFLOW)
def test_odd_requests_to_mlflow(server, method, operation):
    usual = server.filled(MLFLOW[method, operation])
    path = f"/mlflow/v2.0{{WS}}/api/2.0/mlflow/{operation}"
    page = f"/studio/mlflow/ajax-api/2.0/mlflow/{operation}"

    def answers():
        yield "usual", server.send(method, path, None if method == "GET" else usual)
        if method == "GET":
            for name in usual:
                for text in ODD_TEXTS:
                    others = "&".join(f"{key}={value}" for key, value in usual.items())
                    yield (
                        f"{name}={text[:60]}",
                        server.send(method, path, None, f"?{others}&{name}={text}"),
                    )
                    only = "&".join(
                        f"{key}={text if key == name else value}" for key, value in usual.items()
                    )
                    yield f"only {name}={text[:60]}", server.send(method, page, None, f"?{only}")
            return
        for body in ODD_BODIES:
            yield f"{body[:40]!r}", server.send(method, path, body)
        for what, body in bodies_with_one_odd_part(usual):
            yield what, server.send(method, path, body)

    check(answers())
    # What was taken has spoiled nothing.
    for other in ("runs/search", "experiments/search"):
        body = {**server.filled(MLFLOW["POST", other]), "filter": "tags.a = 'b'"}
        if other == "runs/search":
            body["order_by"] = ["metrics.m DESC"]
        answer = server.send("POST", f"/mlflow/v2.0{{WS}}/api/2.0/mlflow/{other}", body)
        assert answer.status_code == 200, answer.text
