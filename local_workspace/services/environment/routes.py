"""Routes of the environment service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from local_workspace.clock import iso
from local_workspace.errors import BadRequest, NotImplementedHere
from local_workspace.http import (
    WORKSPACE_SCOPE,
    JSONResponse,
    get_workspace,
    json_body,
    sdk,
)
from local_workspace.service import Service
from local_workspace.services.compute import find_compute
from local_workspace.services.environment import builds, curated, records
from local_workspace.services.environment.parsing import definition_of
from local_workspace.services.environment.wire import environment_document
from local_workspace.workspace import LocalWorkspace

router = APIRouter()

_BASE = "/environment/v1.0" + WORKSPACE_SCOPE + "/environments"
_BUILDS = "/environment/v2.0" + WORKSPACE_SCOPE + "/environments/{name}"
_OPERATIONS = "/environment/v2.0" + WORKSPACE_SCOPE + "/builds"


@router.get(_BASE, openapi_extra=sdk("Environment.list, Workspace.environments"))
@router.get(_BASE + "/", openapi_extra=sdk("Environment.list, Workspace.environments"))
def list_environments(
    continuation: str | None = None, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """List the latest version of every environment."""
    with workspace.database.read() as session:
        # One more than a page tells whether there is a next one.
        rows = records.list_environments(session, continuation, records.PAGE_SIZE + 1)
    page = rows[: records.PAGE_SIZE]
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
        row = records.get_environment(session, name, version)
    return JSONResponse(environment_document(workspace, row))


@router.get(_BASE + "/{name}/labels/{label}", openapi_extra=sdk("Environment.get(label=)"))
def get_environment_by_label(
    name: str, label: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Give the version of an environment that has a label."""
    with workspace.database.read() as session:
        row = records.get_environment(session, name, label=label)
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
    definition = definition_of(body)
    with workspace.database.write() as session:
        row = records.register_environment(session, name, definition, version)
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
        labels = records.set_labels(session, name, version, body.get("Labels", body.get("labels")))
    return JSONResponse({"labels": labels})


@router.get(_BASE + "/{name}/image", openapi_extra=sdk("Environment.get_image_details"))
@router.get(
    _BASE + "/{name}/versions/{version}/image",
    openapi_extra=sdk("Environment.get_image_details"),
)
def get_image(
    name: str, version: str | None = None, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Say which Python an environment is built as (an environment is no Docker image here)."""
    return JSONResponse(builds.image_details(workspace, name, version))


@router.post(_BUILDS + "/versions/{version}/image", openapi_extra=sdk("Environment.build"))
@router.post(
    _BUILDS + "/versions/{version}/imageoncompute/{compute}",
    openapi_extra=sdk("Environment.build(image_build_compute=)"),
)
def build_image(
    name: str,
    version: str,
    compute: str | None = None,
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Build an environment ahead of its first job, as a virtual environment of this machine."""
    if compute is not None:
        with workspace.database.read() as session:
            if find_compute(session, compute) is None:
                # The SDK takes a 404 to mean that the environment is not registered.
                raise BadRequest(
                    f"Compute target '{compute}' was not found in this workspace.",
                    code="ComputeNotFound",
                )
    row = builds.start_build(workspace, name, version)
    base = f"{workspace.origin}/environment/v2.0{workspace.settings.scope}/builds"
    return JSONResponse({"location": f"{base}/{row.build_id}"}, status_code=202)


@router.get(
    _OPERATIONS + "/{build_id}", openapi_extra=sdk("Environment.build(...).wait_for_completion")
)
def get_build(build_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Say how far a build is, and where its log can be read."""
    row = builds.get_build(workspace, build_id)
    return JSONResponse(
        {
            "environmentName": row.name,
            "environmentVersion": row.version,
            "status": row.status,
            "startTime": iso(row.started),
            "endTime": iso(row.ended),
            "logUrl": builds.log_url(workspace, build_id),
        },
        status_code=202 if row.status == builds.RUNNING else 200,
    )


@router.post(_BASE + "/{name}/recipe", openapi_extra=sdk("not available: Environment.build_local"))
@router.post(
    _BASE + "/{name}/versions/{version}/recipe",
    openapi_extra=sdk("not available: Environment.build_local"),
)
def get_recipe(
    name: str, version: str | None = None, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Answer that Environment.build builds on this machine: there is no recipe for conda."""
    # NotFound comes first: the SDK takes a 404 to mean that the environment is not registered.
    with workspace.database.read() as session:
        records.get_environment(session, name, version)
    raise NotImplementedHere(
        "The local workspace gives no recipe for conda or Docker. Environment.build builds the "
        "environment on this machine, and so does the first job in it.",
        status=400,
    )


SERVICE = Service(
    name="environment",
    title="Environments",
    router=router,
    prefixes=("environment",),
    prepare=curated.ensure_curated_environments,
)
