"""Routes of MLflow: its REST API for clients, and its pages for signed-in browsers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response

from local_workspace.errors import NotImplementedHere
from local_workspace.http import (
    WORKSPACE_SCOPE,
    FileResponse,
    JSONResponse,
    get_principal,
    get_workspace,
    raw_body,
    sdk,
    the_workspace,
)
from local_workspace.identity.sign_in import signed_in
from local_workspace.identity.tokens import Principal
from local_workspace.service import Service
from local_workspace.services import model_management, run_history
from local_workspace.services.artifact import RUN_ORIGIN, open_artifact
from local_workspace.services.mlflow.application import MlflowApplication
from local_workspace.workspace import LocalWorkspace

router = APIRouter()

_API = "/mlflow/{version}" + WORKSPACE_SCOPE + "/api/2.0"
_PAGES = "/studio/mlflow"
# What a browser may do on a page of MLflow's: its scripts come from here, and nobody frames it.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
_FROM_BROWSERS = ("content-type", "accept", "if-none-match", "if-modified-since", "range")


def _application(request: Request) -> MlflowApplication:
    state = request.app.state
    if not hasattr(state, "mlflow"):
        state.mlflow = MlflowApplication(state.workspace)
    return state.mlflow


@router.post(
    _API + "/preview/mlflow/runs/log-batch-async",
    openapi_extra=sdk("mlflow.log_metric(synchronous=False)"),
)
def log_batch(
    request: Request,
    workspace: LocalWorkspace = Depends(get_workspace),
    principal: Principal = Depends(get_principal),
    application: MlflowApplication = Depends(_application),
    body: bytes = Depends(raw_body),
) -> Response:
    """Log a batch of metrics, parameters and tags; it is there when the answer comes."""
    answer = application.respond(
        "POST",
        "/api/2.0/mlflow/runs/log-batch",
        headers={"content-type": "application/json"},
        body=body,
        principal=principal,
    )
    if answer.status_code != 200:
        return answer
    # Without an id the client does not ask when the batch will be there.
    return JSONResponse({"batch_tracking_id": ""})


def call_api(
    path: str,
    request: Request,
    workspace: LocalWorkspace = Depends(get_workspace),
    principal: Principal = Depends(get_principal),
    application: MlflowApplication = Depends(_application),
    body: bytes = Depends(raw_body),
) -> Response:
    """Track experiments, runs and models with MLflow 2's REST API."""
    answer = application.respond(
        request.method,
        f"/api/2.0/mlflow/{path}",
        query=request.url.query,
        headers={"content-type": request.headers.get("content-type", "application/json")},
        body=body,
        principal=principal,
    )
    if answer.status_code in (404, 405) and _is_page(answer):
        raise NotImplementedHere(
            f"MLflow's operation {request.method} '{path}' is not part of MLflow 2's REST API, "
            "which Azure ML speaks. MLflow 3's logged models and traces are not offered."
        )
    return answer


for _method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    router.add_api_route(
        _API + "/mlflow/{path:path}",
        call_api,
        methods=[_method],
        operation_id=f"mlflow_{_method}",
        openapi_extra=sdk("mlflow, MlflowClient"),
    )


def _is_page(answer: Response) -> bool:
    return answer.headers.get("content-type", "").startswith("text/html")


@router.api_route(
    _PAGES + "/{path:path}", methods=["GET", "POST", "PATCH", "DELETE"], include_in_schema=False
)
def show_page(
    path: str,
    request: Request,
    workspace: LocalWorkspace = Depends(the_workspace),
    application: MlflowApplication = Depends(_application),
    body: bytes = Depends(raw_body),
) -> Response:
    """Show MLflow's own web pages to a browser that has signed in."""
    if not signed_in(request.scope, workspace):
        if path.startswith("ajax-api"):
            message = "Sign in with `python -m local_workspace open`, and reload this page."
            return Response(
                json.dumps({"error_code": "UNAUTHENTICATED", "message": message}),
                status_code=401,
                media_type="application/json",
            )
        return Response(status_code=303, headers={"Location": "/studio/"})
    if path in ("get-artifact", "model-versions/get-artifact"):
        return _artifact(workspace, path, request.query_params)
    if "mlflow-artifacts/" in path:
        raise NotImplementedHere(
            "The files of runs and models lie in storage of the workspace: MLflow's proxy for "
            "artifacts (mlflow-artifacts) is not used. The page of a run links to its files."
        )
    answer = application.respond(
        request.method,
        f"/{path}",
        query=request.url.query,
        headers={name: request.headers[name] for name in _FROM_BROWSERS if name in request.headers},
        body=body,
        root=_PAGES,
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer


def _artifact(workspace: LocalWorkspace, kind: str, asked: Mapping[str, str]) -> Response:
    """A file of a run or a model, as it lies in storage: MLflow would copy it first.

    Raises NotFound, and BadRequest when no file is named.
    """
    wanted = asked.get("path") or ""
    with workspace.database.read() as session:
        if kind == "get-artifact":
            run_id = asked.get("run_id") or asked.get("run_uuid") or ""
            place = RUN_ORIGIN, run_history.get_run(session, run_id).data_container_id
        else:
            name, version = asked.get("name") or "", asked.get("version") or ""
            row = model_management.get_version(session, name, version)
            place, wanted = (row.origin, row.container), f"{row.path}/{wanted}"
    file, found = open_artifact(workspace, *place, wanted)
    name = quote(PurePosixPath(found.path).name)
    return FileResponse(
        file,
        found.blob.size,
        media_type=found.blob.content_type,
        headers={
            # A file of a run must not act as a page of this origin.
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        },
    )


SERVICE = Service(name="mlflow", title="MLflow", router=router, prefixes=("mlflow",))
