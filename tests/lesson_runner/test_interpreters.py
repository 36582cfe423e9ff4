"""Finding a Python 3.10 among what a machine may have."""

import platform
import sys

import pytest

from lesson_runner.interpreters import clean_environment, find_interpreter, is_wanted, uv_request


def program(path, says="3 10 x86_64", code=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine where no Python 3.10 is to be found yet."""
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(sys, "executable", program(tmp_path / "own/python", "3 8 x86_64"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("PYENV_ROOT", "CONDA_PREFIX", "CONDA_PREFIX_1", "CONDA_ROOT", "MAMBA_ROOT_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_nothing_is_found_where_there_is_nothing(machine):
    assert find_interpreter(machine / "repository") is None


@pytest.mark.parametrize(
    "place",
    [
        "bin/python3.10",
        "home/.pyenv/versions/3.10.13/bin/python3.10",
        "home/miniforge3/envs/any-name/bin/python3.10",
        "repository/.venv-python/cpython-3.10.16-linux-x86_64-gnu/bin/python3.10",
    ],
)
def test_each_place_is_looked_into(machine, place):
    wanted = program(machine / place)
    assert find_interpreter(machine / "repository") == wanted


def test_the_running_python_goes_first(machine, monkeypatch):
    program(machine / "bin/python3.10")
    monkeypatch.setattr(sys, "executable", program(machine / "own/python3"))
    assert find_interpreter(machine / "repository") == str(machine / "own/python3")


def test_environments_that_conda_wrote_down_and_its_variables(machine, monkeypatch):
    elsewhere = program(machine / "elsewhere/envs/x/bin/python3.10")
    (machine / "home/.conda").mkdir()
    (machine / "home/.conda/environments.txt").write_text(f"{machine}/elsewhere/envs/x\n\n")
    assert find_interpreter(machine) == elsewhere
    active = program(machine / "active/bin/python3.10")
    monkeypatch.setenv("CONDA_PREFIX", str(machine / "active"))
    assert find_interpreter(machine) == active


def test_a_shim_that_does_not_work_is_passed_over(machine):
    program(machine / "bin/python3.10", "pyenv: python3.10: command not found", 127)
    behind = program(machine / "home/.pyenv/versions/3.10.9/bin/python3.10")
    assert find_interpreter(machine) == behind


def test_a_python_for_another_processor_will_not_do(machine, monkeypatch):
    program(machine / "bin/python3.10", "3 10 arm64")
    assert find_interpreter(machine) is None
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert uv_request() == "cpython-3.10-macos-x86_64"


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
