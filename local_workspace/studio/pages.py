"""What all pages share: who sees them, of which workspace they are, what an error looks like."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from local_workspace.errors import Forbidden, NotFound, ServiceError, Unauthorized
from local_workspace.http import raw_body, the_workspace
from local_workspace.identity.sign_in import form_token, is_form_token, session_of
from local_workspace.studio.rendering import page
from local_workspace.workspace import LocalWorkspace


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the route, with its errors as pages."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except ServiceError as error:
                return error_page(request, error)
            except RequestValidationError as error:
                wrong = ", ".join(str(problem["loc"][-1]) for problem in error.errors())
                return error_page(
                    request, ServiceError(f"The address has a wrong value for: {wrong}.")
                )

        return handle


class NotSignedIn(Unauthorized):
    """401: the browser has no session."""


def error_page(request: Request, error: ServiceError) -> Response:
    """`error` as a page that says what to do."""
    workspace = the_workspace(request)
    if isinstance(error, NotSignedIn):
        response = page(
            "sign_in.html",
            status=error.status,
            message=error.message,
            **layout(request, workspace),
        )
        # Browsers show the page; every 401 has to name a scheme.
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    return page(
        "error.html",
        status=error.status,
        heading="Not found" if error.status == 404 else "This did not work",
        message=error.message,
        **layout(request, workspace),
    )


def layout(request: Request, workspace: LocalWorkspace) -> dict[str, Any]:
    """What the frame of every page needs."""
    session = session_of(request.scope, workspace)
    return {
        "workspace_name": workspace.settings.workspace_name,
        "signed_in": session is not None,
        "form_token": form_token(session, workspace) if session is not None else "",
        "section": request.url.path.removeprefix("/studio").strip("/").split("/")[0],
    }


def viewed_workspace(request: Request) -> LocalWorkspace:
    """The workspace, for a browser that has signed in.

    Raises NotSignedIn, and NotFound when the address is meant for another workspace: `wsid` is
    what the SDK's `get_portal_url()` adds to it.
    """
    workspace = the_workspace(request)
    if session_of(request.scope, workspace) is None:
        raise NotSignedIn("This page is for the owner of the workspace.")
    settings = workspace.settings
    own = (
        f"/subscriptions/{settings.subscription_id}/resourcegroups/{settings.resource_group}"
        f"/workspaces/{settings.workspace_name}"
    )
    wanted = request.query_params.get("wsid")
    if wanted and wanted.lower().rstrip("/") != own.lower():
        raise NotFound(
            f"The address is one of another workspace ({wanted}). This one is "
            f"'{settings.workspace_name}' in the resource group '{settings.resource_group}'."
        )
    return workspace


def posted_form(body: bytes) -> dict[str, str]:
    """The fields of a posted form, each once."""
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}


def form_workspace(
    request: Request,
    workspace: LocalWorkspace = Depends(viewed_workspace),
    body: bytes = Depends(raw_body),
) -> LocalWorkspace:
    """The workspace, for a form that one of its own pages posts. Raises NotSignedIn, Forbidden."""
    session = session_of(request.scope, workspace)
    token = posted_form(body).get("form_token", "")
    if session is None or not is_form_token(session, token, workspace):
        raise Forbidden("The form is not one of this session. Load its page again and repeat it.")
    return workspace
