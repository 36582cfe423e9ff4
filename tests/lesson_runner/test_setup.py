"""run.py itself: what it makes, notices and says, on fakes of what installs."""

import ast
import fcntl
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from repository import REPOSITORY

BEFORE_SET_UP = (
    "lesson_runner.command_line",
    "lesson_runner.installer",
    "lesson_runner.interpreters",
    "lesson_runner.lessons",
    "lesson_runner.set_up",
    "local_workspace.python_folders",
    "local_workspace.variables",
    "local_workspace.whole_files",
)
OFFLINE = "#!/bin/sh\n[ $1 = --version ] && echo uv 9.9.0 && exit\necho 'dns error' >&2\nexit 2\n"


@pytest.fixture
def clone(tmp_path):
    """run.py and what it reads, in a folder of its own."""
    for name in ("run.py", "requirements.txt", "build-constraints.txt"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "lesson_runner", tmp_path / "lesson_runner", ignore=ignored)
    (tmp_path / "local_workspace").mkdir()
    for name in ("__init__.py", "python_folders.py", "variables.py", "whole_files.py"):
        shutil.copy(REPOSITORY / "local_workspace" / name, tmp_path / "local_workspace" / name)
    (tmp_path / "01_data.py").write_text('"""Data: where it lies."""\n')
    (tmp_path / "bin").mkdir()
    return tmp_path


def environment(clone, **variables):
    return {"PATH": f"{clone}/bin:/usr/bin:/bin", "HOME": str(clone / "home"), **variables}


def run(clone, *arguments, python=sys.executable, **variables):
    return subprocess.run(
        [python, "run.py", *arguments],
        cwd=clone,
        env=environment(clone, **variables),
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
    script(clone / "interpreter", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    script(
        clone / "bin/uv",
        "#!/bin/sh\n"
        '[ "$1" = --version ] && echo "uv 9.9.0" && exit\n'
        f'echo "$@" >> "{clone}/calls"\n'
        "for last; do :; done\n"
        f'[ "$1" = venv ] && mkdir -p "$last/bin" && ln -s "{clone}/interpreter" '
        '"$last/bin/python"\n'
        "exit 0\n",
    )
    return clone / "calls"


def calls(file):
    """What the fake was asked for since the last time."""
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def test_set_up_once_then_never_again(clone, fake_uv):
    first = run(clone, "setup")
    assert first.returncode == 0, first.stderr
    made, installed, checked = calls(fake_uv)
    assert made.startswith("venv --no-project --python") and made.endswith(".venv")
    assert "--build-constraint" in installed and installed.endswith("requirements.txt")
    assert checked.startswith("pip check")
    again = run(clone, "setup")
    assert again.returncode == 0 and "Everything is set up" in again.stdout
    assert calls(fake_uv) == []


@pytest.mark.parametrize("damage", ["stamp", "garbled stamp", "interpreter", "link", "file"])
def test_a_broken_environment_is_made_anew(clone, fake_uv, damage):
    run(clone, "setup")
    calls(fake_uv)
    venv = clone / ".venv"
    stamp = venv / "set-up-complete.json"
    (venv / "left-over").touch()
    if damage == "stamp":
        stamp.unlink()
    elif damage == "garbled stamp":
        stamp.write_text("7")
    elif damage == "interpreter":
        (venv / "bin/python").unlink()
    else:
        shutil.rmtree(venv)
        if damage == "link":
            venv.symlink_to(clone / "nowhere")
        else:
            venv.write_text("")
    result = run(clone, "setup")
    assert result.returncode == 0 and "made anew" in result.stdout
    assert calls(fake_uv)[0].startswith("venv")
    assert json.loads(stamp.read_text())["fingerprint"]
    assert not (venv / "left-over").exists()


def test_new_requirements_are_installed_into_the_environment_that_is_there(clone, fake_uv):
    run(clone, "setup")
    calls(fake_uv)
    with (clone / "requirements.txt").open("a") as file:
        file.write("# changed\n")
    assert "brought up to date" in run(clone, "setup").stdout
    assert [call.split()[:2] for call in calls(fake_uv)] == [["pip", "sync"], ["pip", "check"]]
    assert run(clone, "setup").returncode == 0 and calls(fake_uv) == []


def test_an_update_that_fails_leaves_no_stamp(clone, fake_uv):
    run(clone, "setup")
    with (clone / "requirements.txt").open("a") as file:
        file.write("# changed\n")
    script(clone / "bin/uv", OFFLINE)
    assert run(clone, "setup").returncode == 1
    assert not (clone / ".venv/set-up-complete.json").exists()


def test_no_network_is_one_sentence(clone):
    script(clone / "bin/uv", OFFLINE)
    result = run(clone, "setup")
    assert result.returncode == 1
    assert result.stderr.strip().startswith(
        "There is no connection to where the packages come from."
    )
    assert "Traceback" not in result.stderr and "setup.log" in result.stderr
    assert "dns error" in (clone / "outputs/logs/setup.log").read_text()
    assert not (clone / ".venv/set-up-complete.json").exists()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("No space left on device", "The disk is full"),
        ("invalid peer certificate: UnknownIssuer", "set SSL_CERT_FILE"),
        ("something odd", "something odd"),
    ],
)
def test_other_failures_are_told_apart(clone, said, told):
    script(clone / "bin/uv", OFFLINE.replace("dns error", said))
    result = run(clone, "setup")
    assert result.returncode == 1 and told in result.stderr
    assert "no connection" not in result.stderr


