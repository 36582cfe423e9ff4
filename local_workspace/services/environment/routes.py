"""Routes of the environment service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from local_workspace.errors import BadRequest, NotImplementedHere
from local_workspace.http import (
    WORKSPACE_SCOPE,
    JSONResponse,
    get_workspace,
    json_body,
    sdk,
)
from local_workspace.services.environment import model
from local_workspace.store.tables.environment import EnvironmentVersionRow
from local_workspace.workspace import LocalWorkspace

router = APIRouter(tags=["environment"])

_BASE = "/environment/v1.0" + WORKSPACE_SCOPE + "/environments"
_BUILD = "/environment/v2.0" + WORKSPACE_SCOPE + "/environments/{name}"


def environment_document(workspace: LocalWorkspace, row: EnvironmentVersionRow) -> dict[str, Any]:
    """An environment as the SDK reads it (and as it stands in a run's definition)."""
    settings = workspace.settings
    return {
        "name": row.name,
        "version": row.version,
        "assetId": (
            f"azureml://locations/{settings.region}/workspaces/{settings.workspace_id}"
            f"/environments/{row.name}/versions/{row.version}"
        ),
        **row.definition,
    }


@router.get(_BASE, openapi_extra=sdk("Environment.list, Workspace.environments"))
@router.get(_BASE + "/", openapi_extra=sdk("Environment.list, Workspace.environments"))
def list_environments(
    continuation: str | None = None, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """List the latest version of every environment."""
    with workspace.database.read() as session:
        # One more than a page tells whether there is a next one.
        rows = model.list_environments(session, continuation, model.PAGE_SIZE + 1)
    page = rows[: model.PAGE_SIZE]
    more = page[-1].name if len(rows) > len(page) else None
    return JSONResponse(
        {
            "value": [environment_document(workspace, row) for row in page],
            "continuationToken": more,
        }
    )


@router.get(_BASE + "/{name}", openapi_extra=sdk("Environment.get"))
@router.get(_BASE + "/{name}/versions/{version}", openapi_extra=sdk("Environment.get"))
def get_environment(
    name: str,
    version: str | None = None,
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Give a version of an environment, or the latest one."""
    with workspace.database.read() as session:
        row = model.get_environment(session, name, version)
    return JSONResponse(environment_document(workspace, row))


@router.get(_BASE + "/{name}/labels/{label}", openapi_extra=sdk("Environment.get(label=)"))
def get_environment_by_label(
    name: str, label: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Give the version of an environment that has a label."""
    with workspace.database.read() as session:
        row = model.get_environment(session, name, label=label)
    return JSONResponse(environment_document(workspace, row))


@router.put(_BASE + "/{name}", openapi_extra=sdk("Environment.register"))
@router.put(_BASE + "/{name}/versions/{version}", openapi_extra=sdk("Environment.register"))
def register_environment(
    name: str,
    version: str | None = None,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Register an environment; the same content keeps its version."""
    definition = model.definition_of(body)
    with workspace.database.write() as session:
        row = model.register_environment(session, name, definition, version)
    return JSONResponse(environment_document(workspace, row))


@router.put(_BASE + "/{name}/versions/{version}/metadata", openapi_extra=sdk("Environment.label"))
def set_labels(
    name: str,
    version: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Set the labels of a version of an environment."""
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object with a list 'Labels'.")
    with workspace.database.write() as session:
        labels = model.set_labels(session, name, version, body.get("Labels", body.get("labels")))
    return JSONResponse({"labels": labels})


def _no_image(workspace: LocalWorkspace, name: str, version: str | None) -> NotImplementedHere:
    """For an environment that exists; NotFound comes first for one that does not."""
    with workspace.database.read() as session:
        model.get_environment(session, name, version)
    return NotImplementedHere(
        "The local workspace makes no Docker images: an environment becomes a virtual environment "
        f"of this machine, which the first job in '{name}' builds. The job's "
        "20_image_build_log.txt shows how.",
        # The SDK takes a 404 to mean that the environment is not registered.
        status=400,
    )


@router.get(_BASE + "/{name}/image", openapi_extra=sdk("not available: get_image_details"))
@router.get(
    _BASE + "/{name}/versions/{version}/image",
    openapi_extra=sdk("not available: Environment.get_image_details"),
)
def get_image(
    name: str, version: str | None = None, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Answer that an environment is a virtual environment here, not an image."""
    raise _no_image(workspace, name, version)


@router.post(
    _BUILD + "/versions/{version}/image", openapi_extra=sdk("not available: Environment.build")
)
@router.post(
    _BUILD + "/versions/{version}/imageoncompute/{compute}",
    openapi_extra=sdk("not available: Environment.build"),
)
def build_image(
    name: str, version: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Answer that the first job builds the environment, not an image build."""
    raise _no_image(workspace, name, version)


@router.post(_BASE + "/{name}/recipe", openapi_extra=sdk("not available: Environment.build_local"))
@router.post(
    _BASE + "/{name}/versions/{version}/recipe",
    openapi_extra=sdk("not available: Environment.build_local"),
)
def get_recipe(
    name: str, version: str | None = None, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Answer that the first job builds the environment, not a recipe for conda or Docker."""
    raise _no_image(workspace, name, version)
