"""Virtual environments for jobs: one for each content of a definition, built once.

A job needs nothing of the workspace in its environment: a definition without any azureml package
still runs a script, which then cannot import the SDK, as on Azure.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from local_workspace.clock import iso, utc_now
from local_workspace.engine import environments_python as pythons
from local_workspace.engine.environments_plan import (
    EnvironmentBuildError,
    Plan,
    hide_passwords,
    read_plan,
)
from local_workspace.engine.environments_python import Interpreter

__all__ = ["EnvironmentBuildCanceled", "EnvironmentBuildError", "EnvironmentBuilder"]

Log = Callable[[str], None]

# Part of every key: with another number all environments are built anew.
_FORMAT = 1
_STAMP = "complete.json"
_BUILD_LOG = "build.log"
_POLL_SECONDS = 0.1
# PyYAML 5.4.1, which parts of the SDK need, does not build with Cython 3.
_BUILD_CONSTRAINT = "cython<3\n"


class EnvironmentBuildCanceled(EnvironmentBuildError):
    """The job that waited for the environment was canceled."""


class EnvironmentBuilder:
    """Makes and keeps environments in the folder `root`, shared by threads and processes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def ensure(
        self,
        definition: Mapping[str, Any],
        log: Log,
        stop: Callable[[], bool] = lambda: False,
    ) -> Path:
        """The Python that runs jobs of `definition` (the document of an `Environment`).

        It is the workspace's own Python when that has every package, and otherwise that of a
        virtual environment, which is built when it is not there. Every difference from Azure and
        every line of the installer goes to `log`; `stop` is asked now and then whether to give up.

        Raises EnvironmentBuildError with the installer's message, and EnvironmentBuildCanceled.
        """
        plan = read_plan(definition)
        for note in plan.notes:
            log(note)
        if plan.interpreter is not None:
            return _users_interpreter(plan.interpreter, log)
        own = pythons.own_interpreter()
        interpreter = pythons.fitting(plan.python)
        missing = pythons.unmet(plan.requirements)
        if not missing and (interpreter is None or interpreter == own):
            _tell_python(plan, own, log)
            log("The workspace's own environment has every package: nothing is to be built.")
            return own.path
        if interpreter is None:
            interpreter = pythons.nearest(plan.python)
        _tell_python(plan, interpreter, log)
        if missing:
            listed = hide_passwords(", ".join(missing))
            log(f"Not in the workspace's own environment: {listed}.")
        return self._built(plan, interpreter, log, stop)

    def _built(
        self, plan: Plan, interpreter: Interpreter, log: Log, stop: Callable[[], bool]
    ) -> Path:
        key = _key(plan, interpreter)
        folder = self._root / key
        python = folder / "bin" / "python"
        asked = time.time()
        if not _is_complete(folder):
            self._root.mkdir(parents=True, exist_ok=True)
            failure = self._root / f"{key}.failed"
            with _lock(self._root / f"{key}.lock", log, stop):
                if _is_complete(folder):
                    for line in (folder / _BUILD_LOG).read_text(encoding="utf-8").splitlines():
                        log(line)
                else:
                    _raise_failure_since(failure, asked)
                    try:
                        _build(folder, plan, interpreter, log, stop)
                    except EnvironmentBuildCanceled:
                        raise
                    except EnvironmentBuildError as error:
                        failure.write_text(str(error), encoding="utf-8")
                        raise
                    failure.unlink(missing_ok=True)
        log(f"Environment {key} is ready.")
        return python


def _users_interpreter(given: str, log: Log) -> Path:
    """The Python of a user-managed environment.

    Raises EnvironmentBuildError when it is not there.
    """
    if given in ("python", "python3"):
        log("The environment is user-managed: the workspace's own Python runs the job.")
        return pythons.own_interpreter().path
    program = os.path.expanduser(given)
    # A path relative to the project says nothing here: the job's folder is not made yet.
    is_relative = os.sep in program and not os.path.isabs(program)
    found = None if is_relative else shutil.which(program)
    if found is None:
        raise EnvironmentBuildError(
            f"The environment is user-managed and its interpreter '{given}' is not a program of "
            "this machine. Set python.interpreter_path to the full path of a Python, or to "
            "'python' for the workspace's own."
        )
    log(f"The environment is user-managed: {found} runs the job.")
    return Path(found)


def _tell_python(plan: Plan, interpreter: Interpreter, log: Log) -> None:
    if plan.python.contains(interpreter.version, prereleases=True):
        log(f"Python {interpreter.version} is used.")
    else:
        log(
            f"Python {plan.python_text} is not on this machine: Python {interpreter.version} is "
            "used instead."
        )


