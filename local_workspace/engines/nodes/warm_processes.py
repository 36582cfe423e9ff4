"""Warm processes: jobs start from a process of their environment that has imported the SDK.

`WarmProcesses` keeps them, in the server; `start_from_warm` asks one for a process, in a node. They
themselves are `job_side/fork_server.py`. Imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_workspace.variables import READ_AT_IMPORT

_log = logging.getLogger(__name__)

# Not on macOS, whose libraries do not all survive a fork.
IS_OFFERED = sys.platform == "linux"
# Each takes some 300 MB, most of which it shares with the jobs that come from it.
MAX_PROCESSES = 2
# How long one is kept at least after a job asked for it: runs that take turns in more environments
# than that would do nothing but import.
STAY_SECONDS = 60.0
# Without work for so long, one ends.
IDLE_SECONDS = 600.0
# What a process of an environment without the SDK ends with: there is nothing to import.
NO_SDK = 3
_ANSWER_SECONDS = 10
_STOP = b"."
_PROGRAM = Path(__file__).parent.parent.parent / "job_side" / "fork_server.py"


class WarmProcesses:
    """The warm processes of a server; safe to call from several threads.

    `stay_seconds`: how long one is kept after its last request when another one is asked for.
    """

    def __init__(self, stay_seconds: float = STAY_SECONDS) -> None:
        self._stay_seconds = stay_seconds
        self._lock = threading.Lock()
        self._folder: str | None = None
        self._processes: dict[str, tuple[subprocess.Popen[bytes], int]] = {}
        self._used: dict[str, float] = {}
        # One would only end again.
        self._without_sdk: set[str] = set()

    def ensure(self, python: str, environment: Mapping[str, str]) -> str | None:
        """The address at which jobs of this Python and environment are (or soon will be) started.

        None where there are none: on macOS, and for environments that are known to lack the SDK.
        Returns at once; the imports take seconds.
        """
        if not IS_OFFERED:
            return None
        shared = {name: value for name, value in environment.items() if READ_AT_IMPORT.match(name)}
        key = json.dumps([python, sorted(shared.items())])
        with self._lock:
            address = f"{self._folder_in_place()}/{hashlib.sha256(key.encode()).hexdigest()[:24]}"
            self._forget_ended()
            if address in self._without_sdk:
                return None
            self._used[address] = time.monotonic()
            if address not in self._processes and self._make_room():
                self._start(address, python, {**shared, "PATH": environment.get("PATH", "")})
        return address

    def _folder_in_place(self) -> str:
        """The folder of the addresses."""
        if self._folder is None or not os.path.isdir(self._folder):
            # Nobody can reach those of a folder that somebody has tidied away.
            for address in list(self._processes):
                self._end(address)
            self._folder = tempfile.mkdtemp(prefix="azureml-warm-")
        return self._folder

    def _make_room(self) -> bool:
        """End the process that has been without work longest if there are too many."""
        if len(self._processes) < MAX_PROCESSES:
            return True
        oldest = min(self._processes, key=lambda one: self._used[one])
        if time.monotonic() - self._used[oldest] < self._stay_seconds:
            return False
        self._end(oldest)
        return True

    def _start(self, address: str, python: str, environment: dict[str, str]) -> None:
        read_end, write_end = os.pipe()
        try:
            process = subprocess.Popen(
                [python, "-u", str(_PROGRAM), address, str(read_end), str(IDLE_SECONDS)],
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(read_end,),
                start_new_session=True,
            )
        except OSError as error:
            # The job itself will tell that its Python cannot be started.
            _log.warning("No warm process of %s: %s", python, error)
            os.close(write_end)
        else:
            self._processes[address] = process, write_end
        finally:
            os.close(read_end)

    def _forget_ended(self) -> None:
        for address, (process, _) in list(self._processes.items()):
            code = process.poll()
            if code == NO_SDK:
                self._without_sdk.add(address)
            if code is not None:
                self._end(address)

    def _end(self, address: str) -> None:
        _, write_end = self._processes.pop(address)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address)
        with contextlib.suppress(BrokenPipeError):
            # Unlike the mere end of the pipe this says that the server lives, and needs the folder.
            os.write(write_end, _STOP)
        os.close(write_end)

    def close(self) -> None:
        """End all of them; jobs that came from them are ended by their nodes."""
        with self._lock:
            for address in list(self._processes):
                self._end(address)
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None


class WarmStarted:
    """A process that a warm one made: what `subprocess.Popen` offers, as far as a node needs it."""

    def __init__(self, connection: socket.socket, pid: int, received: bytes) -> None:
        self._connection = connection
        self._received = received
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code (negative for a signal), or None while it runs."""
        self._listen(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, when it has ended. Raises subprocess.TimeoutExpired."""
        limit = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if limit is None else limit - time.monotonic()
            if left is not None and left < 0:
                raise subprocess.TimeoutExpired("a warm-started process", timeout or 0)
            self._listen(left)
        return self.returncode

    def _listen(self, seconds: float | None) -> None:
        if self.returncode is not None:
            return
        if b"\n" not in self._received:
            if not select.select([self._connection], [], [], seconds)[0]:
                return
            data = _received(self._connection)
            if data:
                self._received += data
                return self._listen(0)
            # Its parent is gone, and with it the exit code.
            self.returncode = -signal.SIGKILL
        else:
            self.returncode = json.loads(self._received)["exit"]
        self._connection.close()


def start_from_warm(
    specification: Mapping[str, Any], path: Path, log: int, liveness: int
) -> WarmStarted | None:
    """Start the process of a specification (at `path`) from a warm one; None if that cannot be.

    `log` and `liveness` are descriptors, which stay the caller's.
    """
    address = specification.get("warm")
    if not address or specification["command"]:
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(address)
        request = {
            "specification": str(path),
            "folder": specification["folder"],
            "script": specification["script"],
        }
        socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], [log, liveness])
        received = b""
        while b"\n" not in received:
            data = _received(connection)
            if not data:
                break
            received += data
        answer, _, rest = received.partition(b"\n")
        pid = json.loads(answer).get("pid") if answer else None
    except OSError:
        # There is none, or not yet, or it ended just now.
        pid = None
    if pid is None:
        connection.close()
        return None
    connection.settimeout(None)
    return WarmStarted(connection, pid, rest)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(4096)
    except ConnectionError:
        return b""
