"""What Azure's guidelines ask of every answer, whichever service gives it.

Each has an id of its own in `x-ms-request-id`; a client that names its request with
`x-ms-client-request-id` gets the name back when it asks for that; the resource manager refuses a
request without `api-version`. Codes of errors are in `x-ms-error-code` (`identity.authentication`).
"""

from __future__ import annotations

import uuid
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from local_workspace.errors import BadRequest
from local_workspace.identity.authentication import ASGIApp, Receive, Scope, Send, refusal
from local_workspace.service import first_segment

# The first segments of what the resource manager answers.
_RESOURCE_MANAGER = frozenset({"providers", "subscriptions", "tenants"})
_REQUEST_ID = b"x-ms-request-id"
_CLIENT_REQUEST_ID = b"x-ms-client-request-id"


class RequestIds:
    """ASGI middleware: answers that name no request of their own get an id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, and complete the headers of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"])
        more = {_REQUEST_ID: str(uuid.uuid4()).encode()}
        if given.get(b"x-ms-return-client-request-id", b"").lower() == b"true":
            more[_CLIENT_REQUEST_ID] = given.get(_CLIENT_REQUEST_ID, b"")

        async def complete(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers}
                headers += [
                    (name, value) for name, value in more.items() if value and name not in present
                ]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, complete)


class ApiVersions:
    """ASGI middleware: the resource manager is asked in some version of its API, any of them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or refuse it."""
        if scope["type"] == "http" and first_segment(scope["path"]) in _RESOURCE_MANAGER:
            query = parse_qsl(scope["query_string"].decode("latin-1"))
            if not any(name.lower() == "api-version" and value for name, value in query):
                error = BadRequest(
                    "The api-version query parameter (?api-version=) is required for all "
                    "requests to the resource manager.",
                    code="MissingApiVersionParameter",
                )
                await refusal(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)
