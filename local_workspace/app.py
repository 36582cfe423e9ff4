"""Builds the ASGI application: one router a service, errors, authentication, blobs."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from local_workspace.errors import (
    BadRequest,
    NotImplementedHere,
    ServiceError,
    StorageFull,
)
from local_workspace.identity.authentication import (
    ASGIApp,
    Authentication,
    Receive,
    Scope,
    Send,
    refusal,
)
from local_workspace.services.blob import BlobService
from local_workspace.workspace import LocalWorkspace

log = logging.getLogger(__name__)

# Each has a `router`. The order is that of the support matrix.
SERVICES = (
    "services.cloud.routes",
    "services.arm",
    "services.datastore.routes",
    "services.dataset.routes",
    "services.compute.routes",
    "services.environment.routes",
    "services.run_history.routes",
    "services.metric.routes",
    "services.artifact.routes",
    "services.content.routes",
    "services.execution.routes",
    "services.model_management.routes",
    "services.mlflow.routes",
    # Last: it answers every other address below /studio/.
    "studio.routes",
)

# The tracking URI of a workspace, opened in a browser.
_MLFLOW_HOME = re.compile(r"/mlflow/v\d\.\d/subscriptions/[^/]+/[^#]+/workspaces/[^/]+/", re.I)

# First path segments that belong to services; every other one is a blob container.
SERVICE_PREFIXES = frozenset(
    {
        "",
        "adfs",
        "artifact",
        "content",
        "data",
        "datadriftmanager",
        "dataset",
        "datastore",
        "discovery",
        "environment",
        "execution",
        "health",
        "history",
        "hyperdrive",
        "jasmine",
        "metadata",
        "metric",
        "mlflow",
        "modelmanagement",
        "msi",
        "pipelines",
        "providers",
        "rp",
        "studio",
        "studioservice",
        "subscriptions",
        "tenants",
    }
)


def create_api(workspace: LocalWorkspace) -> FastAPI:
    """The routes of all services, without authentication and blobs."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        workspace.start()
        yield
        workspace.close()

    api = FastAPI(title="Local workspace", openapi_url=None, lifespan=lifespan)
    api.state.workspace = workspace
    for name in SERVICES:
        api.include_router(importlib.import_module(f"local_workspace.{name}").router)
    api.add_exception_handler(ServiceError, _service_error)
    api.add_exception_handler(RequestValidationError, _validation_error)
    api.add_exception_handler(HTTPException, _no_such_route)
    api.add_exception_handler(OperationalError, _database_error)
    api.add_exception_handler(Exception, _defect)
    return api


class Application:
    """The whole server: blobs have their own authentication, everything else needs a token."""

    def __init__(self, workspace: LocalWorkspace) -> None:
        self._api: ASGIApp = Authentication(create_api(workspace), workspace.tokens)
        self._blobs: ASGIApp = BlobService(workspace.blobs, workspace.storage_accounts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the request to where its first path segment belongs."""
        if scope["type"] == "http":
            first = scope["path"].split("/", 2)[1] if scope["path"].startswith("/") else ""
            # A request for the account itself (list containers) has no path, but a version.
            is_storage = first not in SERVICE_PREFIXES or (
                first == "" and any(name == b"x-ms-version" for name, _ in scope["headers"])
            )
            if is_storage:
                await self._blobs(scope, receive, send)
                return
            page = _page_for(scope["path"]) if scope["method"] == "GET" else None
            if page is not None:
                await RedirectResponse(page, 302)(scope, receive, send)
                return
        await self._api(scope, receive, send)


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
    return refusal(
        NotImplementedHere(
            f"The local workspace does not answer {request.method} {request.url.path}. Azure ML "
            "may: docs/support_matrix.md lists what works here.",
            status=error.status_code if 400 <= error.status_code < 500 else 404,
        )
    )


def _database_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OperationalError)
    if "full" in str(error.orig):
        return refusal(
            StorageFull(
                "The disk of the local workspace is full: nothing of this request was kept. Free "
                "some space and repeat it."
            )
        )
    return _defect(request, error)


def _defect(request: Request, error: Exception) -> Response:
    # Not 500: the SDK would repeat the request for fifteen seconds before showing anything.
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return refusal(
        ServiceError(
            f"The local workspace failed at {request.method} {request.url.path} "
            f"({type(error).__name__}). `python -m local_workspace logs` shows where.",
            code="InternalErrorOfLocalWorkspace",
            inner_code="InternalError",
        )
    )
