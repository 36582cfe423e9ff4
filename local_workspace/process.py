"""The server as a process: one per root, found again, started and stopped.

The server holds a lock on a file below the root as long as it lives. The lock falls with the
process, however it ends, so a file with a stale process id can mislead nobody.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_workspace.client_environment import server_environment
from local_workspace.identity.certificates import Certificates
from local_workspace.paths import Paths
from local_workspace.root_folder import RootError, prepare_root
from local_workspace.whole_files import write_whole

START_SECONDS = 60.0
STOP_SECONDS = 30.0
# Not 3, which uvicorn ends with when a start fails.
ALREADY_RUNNING = 4
_PROBE_SECONDS = 1.0


class ProcessError(Exception):
    """The server could not be started or stopped; the message says why and what to do."""


@dataclass(frozen=True)
class ServerState:
    """What a running server says of itself."""

    pid: int
    port: int
    workspace_id: str


class ServerLock:
    """The lock that a server holds on its root."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._file: Any = None

    def acquire(self) -> bool:
        """Take the lock; False when another server has it."""
        file = open(self._paths.server_lock, "a")  # noqa: SIM115  (open for the life of the server)
        # Whoever asks whether a server runs holds it for an instant.
        deadline = time.monotonic() + _PROBE_SECONDS
        while not _locked(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                file.close()
                return False
            time.sleep(0.01)
        # What lies here is of a server that is dead. Until the new one has written its own,
        # nobody must take the number of that process for one to stop.
        self._paths.server_state.unlink(missing_ok=True)
        self._file = file
        return True

    def release(self) -> None:
        """Let go."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _locked(file: Any, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_running(paths: Paths) -> bool:
    """Whether some process serves this root.

    Raises ProcessError when the root cannot be looked into.
    """
    try:
        # Only read, and with a lock that other readers share: the root may be read-only.
        with open(paths.server_lock, "rb") as file:
            return not _locked(file, fcntl.LOCK_SH)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ProcessError(
            f"Whether a local workspace runs in {paths.root} cannot be told ({error.strerror}: "
            f"{error.filename}). Choose another folder with --root, or change its permissions."
        ) from error


def read_state(paths: Paths) -> ServerState | None:
    """What the running server wrote of itself; None when none runs or it is still starting."""
    if not is_running(paths):
        return None
    try:
        return ServerState(**json.loads(paths.server_state.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_state(paths: Paths, state: ServerState) -> None:
    """Say where this server listens; complete or not at all."""
    write_whole(paths.server_state, json.dumps(state.__dict__))


def health(paths: Paths, port: int, timeout: float = 2.0) -> dict[str, Any] | None:
    """The server's own report of its health; None when it does not answer (yet)."""
    try:
        context = ssl.create_default_context(cafile=str(Certificates(paths.certificates).authority))
        connection = http.client.HTTPSConnection(
            "localhost", port, timeout=timeout, context=context
        )
        try:
            connection.request("GET", "/health")
            response = connection.getresponse()
            return json.loads(response.read()) if response.status == 200 else None
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException):
        return None


def start(paths: Paths, port: int | None) -> tuple[ServerState, bool]:
    """Have a healthy server on `paths`; returns its state and whether it was started just now.

    Raises ProcessError when it cannot be had.
    """
    try:
        prepare_root(paths)
    except RootError as error:
        raise ProcessError(str(error)) from error
    if is_running(paths):
        state = _wait_until_healthy(paths, None)
        if port not in (None, 0, state.port):
            raise ProcessError(
                f"The local workspace in {paths.root} runs already, on port {state.port}. Stop it "
                f"first (`{paths.command('stop')}`) to move it to another port."
            )
        return state, False
    command = [sys.executable, "-m", "local_workspace", "start", "--foreground"]
    command += ["--root", str(paths.root)]
    if port is not None:
        command += ["--port", str(port)]
    environment = server_environment(os.environ)
    # The package is run from where it lies; the caller may stand elsewhere.
    package_parent = str(Path(__file__).resolve().parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join(
        part for part in (package_parent, environment.get("PYTHONPATH", "")) if part
    )
    with open(paths.server_log, "ab") as log:
        log_start = log.tell()
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    try:
        return _wait_until_healthy(paths, child), True
    except ProcessError as error:
        said = paths.server_log.read_bytes()[log_start:].decode("utf-8", "replace")
        raise ProcessError(_reason(said, paths) or str(error)) from error


def _reason(said: str, paths: Paths) -> str:
    """The last line of what a server said that did not start."""
    # The last lines of uvicorn and SQLAlchemy say nothing of the reason.
    lines = [
        line
        for line in said.splitlines()
        if line and not line.endswith("Exiting.") and not line.startswith("(Background on this")
    ]
    if not lines:
        return ""
    if "Traceback (most recent call last)" not in said:
        return lines[-1]
    return f"The local workspace did not start: {lines[-1]} ({paths.server_log} tells more.)"


def _wait_until_healthy(paths: Paths, child: subprocess.Popen[bytes] | None) -> ServerState:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child is not None and child.poll() not in (None, ALREADY_RUNNING):
            raise ProcessError(
                f"The server ended at once, with exit code {child.returncode}. "
                f"{paths.server_log} says why."
            )
        state = read_state(paths)
        if state is not None:
            report = health(paths, state.port)
            if report is not None and report["pid"] == state.pid:
                return state
        time.sleep(0.03)
    raise ProcessError(
        f"The server did not become healthy within {START_SECONDS:.0f} s. {paths.server_log} may "
        f"say why; `{paths.command('stop')}` ends it."
    )


def stop(paths: Paths) -> bool:
    """End the server of this root, kindly first; False when none runs.

    Raises ProcessError when it does not end.
    """
    deadline = time.monotonic() + STOP_SECONDS
    asked = False
    while is_running(paths):
        state = read_state(paths)
        if state is not None and not asked:
            _signal(state.pid, signal.SIGTERM)
            asked = True
        if time.monotonic() > deadline:
            if state is None:
                raise ProcessError(
                    f"A process holds {paths.server_lock} and does not say which it is. End it by "
                    "hand and try again."
                )
            _signal(state.pid, signal.SIGKILL)
            deadline = time.monotonic() + STOP_SECONDS
        time.sleep(0.03)
    return asked


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
