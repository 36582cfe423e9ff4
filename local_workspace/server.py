"""The server process itself: lock, socket, certificates, then uvicorn until it is told to stop."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys

import uvicorn

from local_workspace import process, startup
from local_workspace.connection import Connection
from local_workspace.identity.certificates import Certificates
from local_workspace.paths import Paths
from local_workspace.process import ProcessError, ServerLock, ServerState
from local_workspace.root_folder import prepare_root
from local_workspace.settings import DEFAULT_PORT, BrokenSettings, Settings
from local_workspace.store.schema import SchemaError
from local_workspace.token_door import TokenDoor

log = logging.getLogger("local_workspace")

# Connections that keep quiet are closed by the client first: a request that meets a closing
# socket would fail for no fault of the user's.
_KEEP_ALIVE_SECONDS = 120


def serve(paths: Paths, port: int | None) -> None:
    """Serve the workspace below `paths` until SIGTERM or SIGINT.

    `port` None means the port of last time, or the default one; 0 means any free one. Raises
    RootError when the root cannot be written; ProcessError when its database is of a newer program
    or cannot be brought up to date, or the port is taken; SystemExit when the root is served
    already.
    """
    # Whatever is made from here on, by this process and by the jobs below it, is the owner's alone.
    os.umask(0o077)
    prepare_root(paths)
    lock = ServerLock(paths)
    if not lock.acquire():
        print(f"A local workspace runs in {paths.root} already.", file=sys.stderr)
        raise SystemExit(process.ALREADY_RUNNING)
    settings = load_or_make_settings(paths)
    listener = _listen(port, settings.port)
    bound_port = listener.getsockname()[1]
    # On a port of the machine's choice, the same as last time if it is free.
    token_listener = _listen(None, settings.token_port, 0)
    token_port = token_listener.getsockname()[1]
    if (bound_port, token_port) != (settings.port, settings.token_port):
        settings.port, settings.token_port = bound_port, token_port
        settings.save(paths.settings)
    certificates = Certificates(paths.certificates)
    certificates.ensure()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        application = startup.build(paths, settings, bound_port)
    except SchemaError as error:
        raise ProcessError(str(error)) from error
    config = uvicorn.Config(
        application,
        ssl_certfile=str(certificates.server),
        lifespan="on",
        # The access log would hold URLs, and with them the signatures of SAS tokens.
        access_log=False,
        log_config=None,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=5,
        server_header=False,
        # Nobody stands in front of this server: who says so in a header makes it up.
        proxy_headers=False,
        ws="none",
        http=Connection,
    )
    process.write_state(
        paths, ServerState(pid=os.getpid(), port=bound_port, workspace_id=settings.workspace_id)
    )
    log.info("Local workspace %s at https://localhost:%d", settings.workspace_id, bound_port)
    with TokenDoor(application, token_listener):
        uvicorn.Server(config).run(sockets=[listener])


def load_or_make_settings(paths: Paths) -> Settings:
    """The settings of the root; a root without any becomes a new workspace.

    Raises ProcessError when there are settings that cannot be read.
    """
    try:
        return Settings.load(paths.settings)
    except FileNotFoundError:
        settings = Settings()
        settings.save(paths.settings)
        return settings
    except BrokenSettings as error:
        raise ProcessError(str(error)) from error


def _listen(wanted: int | None, last: int, usual: int = DEFAULT_PORT) -> socket.socket:
    # Moving to a free port is better than not starting: .env is printed anew on request.
    candidates = [wanted] if wanted is not None else [last or usual, 0]
    for candidate in candidates:
        try:
            return _bound(candidate)
        except OSError as error:
            if candidate == candidates[-1]:
                raise ProcessError(_why_not(candidate, error)) from error
            log.warning(_why_not(candidate, error))
    raise AssertionError("unreachable: the last candidate returns or raises")


def _bound(port: int) -> socket.socket:
    # Named by its protocol, because asyncio turns Nagle's algorithm off only for sockets that say
    # they are TCP; with it every answer would wait 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Without this a restart would wait for old connections; two listeners still exclude another.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


def _why_not(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is in use by another program. Choose another one with --port, or a free "
            "one with --port 0."
        )
    return f"Port {port} cannot be opened ({error.strerror}). Choose another one with --port."
