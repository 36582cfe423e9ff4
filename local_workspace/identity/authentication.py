"""The door: decides for every request whether, and as whom, it comes in.

Plain ASGI, because Starlette's BaseHTTPMiddleware would cost each request a task of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse, Response

from local_workspace.errors import Forbidden, ServiceError, Unauthorized, error_body
from local_workspace.identity.tokens import Principal, TokenIssuer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

# These have no token: the first two say where things are, the third refuses every sign-in, and
# the others check something else (the managed identity's secret, the ticket of a discovery URL,
# the sign-in of the web pages).
OPEN_PATHS = frozenset({"/studio"})
OPEN_PREFIXES = ("/health", "/metadata/", "/adfs/", "/msi/", "/discovery/", "/studio/")


class Authentication:
    """ASGI middleware: 401 without a valid token, else the principal in `scope["principal"]`."""

    def __init__(self, app: ASGIApp, tokens: TokenIssuer) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it with 401 or 403."""
        if scope["type"] == "http":
            scope["principal"] = None
            path = scope["path"]
            if path not in OPEN_PATHS and not path.startswith(OPEN_PREFIXES):
                try:
                    scope["principal"] = self._authenticate(scope)
                except ServiceError as error:
                    await refusal(error)(scope, receive, send)
                    return
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    def _authenticate(self, scope: Scope) -> Principal:
        header = next((v for k, v in scope["headers"] if k == b"authorization"), None)
        if header is None:
            raise Unauthorized(
                "The request has no Authorization header with a bearer token.",
                code="AuthenticationFailed",
            )
        kind, _, token = header.decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise Unauthorized("The Authorization header must be `Bearer` and an access token.")
        principal = self._tokens.verify(token.strip())
        if principal.role == "Reader" and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            raise Forbidden(
                f"The role Reader of '{principal.name}' does not allow {scope['method']} "
                f"on '{scope['path']}'."
            )
        return principal


def refusal(error: ServiceError) -> Response:
    """The response that carries `error`."""
    headers = {"x-ms-error-code": error.code}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(error_body(error), status_code=error.status, headers=headers)
