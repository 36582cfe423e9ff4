"""run.py itself: what it finds, notices and says, without installing anything."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path):
    """run.py and what it reads, in a folder of its own."""
    for name in ("run.py", "requirements.txt", "build-constraints.txt"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    return tmp_path


def run(clone, *arguments, path="/usr/bin:/bin", **environment):
    return subprocess.run(
        [sys.executable, "run.py", *arguments],
        cwd=clone,
        env={"PATH": path, "HOME": str(clone / "home"), **environment},
        text=True,
        capture_output=True,
        check=False,
    )


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def fake_uv(clone):
    """A uv that only writes down what it is asked for and makes a .venv of links."""
    folder = clone / "bin"
    script(folder / "interpreter", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    script(
        folder / "uv",
        "#!/bin/sh\n"
        f'echo "$@" >> "{clone}/calls"\n'
        "for last; do :; done\n"
        f'if [ "$1" = venv ]; then mkdir -p "$last/bin"; touch "$last/bin/pytest"; '
        f'ln -s "{folder}/interpreter" "$last/bin/python"; fi\n',
    )
    return f"{folder}:/usr/bin:/bin"


def test_set_up_once_then_never_again(clone, fake_uv):
    first = run(clone, "setup", path=fake_uv)
    assert first.returncode == 0, first.stderr
    calls = (clone / "calls").read_text().splitlines()
    assert calls[0].startswith("venv --python")
    assert "--build-constraint" in calls[1] and "-r" in calls[1]
    assert calls[2].startswith("pip check")
    again = run(clone, "setup", path=fake_uv)
    assert again.returncode == 0 and "Everything is set up" in again.stdout
    assert (clone / "calls").read_text().splitlines() == calls


@pytest.mark.parametrize("damage", ["stamp", "garbled stamp", "interpreter", "requirements"])
def test_an_incomplete_environment_is_made_anew(clone, fake_uv, damage):
    run(clone, "setup", path=fake_uv)
    stamp = clone / ".venv/set-up-complete.json"
    if damage == "stamp":
        stamp.unlink()
    elif damage == "garbled stamp":
        stamp.write_text("7")
    elif damage == "interpreter":
        (clone / ".venv/bin/python").unlink()
    else:
        with (clone / "requirements.txt").open("a") as file:
            file.write("# changed\n")
    (clone / "calls").unlink()
    result = run(clone, "setup", path=fake_uv)
    assert "made anew" in result.stdout
    assert (clone / "calls").read_text().startswith("venv")
    assert json.loads(stamp.read_text())["fingerprint"]


def test_no_network_is_one_sentence(clone):
    failing = clone / "bin"
    script(failing / "uv", "#!/bin/sh\necho 'error: Failed to fetch: dns error' >&2\nexit 2\n")
    result = run(clone, "setup", path=f"{failing}:/usr/bin:/bin")
    assert result.returncode == 1
    assert "The package index cannot be reached" in result.stderr
    assert "Traceback" not in result.stderr and "setup.log" in result.stderr
    assert "dns error" in (clone / "outputs/logs/setup.log").read_text()
    assert not (clone / ".venv/set-up-complete.json").exists()


def test_the_exit_code_of_the_tests_is_passed_on(clone, fake_uv):
    run(clone, "setup", path=fake_uv)
    (clone / "test_nothing.py").write_text("")
    assert run(clone, "test", "-p", "no:cacheprovider", path=fake_uv).returncode == 5
    (clone / "test_nothing.py").write_text("def test():\n    assert False\n")
    assert run(clone, "test", "-n", "0", path=fake_uv).returncode == 1


def test_setup_takes_nothing_more(clone, fake_uv):
    run(clone, "setup", path=fake_uv)
    assert run(clone, "setup", "now", path=fake_uv).returncode == 2


def test_run_py_is_python_3_8():
    import ast

    source = (REPOSITORY / "run.py").read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    modules = {
        name.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {
        node.module.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert modules <= sys.stdlib_module_names


def test_the_lock_has_every_requirement_and_no_address():
    locked = (REPOSITORY / "requirements.txt").read_text()
    assert "http" not in locked and "--" not in locked
    names = {
        line.split("==")[0] for line in locked.splitlines() if line and not line.startswith("#")
    }
    for line in (REPOSITORY / "requirements.in").read_text().splitlines():
        if line and not line.startswith("#"):
            wanted = line.split("#")[0].strip().split("<")[0]
            assert wanted in names, wanted
            assert "#" in line, f"{wanted} has no reason"


def test_ci_calls_the_readme_command():
    text = (REPOSITORY / ".ci/run").read_text()
    assert "run.py test" in text and os.access(REPOSITORY / ".ci/run", os.X_OK)
