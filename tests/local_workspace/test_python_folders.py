"""Where uv looks for Pythons. tests/lesson_runner/test_interpreters.py has it find them there."""

import pytest

from local_workspace.python_folders import search_path


@pytest.fixture
def home(tmp_path):
    for place in (
        ".pyenv/versions/3.9.1/bin/python3",
        ".pyenv/versions/2.7.18/bin/python",
        "miniforge3/envs/one/bin/python3",
        "elsewhere/bin/python3",
    ):
        file = tmp_path / place
        file.parent.mkdir(parents=True)
        file.touch()
    (tmp_path / ".conda").mkdir()
    return tmp_path


def folders(home, path, **variables):
    """What is searched, below `home`."""
    found = search_path({"HOME": str(home), "PATH": path, **variables}).split(":")
    return [folder.replace(f"{home}/", "") for folder in found]


def test_the_folders_of_pyenv_and_conda_come_behind_path(home):
    (home / ".conda/environments.txt").write_text(f"{home}/elsewhere\n\n{home}/deleted\n")
    assert folders(home, f"/bin:{home}/.pyenv/shims::{home}/elsewhere/bin")[:4] == [
        "/bin",
        "elsewhere/bin",
        ".pyenv/versions/3.9.1/bin",
        "miniforge3/envs/one/bin",
    ]


def test_pyenv_may_lie_elsewhere(home):
    root = home / "elsewhere"
    (root / "versions").mkdir()
    (home / ".pyenv/versions/3.9.1").rename(root / "versions/3.9.1")
    path = f"{home}/.pyenv/shims:{root}/shims"
    found = folders(home, path, PYENV_ROOT=str(root))
    assert found[:2] == [".pyenv/shims", "elsewhere/versions/3.9.1/bin"]


def test_a_register_that_cannot_be_read_is_none(home):
    (home / ".conda/environments.txt").write_bytes(b"\xff\xfe")
    assert "miniforge3/envs/one/bin" in folders(home, "/bin")
