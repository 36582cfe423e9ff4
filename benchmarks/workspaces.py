"""Workspaces for measuring: each in a temporary folder, started and stopped here."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

from local_workspace import process
from local_workspace.pytest_plugin import LocalWorkspaceServer


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fresh_workspace() -> Iterator[LocalWorkspaceServer]:
    """A running, empty workspace; the variables of this process lead to it."""
    with scratch() as folder:
        server = LocalWorkspaceServer(folder / "root")
        server.start(0)
        os.environ.update(server.env)
        try:
            yield server
        finally:
            server.stop()


def server_pid(server: LocalWorkspaceServer) -> int:
    """The process of a running workspace."""
    state = process.read_state(server.paths)
    if state is None:
        raise RuntimeError("the local workspace is not running")
    return state.pid


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def service(command: list[str], environment: dict[str, str], address: str) -> Iterator[None]:
    """A program that serves `address`: there from its first answer on, with all it starts.

    Raises RuntimeError when it ends or does not answer within 120 s.
    """
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command[:4])} does not answer on {address}")
            time.sleep(0.2)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(address: str) -> bool:
    try:
        requests.get(address, timeout=5)
    except requests.RequestException:
        return False
    return True
