"""Builds the ASGI application: the services' routes, errors, authentication, dispatch."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response

from local_workspace.connection import MAX_HEAD
from local_workspace.dot_segments import without_dots
from local_workspace.errors import (
    BadRequest,
    HeadTooLarge,
    NotImplementedHere,
    ServiceError,
    StorageFull,
)
from local_workspace.fields import cut
from local_workspace.identity.authentication import (
    ASGIApp,
    Authentication,
    Receive,
    Scope,
    Send,
    refusal,
)
from local_workspace.path_case import AnyCase
from local_workspace.protocol import ApiVersions, RequestIds
from local_workspace.service import Service, first_segment, owners
from local_workspace.workspace import LocalWorkspace

log = logging.getLogger(__name__)

# A request to a service, whether there is one of that name or not: /modelregistry/v1.0/...
_SERVICE_PATH = re.compile(r"/[a-z_-]+/v\d+\.\d+/", re.IGNORECASE)

# Holds for as long as the server answers; see `startup.running`.
Running = Callable[[], AbstractContextManager[Any]]

# The tracking URI of a workspace, opened in a browser.
_MLFLOW_HOME = re.compile(r"/mlflow/v\d\.\d/subscriptions/[^/]+/[^#]+/workspaces/[^/]+/", re.I)


def create_api(
    workspace: LocalWorkspace, services: tuple[Service, ...], running: Running = nullcontext
) -> FastAPI:
    """The routes of `services`, without authentication; `running` is entered at the start.

    Raises ValueError when two services own the same prefix of paths.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with running():
            yield

    api = FastAPI(title="Local workspace", openapi_url=None, lifespan=lifespan)
    api.state.workspace = workspace
    api.state.services = services
    api.state.owners = owners(services)
    for service in services:
        if service.router is not None:
            api.include_router(service.router, tags=[service.name])
    api.add_exception_handler(ServiceError, _service_error)
    api.add_exception_handler(RequestValidationError, _validation_error)
    api.add_exception_handler(HTTPException, _no_such_route)
    api.add_exception_handler(OperationalError, _database_error)
    # Within FastAPI's own last handler, which would answer and then raise the error all the same.
    api.add_middleware(LastResort)
    return api


class Application:
    """The whole server: routes need a token, services with an application decide for themselves."""

    def __init__(
        self,
        workspace: LocalWorkspace,
        services: tuple[Service, ...],
        running: Running = nullcontext,
    ) -> None:
        self.workspace = workspace
        api = create_api(workspace, services, running)
        paths = [route.path for route in iter_route_contexts(api.routes)]
        self._api: ASGIApp = Authentication(AnyCase(ApiVersions(api), paths), workspace.tokens)
        self._answer = RequestIds(LastResort(self._dispatch))
        self._by_prefix: dict[str, ASGIApp] = {}
        # Whom everything else is for.
        self._rest = self._api
        for service in services:
            answers = service.application(workspace) if service.application else self._api
            self._by_prefix.update(dict.fromkeys(service.prefixes, answers))
            if service.application and not service.prefixes:
                self._rest = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whatever happens."""
        await self._answer(scope, receive, send)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the request to where it belongs."""
        if scope["type"] != "http":
            await self._api(scope, receive, send)
            return
        if _head_bytes(scope) > MAX_HEAD:
            await refusal(HeadTooLarge(MAX_HEAD))(scope, receive, send)
            return
        try:
            scope["path"] = without_dots(scope["path"])
        except ValueError as error:
            await refusal(BadRequest(f"The address cannot be meant: {error}."))(
                scope, receive, send
            )
            return
        answers = self._for(scope)
        page = _page_for(scope["path"]) if scope["method"] == "GET" else None
        if page is not None and answers is self._api:
            await RedirectResponse(page, 302)(scope, receive, send)
            return
        await answers(scope, receive, send)

    def _for(self, scope: Scope) -> ASGIApp:
        """Who answers: how a request is signed says more than the first segment of its path.

        A container may be called `data` or `content`, as services are.
        """
        headers = dict(scope["headers"])
        kind = headers.get(b"authorization", b"").partition(b" ")[0].lower()
        is_signed = kind.startswith(b"sharedkey") or any(
            item[:4].lower() == b"sig=" for item in scope["query_string"].split(b"&")
        )
        if is_signed:
            return self._rest
        first = first_segment(scope["path"])
        if _SERVICE_PATH.match(scope["path"]):
            return self._by_prefix.get(first, self._api)
        if b"x-ms-version" in headers:
            # A storage client says which version it speaks, also when it does not sign.
            return self._rest
        # Whoever comes with a token means a service, be it one that is not there.
        return self._by_prefix.get(first, self._api if kind == b"bearer" else self._rest)


class LastResort:
    """ASGI middleware: an error that nobody expected becomes an answer, and one entry of the log.

    The connection stays: a client that sends its next request on it finds it open.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            # Nobody is there to read an answer.
            return
        except Exception as error:
            if has_begun:
                # The server logs it and closes the connection: what was sent is not all.
                raise
            log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
            await refusal(_defect(scope, error))(scope, receive, send)


def _defect(scope: Scope, error: Exception) -> ServiceError:
    # Not 500: the SDK would repeat the request for fifteen seconds before showing anything.
    return ServiceError(
        f"The local workspace failed at {scope['method']} {cut(scope['path'], 500)} "
        f"({type(error).__name__}). `python -m local_workspace logs` shows where.",
        code="InternalErrorOfLocalWorkspace",
        inner_code="InternalError",
    )


def _head_bytes(scope: Scope) -> int:
    address = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    return address + sum(len(name) + len(value) for name, value in scope["headers"])


def _page_for(path: str) -> str | None:
    """Where a person is led who opens an address of the server that is no page."""
    if path == "/":
        return "/studio/"
    # MLflow prints this address with the run behind a '#', which a browser keeps.
    if path == "/studio/mlflow" or _MLFLOW_HOME.fullmatch(path):
        return "/studio/mlflow/"
    return None


Handler = Callable[[Request, Exception], Response]


def _service_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return refusal(error)


def _validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors()
    )
    return refusal(BadRequest(f"The request has wrong parameters: {problems}."))


def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    name = _name_with_slash(request)
    if name is not None:
        return refusal(
            BadRequest(
                f"The name '{name}' is invalid: names in a workspace have no slash. Letters and "
                "digits are right everywhere."
            )
        )
    owner = request.app.state.owners.get(first_segment(request.url.path))
    if owner is None and _SERVICE_PATH.match(request.url.path):
        more = f"It has no service '{first_segment(request.url.path)}'; Azure ML may:"
    elif owner is None or owner.is_here:
        more = "Azure ML may:"
    else:
        more = "; ".join(f"{what} ({calls})" for what, calls in owner.not_yet) + ": not here yet."
    return refusal(
        NotImplementedHere(
            f"The local workspace does not answer {request.method} "
            f"{cut(request.url.path, 500)}. {more} "
            "docs/support_matrix.md lists what works here.",
            status=error.status_code if 400 <= error.status_code < 500 else 404,
        )
    )


def _name_with_slash(request: Request) -> str | None:
    """The part of the address that a client wrote as one and that has a slash inside."""
    for part in request.scope["raw_path"].decode("ascii", "replace").split("/"):
        if "%2f" in part.lower():
            # A name may stand behind the name of its parameter.
            return unquote(part).removeprefix("name=")
    return None


def _database_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OperationalError)
    if "full" in str(error.orig):
        return refusal(
            StorageFull(
                "The disk of the local workspace is full: nothing of this request was kept. Free "
                "some space and repeat it."
            )
        )
    raise error
