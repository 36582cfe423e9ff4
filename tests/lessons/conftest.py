"""Lessons run in this process, on a workspace whose methods are the SDK's in name and parameters.

How a test of a lesson looks:

    def test_lesson_02(run_lesson, workspace, sdk):
        targets = sdk.replace("azureml.core.compute.ComputeTarget")
        lesson = run_lesson("02")
        assert targets.create.call_args.kwargs["name"] == "ml-sdk-cc"
        assert "Kinds of compute" in lesson.output

Fixtures:
- `workspace`: what `Workspace.from_config()` gives, a `create_autospec` of the real class.
- `sdk`: puts doubles with the real signatures in the place of what would call a service. What only
  describes something (configurations, environments, conda dependencies) stays as it is.
- `data`: datastores, files and datasets in memory, below `workspace.datasets` and `Dataset`.
- `runs`: experiments and runs in memory; a submitted script is really run.
- `run_lesson(number, edit=None)`: runs a copy of the lesson in an empty folder that has `data/` and
  `experiments/` beside it; `edit` changes its text before. Gives a `LessonRun`.
- `setting(folder)`: a context with all of these as attributes, for a test module that runs a lesson
  once and looks at it in several tests.

While a lesson runs, `load_dotenv` does nothing and Python opens no connection.
"""

import contextlib
import importlib
import inspect
import io
import runpy
import socket
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import dotenv
import matplotlib.pyplot as plt
import pytest
from azureml.core import Workspace
from data_doubles import DataInMemory
from repository import REPOSITORY, find_lesson
from run_doubles import RunsInMemory

SCOPE = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/lessons/providers/"
    "Microsoft.Storage/storageAccounts/lessonsstorage"
)


@dataclass(frozen=True)
class LessonRun:
    """What a lesson printed, and its variables at the end."""

    output: str
    names: dict[str, Any]
    folder: Path

    def rows(self, title):
        """The lines of the table or list below the line that begins with `title`, each in words."""
        lines = iter(self.output.splitlines())
        for line in lines:
            if line.startswith(title):
                break
        else:
            raise AssertionError(f"Nothing printed begins with {title!r}:\n{self.output}")
        found = []
        for line in lines:
            if not line.strip():
                break
            found.append(line.split())
        return found


class Sdk:
    """Puts doubles in the place of parts of the SDK, for the time of one test."""

    def __init__(self, monkeypatch):
        self._monkeypatch = monkeypatch

    def replace(self, target):
        """Replace a class, given as `module.Class` just as a lesson imports it; gives the double.

        Its methods, and those of its instances, take the parameters of the real ones only.
        """
        module, name = target.rsplit(".", 1)
        double = create_autospec(getattr(importlib.import_module(module), name))
        self._monkeypatch.setattr(target, double)
        return double

    def method(self, owner, name, **behaviour):
        """Replace one method of a class that otherwise stays real; gives the double.

        `behaviour` is `return_value=` or `side_effect=`. A double of an ordinary method gets the
        object as its first argument.
        """
        double = create_autospec(getattr(owner, name))
        for key, value in behaviour.items():
            setattr(double, key, value)
        is_static = isinstance(inspect.getattr_static(owner, name), staticmethod)
        self._monkeypatch.setattr(owner, name, staticmethod(double) if is_static else double)
        return double


def make_workspace(sdk):
    """A double of a workspace, which `Workspace.from_config()` gives from now on."""
    double = create_autospec(Workspace, instance=True)
    double.name, double.location = "lessons-workspace", "westeurope"
    double.resource_group, double.subscription_id = "lessons", SCOPE.split("/")[2]
    double.get_details.return_value = {"storageAccount": SCOPE, "location": double.location}
    double.datastores, double.compute_targets = {}, {}
    sdk.method(Workspace, "from_config", return_value=double)
    return double


def make_runner(monkeypatch, folder):
    """A function that runs a lesson in `folder`; see `run_lesson`."""

    def refuse(*arguments, **_):
        raise AssertionError(f"A lesson under test opened a connection: {arguments[-1]}")

    def run(number, edit=None):
        source = find_lesson(number)
        text = source.read_text(encoding="utf-8")
        changed = edit(text) if edit is not None else text
        assert edit is None or changed != text, "the edit must change something"
        lesson = folder / source.name
        lesson.write_text(changed, encoding="utf-8")
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                names = runpy.run_path(str(lesson), run_name="__main__")
        finally:
            plt.close("all")
        return LessonRun(output.getvalue(), names, folder)

    for part in ("data", "experiments"):
        (folder / part).symlink_to(REPOSITORY / part)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "lessonsstorage")
    monkeypatch.setenv("AZURE_STORAGE_KEY", "a2V5")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr(dotenv, "load_dotenv", create_autospec(dotenv.load_dotenv))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return run


@contextlib.contextmanager
def _setting(folder, runs=RunsInMemory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        sdk = Sdk(monkeypatch)
        workspace = make_workspace(sdk)
        yield SimpleNamespace(
            sdk=sdk,
            workspace=workspace,
            data=DataInMemory(workspace, sdk),
            runs=runs(workspace, sdk),
            run_lesson=make_runner(monkeypatch, folder),
        )


@pytest.fixture(scope="session")
def setting():
    return _setting


@pytest.fixture
def sdk(monkeypatch):
    return Sdk(monkeypatch)


@pytest.fixture
def workspace(sdk):
    return make_workspace(sdk)


@pytest.fixture
def data(sdk, workspace):
    return DataInMemory(workspace, sdk)


@pytest.fixture
def runs(sdk, workspace):
    return RunsInMemory(workspace, sdk)


@pytest.fixture
def run_lesson(workspace, tmp_path, monkeypatch):
    """Runs one lesson to its end; an exception in it comes out of here."""
    return make_runner(monkeypatch, tmp_path)
