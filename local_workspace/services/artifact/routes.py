"""Routes of the artifact service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from local_workspace.errors import BadRequest
from local_workspace.http import (
    WORKSPACE_SCOPE,
    FileResponse,
    JSONResponse,
    get_workspace,
    json_body,
    raw_body,
    sdk,
)
from local_workspace.service import Service
from local_workspace.services.artifact import records, wire
from local_workspace.workspace import LocalWorkspace

router = APIRouter(prefix="/artifact/v2.0" + WORKSPACE_SCOPE + "/artifacts")

_FILES = "Run.upload_file, Run.upload_files, Run.upload_folder, Run.log_image"
_MLFLOW = "mlflow.artifacts.download_artifacts"
_READ = "Run.download_file, Run.download_files, Run.get_metrics"


@router.post("/batch/metadata/{origin}/{container}", openapi_extra=sdk(_FILES))
def create_artifacts(
    origin: str,
    container: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Give addresses to upload files to."""
    return JSONResponse(wire.created(workspace, origin, container, body, quoted=False))


@router.post("/{origin}/{container}/batch/metadata", openapi_extra=sdk("mlflow.log_artifact"))
def create_artifacts_for_mlflow(
    origin: str,
    container: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """The same for azureml-mlflow, which quotes and unquotes paths like everyone else."""
    return JSONResponse(wire.created(workspace, origin, container, body, quoted=True))


@router.post("/metadata", openapi_extra=sdk(_FILES))
def create_artifact(
    workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Name one artifact that is going to be uploaded."""
    if not isinstance(body, dict) or not all(
        isinstance(body.get(name), str) for name in ("origin", "container", "path")
    ):
        raise BadRequest("The body must have 'origin', 'container' and 'path'.")
    records.ensure_artifact_store(workspace)
    return JSONResponse(records.artifact_dto(body["origin"], body["container"], body["path"], None))


@router.get("/metadata/{origin}/{container}/{path:path}", openapi_extra=sdk(_READ))
def get_artifact(
    origin: str, container: str, path: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Describe an artifact."""
    found = records.get_artifact(workspace, origin, container, path)
    return JSONResponse(records.artifact_dto(origin, container, found.path, found.blob))


@router.delete("/metadata/{origin}/{container}/{path:path}", openapi_extra=sdk("Artifact service"))
def delete_artifact(
    origin: str, container: str, path: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> Response:
    """Delete an artifact."""
    records.delete_artifact(workspace, origin, container, path)
    return Response(status_code=200)


@router.get("/contentinfo/{origin}/{container}/{path:path}", openapi_extra=sdk(_READ))
def content_of(
    origin: str, container: str, path: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Give the address to download an artifact from."""
    return JSONResponse(wire.content_of_existing(workspace, origin, container, path))


@router.get("/prefix/contentinfo/{origin}/{container}", openapi_extra=sdk(_READ))
@router.get("/prefix/contentinfo/{origin}/{container}/{path:path}", openapi_extra=sdk(_READ))
def contents_below(
    origin: str,
    container: str,
    path: str = "",
    continuation: str | None = Query(None, alias="continuationToken"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Give the addresses to download all artifacts of a folder from."""
    return JSONResponse(wire.content_page(workspace, origin, container, path, continuation))


@router.get("/write/{origin}/{container}/{path:path}", openapi_extra=sdk("Run logs"))
def address_to_write(
    origin: str, container: str, path: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Give the address to stream an artifact to."""
    records.ensure_artifact_store(workspace)
    return JSONResponse(
        wire.content_dto(workspace, origin, container, path, wire.WRITE, quoted=False)
    )


@router.get("/content/{origin}/{container}/{path:path}", openapi_extra=sdk(_READ))
def download(
    origin: str, container: str, path: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> FileResponse:
    """Send the content of an artifact."""
    file, found = records.open_artifact(workspace, origin, container, path)
    return FileResponse(file, found.blob.size, media_type=found.blob.content_type)


@router.post("/content/{origin}/{container}/{path:path}", openapi_extra=sdk("Artifact service"))
def upload(
    origin: str,
    container: str,
    path: str,
    index: int | None = None,
    append: bool = False,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: bytes = Depends(raw_body),
) -> JSONResponse:
    """Take the content of an artifact, or more of it."""
    if append:
        present = 0
        for artifact in records.list_artifacts(workspace, origin, container, path):
            if artifact.path == records.artifact_path(path):
                present = artifact.blob.size
        if index is not None and index != present:
            raise BadRequest(f"The artifact has {present} bytes: nothing can be added at {index}.")
        found = records.append_artifact(workspace, origin, container, path, body)
    else:
        found = records.write_artifact(workspace, origin, container, path, body)
    return JSONResponse(records.artifact_dto(origin, container, found.path, found.blob))


@router.get("/{origin}/{container}", openapi_extra=sdk("Run.get_file_names"))
def list_artifacts(
    origin: str,
    container: str,
    path: str = "",
    continuation: str | None = Query(None, alias="continuationToken"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List artifacts."""
    return JSONResponse(wire.artifact_page(workspace, origin, container, path, continuation))


# azureml-mlflow gives the path as a parameter.
router.add_api_route(
    "/{origin}/{container}/contentinfo", content_of, methods=["GET"], openapi_extra=sdk(_MLFLOW)
)
router.add_api_route(
    "/{origin}/{container}/prefix/contentinfo",
    contents_below,
    methods=["GET"],
    openapi_extra=sdk(_MLFLOW),
)
router.add_api_route(
    "/{origin}/{container}/metadata", get_artifact, methods=["GET"], openapi_extra=sdk(_MLFLOW)
)
router.add_api_route(
    "/{origin}/{container}/content", download, methods=["GET"], openapi_extra=sdk(_MLFLOW)
)


SERVICE = Service(
    name="artifact",
    title="Artifacts",
    router=router,
    prefixes=("artifact",),
    prepare=records.ensure_artifact_store,
)