def test_a_folder_that_cannot_be_written_is_said(clone):
    (clone / "outputs").write_text("in the way")
    result = run(clone, "setup")
    assert result.returncode == 1
    assert "cannot be written" in result.stderr and "Traceback" not in result.stderr


def test_uv_is_fetched_with_pip_when_the_one_here_is_too_old(clone, fake_uv):
    good = (clone / "bin/uv").read_text()
    script(clone / "good-uv", good)
    script(clone / "bin/uv", "#!/bin/sh\necho uv 0.1.44\n")
    # A Python with pip, which `install`s by copying uv to where --target says.
    script(
        clone / "python",
        "#!/bin/sh\n"
        f'[ "$1 $2" = "-m pip" ] || exec "{sys.executable}" "$@"\n'
        '[ "$3" = --version ] && exit\n'
        f'echo "$@" >> {clone}/pip-calls\n'
        "while [ $1 != --target ]; do shift; done\n"
        f"mkdir -p $2/bin && cp {clone}/good-uv $2/bin/uv\n",
    )
    code = (
        f"import sys; sys.executable = {str(clone / 'python')!r}; sys.argv = ['run.py', 'setup'];"
        "import run; raise SystemExit(run.main(['setup']))"
    )
    for _ in range(2):
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=clone, env=environment(clone), capture_output=True
        )
        assert result.returncode == 0, result.stderr
        shutil.rmtree(clone / ".venv")
    fetched = (clone / "pip-calls").read_text().splitlines()
    assert len(fetched) == 1  # the second time it is there
    assert "uv==" in fetched[0] and f"--target {clone}/.venv-uv" in fetched[0]


