"""Routes of the execution service."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from fastapi import APIRouter, Depends, Query, Request, Response

from local_workspace.errors import BadRequest, NotImplementedHere
from local_workspace.fields import parse_json
from local_workspace.http import (
    WORKSPACE_SCOPE,
    JSONResponse,
    get_principal,
    get_workspace,
    json_body,
    raw_body,
    sdk,
)
from local_workspace.identity.tokens import Principal
from local_workspace.service import Service
from local_workspace.services.execution.records import cancel_run, jobs_engine, submit_run
from local_workspace.services.run_history import user_dto
from local_workspace.workspace import LocalWorkspace

router = APIRouter(prefix="/execution/v1.0" + WORKSPACE_SCOPE + "/experiments/{experiment}")


@router.post("/snapshotrun", openapi_extra=sdk("Experiment.submit(ScriptRunConfig)"))
def submit_snapshot_run(
    experiment: str,
    run_id: str = Query(alias="runId"),
    workspace: LocalWorkspace = Depends(get_workspace),
    principal: Principal = Depends(get_principal),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Run a script or command on a cluster, with the files of a snapshot."""
    row = submit_run(
        workspace, experiment, run_id, body, created_by=user_dto(workspace.settings, principal)
    )
    return JSONResponse({"runId": row.run_id})


def uploaded_definition(request: Request, body: bytes = Depends(raw_body)) -> Any:
    """The part `definition.json` of a multipart request. Raises BadRequest."""
    header = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(header.encode("latin-1") + body)
    for part in message.iter_parts() if message.is_multipart() else ():
        if part.get_filename() == "definition.json":
            return parse_json(part.get_payload(decode=True), "'definition.json'")
    raise BadRequest("The request has no part 'definition.json'.")


@router.post("/localrun", openapi_extra=sdk("Experiment.submit(compute_target='local')"))
def submit_local_run(
    experiment: str,
    run_id: str = Query(alias="runId"),
    workspace: LocalWorkspace = Depends(get_workspace),
    principal: Principal = Depends(get_principal),
    definition: Any = Depends(uploaded_definition),
) -> Response:
    """Run a script or command in a copy of its folder that the SDK makes."""
    row = submit_run(
        workspace,
        experiment,
        run_id,
        definition,
        created_by=user_dto(workspace.settings, principal),
    )
    return Response(jobs_engine(workspace).local_archive(row.run_id), media_type="application/zip")


@router.post("/runId/{run_id}/cancel", openapi_extra=sdk("Run.cancel"))
def cancel(run_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """End a submitted run, wherever it is; a run that has ended stays as it ended."""
    cancel_run(workspace, run_id)
    return JSONResponse({"runId": run_id})


@router.post("/startrun", openapi_extra=sdk("Experiment.submit with AML_FORCE_EXECUTE_WITH_ZIP"))
def submit_zip_run(experiment: str) -> Response:
    """Not offered: runs are submitted with snapshots."""
    raise NotImplementedHere(
        f"The local workspace takes the runs of '{experiment}' with snapshots only. Unset "
        "AML_FORCE_EXECUTE_WITH_ZIP."
    )


SERVICE = Service(
    name="execution",
    title="Submitted runs (execution)",
    router=router,
    prefixes=("execution",),
    discovery={"experimentation": ""},
)
