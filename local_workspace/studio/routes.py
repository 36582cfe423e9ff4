"""Routes of the web pages."""

from __future__ import annotations

import logging
import os
from functools import cache

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import FileResponse, RedirectResponse, Response

from local_workspace.errors import NotFound
from local_workspace.http import raw_body, the_workspace
from local_workspace.identity.sign_in import (
    Tickets,
    end_session,
    session_of,
    signed_in,
    start_session,
)
from local_workspace.service import Service
from local_workspace.services import run_history
from local_workspace.studio import listings, model_routes, run_routes
from local_workspace.studio.pages import (
    NotSignedIn,
    PageRoute,
    form_workspace,
    layout,
    posted_form,
    viewed_workspace,
)
from local_workspace.studio.rendering import STATIC, address, page
from local_workspace.studio.runs import newest_runs
from local_workspace.studio.ticket_page import ticket_page
from local_workspace.workspace import LocalWorkspace

log = logging.getLogger(__name__)

pages = APIRouter(prefix="/studio", route_class=PageRoute, include_in_schema=False)

_NEWEST = 10


@cache
def _tickets(workspace: LocalWorkspace) -> Tickets:
    return Tickets(workspace.tokens, os.getpid())


@pages.get("/static/{name}")
def static_file(name: str) -> FileResponse:
    """A style sheet, script or icon of the pages."""
    # By name among those there are: nothing in an address can lead out of the folder.
    found = next((path for path in STATIC.iterdir() if path.name == name), None)
    if found is None:
        raise NotFound(f"The pages have no file '{name}'.")
    return FileResponse(
        found, headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    )


@pages.get("/sign-in")
def ask_to_sign_in(
    request: Request, workspace: LocalWorkspace = Depends(the_workspace)
) -> Response:
    """Say how to sign in: a ticket comes by POST only."""
    if signed_in(request.scope, workspace):
        return RedirectResponse(address(""), status_code=303)
    raise NotSignedIn("A browser signs in with a ticket, which is good once and for two minutes.")


@pages.post("/sign-in")
def sign_in(
    workspace: LocalWorkspace = Depends(the_workspace), body: bytes = Depends(raw_body)
) -> Response:
    """Take a ticket and give a session."""
    if not _tickets(workspace).redeem(posted_form(body).get("ticket", "")):
        raise NotSignedIn("The ticket was used already, is older than two minutes, or is not ours.")
    ticket_page(workspace.paths).unlink(missing_ok=True)
    response = RedirectResponse(address(""), status_code=303)
    start_session(response, workspace)
    return response


@pages.post("/sign-out")
def sign_out(request: Request, workspace: LocalWorkspace = Depends(form_workspace)) -> Response:
    """End the session of this browser."""
    response = RedirectResponse(address(""), status_code=303)
    end_session(response, workspace, session_of(request.scope, workspace) or "")
    return response


@pages.get("")
@pages.get("/")
def home(request: Request, workspace: LocalWorkspace = Depends(viewed_workspace)) -> Response:
    """The workspace at a glance."""
    with workspace.database.read() as session:
        return page(
            "home.html",
            settings=workspace.settings,
            origin=workspace.origin,
            folder=workspace.paths.root,
            counts=listings.counts(session),
            statuses=run_history.count_by_status(session),
            newest=newest_runs(session, _NEWEST),
            **layout(request, workspace),
        )


@pages.get("/datasets")
def datasets(
    request: Request,
    after: str | None = None,
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """The registered datasets."""
    with workspace.database.read() as session:
        found = listings.datasets(session, after)
    return page("datasets.html", datasets=found, **layout(request, workspace))


@pages.get("/datasets/{name}")
def dataset(
    name: str,
    request: Request,
    version: str | None = None,
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """A dataset and its versions."""
    with workspace.database.read() as session:
        found = listings.dataset(session, name, version)
    return page("dataset.html", found=found, **layout(request, workspace))


@pages.get("/datastores")
def datastores(
    request: Request,
    after: str | None = None,
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """The datastores."""
    with workspace.database.read() as session:
        found = listings.datastores(session, workspace, after)
    return page("datastores.html", datastores=found, **layout(request, workspace))


@pages.get("/compute")
def compute(request: Request, workspace: LocalWorkspace = Depends(viewed_workspace)) -> Response:
    """The compute targets and their nodes."""
    with workspace.database.read() as session:
        found = listings.computes(session)
    return page("compute.html", computes=found, **layout(request, workspace))


@pages.get("/environments")
def environments(
    request: Request,
    after: str | None = None,
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """The environments."""
    with workspace.database.read() as session:
        found = listings.environment_list(session, after)
    return page("environments.html", environments=found, **layout(request, workspace))


@pages.get("/environments/{name}")
def environment(
    name: str,
    request: Request,
    version: str | None = Query(None),
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """An environment and its packages."""
    with workspace.database.read() as session:
        found = listings.environment(session, name, version)
    return page("environment.html", found=found, **layout(request, workspace))


@pages.get("/{path:path}")
def no_such_page(path: str, _workspace: LocalWorkspace = Depends(viewed_workspace)) -> Response:
    """Every other address."""
    raise NotFound(f"There is no page '{path}' in this workspace.")


router = APIRouter()
router.include_router(run_routes.router)
router.include_router(model_routes.router)
router.include_router(pages)

SERVICE = Service(
    name="studio",
    title="Studio",
    router=router,
    # "" is the address of the server itself, which leads a browser to the pages.
    prefixes=("", "studio"),
    # `get_portal_url()` of a workspace, an experiment or a run puts its path behind this.
    discovery={"studio": "/studio"},
)
