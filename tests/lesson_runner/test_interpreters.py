"""Finding a Python 3.10 among what a machine may have, with the real uv."""

import io
import platform
import sys
from pathlib import Path

import pytest

from lesson_runner import interpreters
from lesson_runner.installer import Installer, SetupError
from lesson_runner.interpreters import (
    clean_environment,
    describe_wanted,
    is_wanted,
    uv_request,
)

UV = str(Path(sys.executable).parent / "uv")
BASE = Path(sys.base_prefix)


def python(path):
    """A Python 3.10 in a place of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(BASE / "bin/python3.10")
    (path.parent / "python3").symlink_to(path)
    return path


def broken(path):
    """A program that is none, as a shim of pyenv whose version is not switched on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\necho 'pyenv: python3.10: command not found' >&2\nexit 127\n")
    path.chmod(0o755)


class Machine:
    """A machine with its own home folder, on which set-up is run."""

    def __init__(self, folder):
        self.folder = folder
        self.repository = folder / "repository"

    def set_up(self):
        """Make the environment; the folder of the Python that it was made of."""
        made = self.repository / ".venv"
        with open(self.repository / "log", "w") as log:
            Installer(self.repository, log).make_environment(UV, made)
        lines = (made / "pyvenv.cfg").read_text().splitlines()
        return Path(next(line for line in lines if line.startswith("home")).split(" = ")[1])


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine where no Python 3.10 is to be found yet, and without a network."""
    for name in ("home", "repository", "empty"):
        (tmp_path / name).mkdir()
    broken(tmp_path / "own/python")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "own/python"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("PYENV_ROOT", "XDG_DATA_HOME", "UV_PYTHON_INSTALL_DIR", "UV_PYTHON_PREFERENCE"):
        monkeypatch.delenv(name, raising=False)
    return Machine(tmp_path)


def test_where_there_is_none_it_says_what_to_install_and_uv_says_why(machine, capsys):
    with pytest.raises(SetupError) as caught:
        machine.set_up()
    message = str(caught.value)
    assert message.startswith(f"No {describe_wanted()} was found, and uv could not fetch one.")
    assert "pyenv install 3.10" in message and "offline mode" in message
    assert f"No {describe_wanted()} is on this machine: uv fetches one" in capsys.readouterr().out
    assert list((machine.folder / "home").iterdir()) == []


@pytest.mark.parametrize(
    "place",
    [
        "bin/python3.10",
        "home/.pyenv/versions/3.10.13/bin/python3.10",
        "home/miniforge3/bin/python3.10",
        "home/miniforge3/envs/any-name/bin/python3.10",
    ],
)
def test_each_place_is_looked_into(machine, place, capsys):
    wanted = python(machine.folder / place)
    assert machine.set_up() == wanted.parent
    # Who watches sees which one it is.
    assert f"Using CPython 3.10.{platform.python_version_tuple()[2]}" in capsys.readouterr().out


def test_the_running_python_goes_first(machine, monkeypatch):
    python(machine.folder / "bin/python3.10")
    own = python(machine.folder / "not-on-path/python3.10")
    monkeypatch.setattr(sys, "executable", str(own))
    assert machine.set_up() == own.parent


def test_environments_that_conda_wrote_down(machine):
    elsewhere = python(machine.folder / "elsewhere/envs/x/bin/python3.10")
    register = machine.folder / "home/.conda/environments.txt"
    register.parent.mkdir()
    register.write_text(f"{machine.folder}/elsewhere/envs/x\n\n{machine.folder}/deleted\n")
    assert machine.set_up() == elsewhere.parent


@pytest.mark.parametrize("shim", ["home/.pyenv/shims", "first"])
def test_a_shim_that_does_not_work_is_passed_over(machine, monkeypatch, shim):
    broken(machine.folder / shim / "python3.10")
    monkeypatch.setenv("PATH", f"{machine.folder}/{shim}:{machine.folder}/bin")
    behind = python(machine.folder / "home/.pyenv/versions/3.10.9/bin/python3.10")
    assert machine.set_up() == behind.parent


def test_a_python_for_another_processor_will_not_do(machine, monkeypatch):
    python(machine.folder / "bin/python3.10")
    monkeypatch.setattr(interpreters, "MACHINE", "aarch64")
    with pytest.raises(SetupError, match=r"No Python 3\.10 for x86-64 was found"):
        machine.set_up()
    monkeypatch.undo()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert uv_request() == "cpython-3.10-macos-x86_64"


def test_what_uv_fetched_once_is_used_again(machine):
    name = f"cpython-{platform.python_version()}-linux-x86_64-gnu"
    if sys.platform == "darwin":
        name = f"cpython-{platform.python_version()}-macos-x86_64-none"
    fetched = python(machine.repository / ".venv-python" / name / "bin/python3.10")
    assert machine.set_up() == fetched.parent


def test_other_troubles_are_no_lack_of_a_python(machine, monkeypatch):
    python(machine.folder / "bin/python3.10")
    (machine.repository / ".venv").mkdir()
    (machine.repository / ".venv/file").touch()
    with pytest.raises(SetupError, match="`uv venv` failed"):
        machine.set_up()


def test_uv_is_fetched_with_the_pip_of_any_python_that_has_one(machine, monkeypatch):
    asked = []
    monkeypatch.setattr(
        Installer, "_succeeds", lambda self, command, **_: asked.append(command[:3]) or False
    )
    another = python(machine.folder / "home/.pyenv/versions/3.10.13/bin/python3.10")
    (machine.repository / "requirements.txt").write_text("uv==9.9.0\n")
    with pytest.raises(SetupError, match="neither pip nor venv"):
        Installer(machine.repository, io.StringIO()).find_uv()
    assert [sys.executable, "-m", "pip"] in asked and [str(another), "-m", "pip"] in asked


def test_a_python_that_hangs_or_is_no_program_is_not_wanted(tmp_path):
    (tmp_path / "text").write_text("hello")
    assert not is_wanted(str(tmp_path / "text"))
    assert not is_wanted(str(tmp_path))
    assert not is_wanted("")


def test_variables_that_lead_a_python_astray_are_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", "/opt/other")
    monkeypatch.setenv("PYTHONHOME", "/opt/other")
    monkeypatch.setenv("PIP_INDEX_URL", "file:///index")
    cleaned = clean_environment(tmp_path / ".venv/bin")
    assert not {"PYTHONPATH", "PYTHONHOME"} & set(cleaned)
    assert cleaned["PIP_INDEX_URL"] == "file:///index"
    assert cleaned["PATH"].startswith(f"{tmp_path}/.venv/bin:")
    assert cleaned["VIRTUAL_ENV"] == str(tmp_path / ".venv")