def test_a_python_without_pip_and_venv_is_told_what_to_install(clone):
    script(
        clone / "python",
        f'#!/bin/sh\n[ "$1" = -m ] && echo "No module named $2" && exit 1\n'
        f'exec "{sys.executable}" "$@"\n',
    )
    code = (
        f"import sys; sys.executable = {str(clone / 'python')!r}; import run;"
        "raise SystemExit(run.main(['setup']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=clone,
        env=environment(clone, PATH=str(clone / "bin")),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "neither pip nor venv" in result.stderr and "apt install" in result.stderr


def test_no_python_says_what_to_install_and_leaves_nothing_outside(clone):
    script(
        clone / "bin/uv",
        "#!/bin/sh\n"
        '[ "$1" = --version ] && echo "uv 9.9.0" && exit\n'
        f'echo "$* $UV_PYTHON_DOWNLOADS $UV_PYTHON_INSTALL_DIR" >> {clone}/calls\n'
        '[ "$UV_PYTHON_DOWNLOADS" = never ] && echo "error: No interpreter found for it"\n'
        '[ "$UV_PYTHON_DOWNLOADS" = never ] || echo "dns error"\n'
        "exit 2\n",
    )
    code = (
        "import run; from lesson_runner import installer;"
        "installer.is_wanted = lambda python: False; raise SystemExit(run.main(['setup']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=clone,
        env=environment(clone),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.strip().startswith("There is no connection")
    assert "No Python 3.10 was found" in result.stderr and "pyenv install" in result.stderr
    looked, fetched = calls(clone / "calls")
    system = "macos" if sys.platform == "darwin" else "linux"
    made = f"venv --no-project --python cpython-3.10-{system}-x86_64 {clone}/.venv"
    assert looked == f"{made} never "
    assert fetched == f"{made} automatic {clone}/.venv-python"


def test_two_at_once_wait_for_each_other(clone, fake_uv):
    with (clone / ".venv-lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(
            [sys.executable, "run.py", "setup"],
            cwd=clone,
            env=environment(clone),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "waiting" in second.stdout.readline()
        assert not fake_uv.exists()
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 0 and "Everything is set up" in out


def test_wrong_use_is_said_before_anything_is_made(clone):
    script(clone / "bin/uv", OFFLINE)
    unknown = run(clone, "77")
    assert unknown.returncode == 2
    assert "There is no lesson 77. There are: 01." in unknown.stderr
    assert run(clone, "--dance").returncode == 2
    assert run(clone, "setup", "now").returncode == 2
    (clone / "04_jobs.py").write_text('"""Jobs.\n\nNeeds: 01\n"""\n')
    early = run(clone, "04")
    assert early.returncode == 2 and "python run.py --needed 04" in early.stderr
    shown = run(clone, "--list")
    assert shown.returncode == 0 and "Data: where it lies" in shown.stdout
    assert "run.py test" in run(clone, "--help").stdout
    assert not (clone / ".venv").exists() and not (clone / "outputs").exists()


def test_the_exit_code_of_the_tests_is_passed_on(clone, fake_uv):
    run(clone, "setup")
    (clone / "test_nothing.py").write_text("")
    assert run(clone, "test", "-p", "no:cacheprovider").returncode == 5
    (clone / "test_nothing.py").write_text("def test():\n    assert False\n")
    failed = run(clone, "test", "-n", "0")
    assert failed.returncode == 1 and "1 failed" in failed.stdout


def test_workspace_commands_go_on_in_the_environment(clone, fake_uv):
    (clone / "local_workspace/__main__.py").write_text("import sys; print(sys.argv[1:])")
    (clone / "deep").mkdir()
    done = subprocess.run(
        [sys.executable, "../run.py", "workspace", "env", "--root", "here"],
        cwd=clone / "deep",
        env=environment(clone),
        text=True,
        capture_output=True,
    )
    assert done.stdout == f"{['env', '--root', str(clone / 'deep/here')]}\n"
    assert "Setting up" in done.stderr


def test_a_real_uv_installs_what_the_lock_says(clone):
    """The options are those that uv has; the packages come from a folder."""
    wheel = clone / "wheels/tiny_package-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    info = "tiny_package-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_package.py", "ANSWER = 42\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-package\nVersion: 1.0\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    (clone / "requirements.txt").write_text("tiny-package==1.0\n")
    (clone / "bin/uv").symlink_to(Path(sys.executable).parent / "uv")
    folder = {"UV_FIND_LINKS": str(wheel.parent), "UV_NO_INDEX": "1", "UV_OFFLINE": "1"}
    result = run(clone, "setup", **folder)
    assert result.returncode == 0, result.stderr + result.stdout
    python = clone / ".venv/bin/python"
    answer = subprocess.run(
        [python, "-c", "import tiny_package as t; print(t.ANSWER)"], capture_output=True, text=True
    )
    assert answer.stdout == "42\n"
    assert run(clone, "setup", **folder).stdout.count("\n") == 1


def test_what_runs_before_set_up_is_python_3_8_and_its_library():
    files = [REPOSITORY / f"{name.replace('.', '/')}.py" for name in BEFORE_SET_UP]
    for path in [REPOSITORY / "run.py", *files, REPOSITORY / "local_workspace/__init__.py"]:
        tree = ast.parse(path.read_text(), feature_version=(3, 8))
        modules = {
            name.name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for name in node.names
        } | {
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
        }
        allowed = {*sys.stdlib_module_names, *BEFORE_SET_UP}
        assert {m if m in allowed else m.split(".")[0] for m in modules} <= allowed, path


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.11", "3.12", "3.13"])
def test_any_python_can_start_it(clone, version):
    found = shutil.which(f"python{version}")
    if found is None or subprocess.call([found, "--version"], stderr=subprocess.DEVNULL) != 0:
        pytest.skip(f"no Python {version} here")
    shown = run(clone, "--list", python=found, PATH=os.environ["PATH"])
    assert shown.returncode == 0 and "Data: where it lies" in shown.stdout


def test_the_lock_has_every_requirement_and_no_address():
    locked = (REPOSITORY / "requirements.txt").read_text()
    assert "://" not in locked and "--" not in locked
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
