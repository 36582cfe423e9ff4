"""Workspaces for measuring: each in a temporary folder, started and stopped here."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def user_environment(server: LocalWorkspaceServer) -> dict[str, str]:
    """The variables of a user's program."""
    return {**os.environ, **server.env, "PYTHONPATH": "", "PATH": _path()}


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
