"""A pytest plug-in: a fresh local workspace for the tests of SDK v1 code.

Load it with `-p local_workspace.pytest_plugin`, or with
`pytest_plugins = ["local_workspace.pytest_plugin"]` in the `conftest.py` at the root of the tests.
The workspace starts before the first test module is imported, because the SDK reads its cloud
settings when it is imported, and ends with the session; each pytest-xdist worker has its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local_workspace import process
from local_workspace.client_environment import client_environment
from local_workspace.paths import Paths
from local_workspace.settings import Settings

if TYPE_CHECKING:
    from azureml.core import Workspace


class LocalWorkspaceServer:
    """A local workspace of its own, in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self._workspace: Workspace | None = None

    @property
    def root(self) -> Path:
        """The folder with all state of the workspace."""
        return self.paths.root

    @property
    def settings(self) -> Settings:
        """Names, ids and secrets of the workspace."""
        return Settings.load(self.paths.settings)

    @property
    def origin(self) -> str:
        """`https://localhost:PORT`."""
        return f"https://localhost:{self.settings.port}"

    @property
    def env(self) -> dict[str, str]:
        """The environment variables that lead a program to this workspace."""
        return client_environment(self.paths, self.settings, os.environ)

    @property
    def config(self) -> dict[str, str]:
        """The content of config.json."""
        settings = self.settings
        return {
            "subscription_id": settings.subscription_id,
            "resource_group": settings.resource_group,
            "workspace_name": settings.workspace_name,
        }

    @property
    def workspace(self) -> Workspace:
        """The SDK's own `Workspace` object on this workspace, made once."""
        if self._workspace is None:
            from azureml.core import Workspace

            self._workspace = Workspace(**self.config)
        return self._workspace

    def start(self, port: int | None = None) -> None:
        """Start the server, on the port of last time unless another one is given."""
        process.start(self.paths, port)

    def stop(self) -> None:
        """Stop the server; its state stays."""
        process.stop(self.paths)

    def restart(self) -> None:
        """Stop and start, on the same port."""
        self.stop()
        self.start(self.settings.port)

    def kill(self) -> None:
        """End the server as a crash would (SIGKILL)."""
        state = process.read_state(self.paths)
        assert state is not None, "the local workspace is not running"
        os.kill(state.pid, signal.SIGKILL)
        while process.is_running(self.paths):
            time.sleep(0.01)

    def python(self, *arguments: str, cwd: Path, **options: Any) -> subprocess.CompletedProcess:
        """Run Python as a user of this workspace would: `arguments` after the interpreter."""
        environment = {**os.environ, **self.env}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
            **options,
        )


_SERVER = pytest.StashKey[LocalWorkspaceServer]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start a workspace and point this process to it, before anything imports the SDK."""
    distributes = getattr(config.option, "numprocesses", None) and not hasattr(
        config, "workerinput"
    )
    if distributes or config.option.collectonly or _SERVER in config.stash:
        return
    server = LocalWorkspaceServer(Path(tempfile.mkdtemp(prefix="local-workspace-")))
    server.start(0)
    os.environ.update(server.env)
    config.stash[_SERVER] = server


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the workspace and delete its folder."""
    server = config.stash.get(_SERVER, None)
    if server is not None:
        server.stop()
        shutil.rmtree(server.root, ignore_errors=True)


@pytest.fixture(scope="session")
def local_workspace(request: pytest.FixtureRequest) -> LocalWorkspaceServer:
    """The workspace of this test session."""
    return request.config.stash[_SERVER]