def _key(plan: Plan, interpreter: Interpreter) -> str:
    """What tells one environment from another, as a name of a folder."""
    matters = [
        _FORMAT,
        os.path.realpath(interpreter.path),
        f"{interpreter.version.major}.{interpreter.version.minor}",
        sorted(plan.requirements),
        plan.file_options,
        plan.arguments,
    ]
    return hashlib.sha256(json.dumps(matters).encode()).hexdigest()[:20]


def _is_complete(folder: Path) -> bool:
    """Whether the build came to its end, and the Python it was made of is still there."""
    return (folder / _STAMP).is_file() and (folder / "bin" / "python").exists()


@contextlib.contextmanager
def _lock(path: Path, log: Log, stop: Callable[[], bool]) -> Iterator[None]:
    """Hold the file `path` for this build alone; the lock falls with the process."""
    with open(path, "a") as file:
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    log("Another job builds this environment: waiting for it.")
                waiting = True
                if stop():
                    raise EnvironmentBuildCanceled("The job was canceled.") from None
                time.sleep(_POLL_SECONDS)
        yield


def _raise_failure_since(failure: Path, asked: float) -> None:
    """Fail as the build did that this job waited for; a later job tries again."""
    try:
        if failure.stat().st_mtime >= asked:
            raise EnvironmentBuildError(failure.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return


def _build(
    folder: Path, plan: Plan, interpreter: Interpreter, log: Log, stop: Callable[[], bool]
) -> None:
    if folder.exists():
        log("An earlier build did not come to its end: it is thrown away.")
        shutil.rmtree(folder)
    uv = pythons.uv_command()
    python = str(folder / "bin" / "python")
    said: list[str] = []
    try:
        _run([*uv, "venv", "--no-project", "--python", str(interpreter.path), str(folder)], stop)
        _install_basics(folder, python, log, stop)
        if plan.requirements:
            listed = folder / "requirements.txt"
            # Readable by the owner only: the address of an index may carry a password.
            listed.touch(mode=0o600)
            listed.write_text("\n".join([*plan.file_options, *_complete(plan), ""]), "utf-8")
            constraints = folder / "build-constraints.txt"
            constraints.write_text(_BUILD_CONSTRAINT, "utf-8")
            command = [*uv, "pip", "install", "--python", python, "-r", str(listed)]
            command += ["--build-constraint", str(constraints), *plan.arguments]
            said = _run(command, stop, log)
        (folder / _BUILD_LOG).write_text("\n".join(said), encoding="utf-8")
        _write_stamp(folder, plan, interpreter)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _complete(plan: Plan) -> list[str]:
    """The requirements, and what the SDK forgets to require."""
    if any(line.lower().startswith("azureml") for line in plan.requirements):
        # azureml-core imports pkg_resources.
        return [*plan.requirements, "setuptools<81"]
    return plan.requirements


def _install_basics(folder: Path, python: str, log: Log, stop: Callable[[], bool]) -> None:
    """Install pip (and, before Python 3.12, setuptools) as every conda environment has them.

    They come from the wheels inside Python itself, so that this needs no network.
    """
    where = "import ensurepip, os; print(os.path.dirname(ensurepip.__file__))"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=False)
    wheels = sorted(Path(found.stdout.strip(), "_bundled").glob("*.whl"))
    if found.returncode != 0 or not wheels:
        log(f"Python in {folder.name} has no pip: this Python was installed without it.")
        return
    command = [
        *pythons.uv_command(),
        "pip",
        "install",
        "--python",
        python,
        "--no-deps",
        "--offline",
    ]
    _run([*command, *map(str, wheels)], stop)


def _write_stamp(folder: Path, plan: Plan, interpreter: Interpreter) -> None:
    content = {
        "built": iso(utc_now()),
        "python": str(interpreter.version),
        "requirements": [hide_passwords(line) for line in plan.requirements],
    }
    temporary = folder / f"{_STAMP}.new"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, folder / _STAMP)


def _run(command: Sequence[str], stop: Callable[[], bool], log: Log | None = None) -> list[str]:
    """Run a step of a build; each line it writes goes to `log`, and all are returned.

    Raises EnvironmentBuildError with what it wrote when it fails, EnvironmentBuildCanceled when
    `stop` says so.
    """
    process = subprocess.Popen(
        command,
        cwd="/",
        env=pythons.installer_environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(hide_passwords(line.rstrip()))
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    said: list[str] = []
    try:
        while True:
            try:
                line = lines.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                line = ""
            if line is None:
                break
            if line:
                said.append(line)
                if log is not None:
                    log(line)
            if stop():
                raise EnvironmentBuildCanceled("The job was canceled.")
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        process.wait()
        reader.join()
    if process.returncode != 0:
        message = "\n".join(said) or f"The installer ended with exit code {process.returncode}."
        raise EnvironmentBuildError(f"The environment could not be built.\n{message}")
    return said
