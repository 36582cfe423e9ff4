"""The managed identity's own address: plain HTTP on loopback, and nothing but tokens.

The SDK asks for a token before nearly every call, each time on a new connection; with TLS that
costs more than the call. Azure's own endpoints of this kind (App Service, virtual machines) are
plain HTTP on an address of the machine itself, too: what comes and goes does not leave it, and only
whoever knows the secret header is given a token.
"""

from __future__ import annotations

import socket
import threading

import uvicorn

from local_workspace.connection import Connection
from local_workspace.errors import BadRequest, NotFound
from local_workspace.identity.authentication import ASGIApp, Receive, Scope, Send, refusal

HOST = "127.0.0.1"
_PATHS = ("/msi/token", "/msi/token/")
_KEEP_ALIVE_SECONDS = 120


class OnlyTokens:
    """ASGI middleware: lets requests for tokens through that were meant for this address.

    A page of a browser can be made to send requests to loopback under a name of its own; its Host
    header tells.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = {f"{HOST}:{port}".encode(), f"localhost:{port}".encode()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or refuse it."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        if [value for name, value in scope["headers"] if name == b"host"] not in [
            [host] for host in self._hosts
        ]:
            error = BadRequest("The Host header does not name the managed identity's address.")
            await refusal(error)(scope, receive, send)
            return
        if scope["path"] not in _PATHS:
            error = NotFound("There are only tokens at this address: GET /msi/token.")
            await refusal(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class TokenDoor:
    """Serves the tokens of an application on a listener of its own, in a thread of its own."""

    def __init__(self, application: ASGIApp, listener: socket.socket) -> None:
        self._listener = listener
        self._server = uvicorn.Server(
            uvicorn.Config(
                OnlyTokens(application, listener.getsockname()[1]),
                # The application has begun before and ends after.
                lifespan="off",
                access_log=False,
                log_config=None,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=1,
                server_header=False,
                proxy_headers=False,
                ws="none",
                http=Connection,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="tokens", daemon=True
        )

    def __enter__(self) -> TokenDoor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
