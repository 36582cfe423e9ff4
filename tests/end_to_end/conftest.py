"""The lessons, run as a reader runs them, in a copy of the repository with a fresh workspace."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from repository import REPOSITORY

from local_workspace import process
from local_workspace.client_environment import server_environment
from local_workspace.paths import DEFAULT_ROOT, Paths

# What a clone has, and a lesson may use.
_PARTS = ("data", "experiments", "assets", "lesson_runner", "local_workspace")
# Imports the SDK once, then answers one question in each line.
_ANSWERING = """
import json, sys
from dotenv import load_dotenv
load_dotenv(override=True)
from azureml.core import Workspace
for line in sys.stdin:
    names = {"ws": Workspace.from_config()}
    exec(json.loads(line), names)
    print("ANSWER", json.dumps(names["answer"]), flush=True)
"""


class Clone:
    """A copy of the repository, without environment and state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = Paths(folder / DEFAULT_ROOT)
        for path in REPOSITORY.iterdir():
            if path.is_file() and path.name not in ("config.json", ".env"):
                shutil.copy(path, folder)
        for part in _PARTS:
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / part, folder / part, ignore=ignore)
        home = folder / "home"
        home.mkdir()
        # The test session's own workspace must not be the one that is found.
        self.environment = {
            **server_environment(os.environ),
            "HOME": str(home),
            "MPLBACKEND": "Agg",
        }
        self._answering: subprocess.Popen[str] | None = None

    def python(self, *arguments: str, within: Sequence[str] = ()) -> str:
        """What the Python of this environment prints, run `within` another command, if any.

        Raises AssertionError when it fails.
        """
        result = subprocess.run(
            [*within, sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-6000:]
        return result.stdout

    def lessons(self, *numbers: str, within: Sequence[str] = ()) -> str:
        """Run lessons, all of them unless numbers are given, with the steps of run.py."""
        # They may leave another workspace behind than the one that was asked.
        self.close()
        return self.python("-m", "lesson_runner", *numbers, within=within)

    def log(self, number: str) -> str:
        """The output of a lesson."""
        return (self.folder / "outputs" / "logs" / f"{number}.log").read_text(encoding="utf-8")

    def ask(self, code: str) -> object:
        """`answer` after `code`, run in a process of the clone in which `ws` is the workspace.

        Raises AssertionError when it fails.
        """
        if self._answering is None:
            self._answering = subprocess.Popen(
                [sys.executable, "-c", _ANSWERING],
                cwd=self.folder,
                env=self.environment,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        process = self._answering
        process.stdin.write(json.dumps(code) + "\n")
        process.stdin.flush()
        printed = []
        for line in process.stdout:
            if line.startswith("ANSWER "):
                return json.loads(line.removeprefix("ANSWER "))
            printed.append(line)
        self.close()
        raise AssertionError("".join(printed)[-6000:])

    def close(self) -> None:
        """End the process that answers questions, if there is one."""
        if self._answering is not None:
            self._answering.communicate()
            self._answering = None


@pytest.fixture(scope="session")
def clone(tmp_path_factory):
    """A copy in which all lessons have run once."""
    clone = Clone(tmp_path_factory.mktemp("clone"))
    try:
        clone.first_output = clone.lessons()
        yield clone
    finally:
        clone.close()
        process.stop(clone.paths)
