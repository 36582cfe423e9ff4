"""Routes for the files of runs by run id, which azureml-mlflow uses."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query

from local_workspace.http import JSONResponse, get_workspace, json_body, sdk
from local_workspace.services.artifact import (
    RUN_ORIGIN,
    artifact_dto,
    artifact_page,
    content_of_existing,
    content_page,
    created,
    get_artifact,
)
from local_workspace.services.run_history import records
from local_workspace.workspace import LocalWorkspace

router = APIRouter(prefix="/runs/{run_id}/artifacts")


def _container(run_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> str:
    """The artifact container of the run in the path."""
    with workspace.database.read() as session:
        return records.get_run(session, run_id).data_container_id


@router.get("", openapi_extra=sdk("mlflow.artifacts.list_artifacts"))
@router.get("/path", openapi_extra=sdk("mlflow.artifacts.list_artifacts"))
@router.get("/path/{path:path}", openapi_extra=sdk("mlflow.artifacts.list_artifacts"))
def list_artifacts(
    path: str = "",
    continuation: str | None = Query(None, alias="continuationToken"),
    container: str = Depends(_container),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List the files of a run."""
    return JSONResponse(artifact_page(workspace, RUN_ORIGIN, container, path, continuation))


@router.post("/batch/metadata", openapi_extra=sdk("mlflow.log_artifact, mlflow.log_model"))
def create_artifacts(
    container: str = Depends(_container),
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Give addresses to upload files of a run to."""
    return JSONResponse(created(workspace, RUN_ORIGIN, container, body, quoted=True))


@router.get("/contentinfo", openapi_extra=sdk("mlflow.artifacts.download_artifacts"))
@router.get("/contentinfo/{path:path}", openapi_extra=sdk("mlflow.artifacts.download_artifacts"))
def content_of(
    path: str,
    container: str = Depends(_container),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Give the address to download a file of a run from."""
    return JSONResponse(content_of_existing(workspace, RUN_ORIGIN, container, path))


@router.get("/artifacturi", openapi_extra=sdk("RunArtifacts.get_sas_uri"))
@router.get("/artifacturi/{path:path}", openapi_extra=sdk("RunArtifacts.get_sas_uri"))
def address_of(
    path: str,
    container: str = Depends(_container),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Give nothing but the address to download a file of a run from."""
    content = content_of_existing(workspace, RUN_ORIGIN, container, path)
    return JSONResponse(content["contentUri"])


@router.get("/prefix/contentinfo", openapi_extra=sdk("mlflow.artifacts.download_artifacts"))
@router.get(
    "/prefix/contentinfo/{path:path}", openapi_extra=sdk("mlflow.artifacts.download_artifacts")
)
def contents_below(
    path: str = "",
    continuation: str | None = Query(None, alias="continuationToken"),
    container: str = Depends(_container),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Give the addresses to download all files of a folder of a run from."""
    return JSONResponse(content_page(workspace, RUN_ORIGIN, container, path, continuation))


@router.get("/metadata", openapi_extra=sdk("mlflow.artifacts.list_artifacts"))
def describe(
    path: str,
    container: str = Depends(_container),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Describe a file of a run."""
    found = get_artifact(workspace, RUN_ORIGIN, container, path)
    return JSONResponse(artifact_dto(RUN_ORIGIN, container, found.path, found.blob))
