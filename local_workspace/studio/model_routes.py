"""Routes of the pages of registered models."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from local_workspace.services.model_management import get_version
from local_workspace.studio import models
from local_workspace.studio.files import file_response
from local_workspace.studio.pages import PageRoute, layout, viewed_workspace
from local_workspace.studio.rendering import page
from local_workspace.workspace import LocalWorkspace

router = APIRouter(prefix="/studio/models", route_class=PageRoute, include_in_schema=False)


@router.get("")
def model_list(request: Request, workspace: LocalWorkspace = Depends(viewed_workspace)) -> Response:
    """The registered models."""
    with workspace.database.read() as session:
        found = models.models(session)
    return page("models.html", models=found, **layout(request, workspace))


@router.get("/{name}")
def model(
    name: str,
    request: Request,
    version: str | None = None,
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """A model and its versions."""
    with workspace.database.read() as session:
        found = models.model(session, workspace, name, version)
    return page("model.html", found=found, **layout(request, workspace))


@router.get("/{name}/{version}/files/{path:path}")
def model_file(
    name: str,
    version: str,
    path: str,
    download: bool = False,
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """A file of a version of a model."""
    with workspace.database.read() as session:
        row = get_version(session, name, version)
    models.check_file(row, path)
    return file_response(workspace, row.origin, row.container, path, download=download)
