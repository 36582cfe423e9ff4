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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local_workspace.clock import iso, utc_now
from local_workspace.engines.environments import pythons
from local_workspace.engines.environments.plan import (
    EnvironmentBuildCanceled,
    EnvironmentBuildError,
    Plan,
    hide_passwords,
)
from local_workspace.engines.environments.pythons import Interpreter
from local_workspace.whole_files import write_whole

__all__ = [
    "Choice",
    "EnvironmentBuildCanceled",
    "EnvironmentBuildError",
    "EnvironmentBuilder",
    "asks_uv",
]

Log = Callable[[str], None]

# Part of every key: with another number all environments are built anew.
_FORMAT = 1
_STAMP = "complete.json"
_BUILD_LOG = "build.log"
_POLL_SECONDS = 0.1
# PyYAML 5.4.1, which parts of the SDK need, does not build with Cython 3.
_BUILD_CONSTRAINT = "cython<3\n"


@dataclass(frozen=True)
class Choice:
    """What runs the jobs of a definition.

    Attributes:
        python: the program.
        folder: the virtual environment that it belongs to; None when nothing is to be built.
    """

    python: Path
    folder: Path | None
    plan: Plan
    interpreter: Interpreter

    @property
    def is_ready(self) -> bool:
        """Whether `python` is there, or a build is needed."""
        return self.folder is None or _is_complete(self.folder)


def asks_uv(plan: Plan) -> bool:
    """Whether to choose for `plan` uv is asked for the Pythons of this machine."""
    own = pythons.own_interpreter().version
    return plan.interpreter is None and not plan.python.contains(own, prereleases=True)


class EnvironmentBuilder:
    """Makes and keeps environments in the folder `root`, shared by threads and processes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def choose(self, plan: Plan, log: Log) -> Choice:
        """The workspace's own Python when that has every package, else a virtual environment's.

        What differs from Azure goes to `log`. Raises EnvironmentBuildError.
        """
        for note in plan.notes:
            log(note)
        own = pythons.own_interpreter()
        if plan.interpreter is not None:
            return Choice(_users_interpreter(plan.interpreter, log), None, plan, own)
        interpreter = pythons.fitting(plan.python)
        missing = pythons.unmet(plan.requirements)
        if not missing and (interpreter is None or interpreter == own):
            _tell_python(plan, own, log)
            log("The workspace's own environment has every package: nothing is to be built.")
            return Choice(own.path, None, plan, own)
        if interpreter is None:
            interpreter = pythons.nearest(plan.python)
        _tell_python(plan, interpreter, log)
        if missing:
            listed = hide_passwords(", ".join(missing))
            log(f"Not in the workspace's own environment: {listed}.")
        folder = self._root / _key(plan, interpreter)
        return Choice(folder / "bin" / "python", folder, plan, interpreter)

    def build(self, choice: Choice, log: Log, stop: Callable[[], bool] = lambda: False) -> None:
        """Build what was chosen, unless another process has meanwhile.

        Every line of the installer goes to `log`; `stop` is asked now and then whether to give up.
        Raises EnvironmentBuildError with the installer's lines, which the log has as well; and
        EnvironmentBuildCanceled.
        """
        folder = choice.folder
        assert folder is not None, "there is something to be built"
        asked = time.time()
        self._root.mkdir(parents=True, exist_ok=True)
        failure = folder.with_suffix(".failed")
        with _lock(folder.with_suffix(".lock"), log, stop) as lock:
            if _is_complete(folder):
                for line in (folder / _BUILD_LOG).read_text(encoding="utf-8").splitlines():
                    log(line)
                return
            _raise_failure_since(failure, asked, log)
            try:
                _build(folder, choice, _Steps(log, stop, lock))
            except EnvironmentBuildCanceled:
                raise
            except EnvironmentBuildError as error:
                failure.write_text(str(error), encoding="utf-8")
                raise
            failure.unlink(missing_ok=True)


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
def _lock(path: Path, log: Log, stop: Callable[[], bool]) -> Iterator[int]:
    """Hold the file `path` for this build alone, and give its descriptor.

    The lock falls with the last process that has the descriptor.
    """
    with open(path, "a") as file:
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    log("Another process builds this environment: waiting for it.")
                waiting = True
                if stop():
                    raise EnvironmentBuildCanceled("Nobody waits for it any more.") from None
                time.sleep(_POLL_SECONDS)
        yield file.fileno()


def _raise_failure_since(failure: Path, asked: float, log: Log) -> None:
    """Fail as the build did that this one waited for; a later one tries again."""
    try:
        if failure.stat().st_mtime < asked:
            return
        message = failure.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    for line in message.splitlines()[1:]:
        log(line)
    raise EnvironmentBuildError(message)


def _build(folder: Path, choice: Choice, steps: _Steps) -> None:
    if folder.exists():
        steps.log("An earlier build did not come to its end: it is thrown away.")
        shutil.rmtree(folder)
    plan, python = choice.plan, str(folder / "bin" / "python")
    interpreter = str(choice.interpreter.path)
    said: list[str] = []
    try:
        steps.uv("venv", "--no-project", "--python", interpreter, str(folder))
        _install_basics(folder, python, steps)
        if plan.requirements:
            listed = folder / "requirements.txt"
            # Readable by the owner only: the address of an index may carry a password.
            listed.touch(mode=0o600)
            listed.write_text("\n".join([*plan.file_options, *_complete(plan), ""]), "utf-8")
            constraints = folder / "build-constraints.txt"
            constraints.write_text(_BUILD_CONSTRAINT, "utf-8")
            arguments = ["--build-constraint", str(constraints), *plan.arguments]
            install = ("pip", "install", "--python", python, "-r", str(listed))
            said = steps.uv(*install, *arguments, is_logged=True)
        (folder / _BUILD_LOG).write_text("\n".join(said), encoding="utf-8")
        _write_stamp(folder, plan, choice.interpreter)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _complete(plan: Plan) -> list[str]:
    """The requirements, and what the SDK forgets to require."""
    if any(line.lower().startswith("azureml") for line in plan.requirements):
        # azureml-core imports pkg_resources.
        return [*plan.requirements, "setuptools<81"]
    return plan.requirements


def _install_basics(folder: Path, python: str, steps: _Steps) -> None:
    """Install pip (and, before Python 3.12, setuptools) as every conda environment has them.

    They come from the wheels inside Python itself, so that this needs no network.
    """
    where = "import ensurepip, os; print(os.path.dirname(ensurepip.__file__))"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=False)
    wheels = sorted(Path(found.stdout.strip(), "_bundled").glob("*.whl"))
    if found.returncode != 0 or not wheels:
        steps.log(f"Environment {folder.name} has no pip: this Python was installed without it.")
        return
    install = ("pip", "install", "--python", python, "--no-deps", "--offline")
    steps.uv(*install, *map(str, wheels))


def _write_stamp(folder: Path, plan: Plan, interpreter: Interpreter) -> None:
    content = {
        "built": iso(utc_now()),
        "python": str(interpreter.version),
        "requirements": [hide_passwords(line) for line in plan.requirements],
    }
    write_whole(folder / _STAMP, json.dumps(content, indent=2), is_durable=True)


class _Steps:
    """Runs the steps of one build."""

    def __init__(self, log: Log, stop: Callable[[], bool], lock: int) -> None:
        self.log = log
        self._stop = stop
        self._lock = lock

    def uv(self, *arguments: str, is_logged: bool = False) -> list[str]:
        """Run uv and return the lines it writes, which also go to the log if `is_logged`.

        Raises EnvironmentBuildError with these lines when it fails, EnvironmentBuildCanceled when
        the build is to stop.
        """
        process = subprocess.Popen(
            [*pythons.uv_command(), *arguments],
            cwd="/",
            env=pythons.installer_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            # An installer that outlives this process keeps the lock until it is done, so that
            # nobody else writes into the same folder.
            pass_fds=(self._lock,),
        )
        said: list[str] = []
        try:
            for line in self._lines_of(process):
                said.append(line)
                if is_logged:
                    self.log(line)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            process.wait()
        if process.returncode != 0:
            for line in () if is_logged else said:
                self.log(line)
            message = "\n".join(said) or f"uv ended with exit code {process.returncode}."
            raise EnvironmentBuildError(f"The environment could not be built.\n{message}")
        return said

    def _lines_of(self, process: subprocess.Popen[str]) -> Iterator[str]:
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

        def read() -> None:
            assert process.stdout is not None
            with process.stdout as output:
                for line in output:
                    lines.put(hide_passwords(line.rstrip()))
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                line = ""
            if line is None:
                return
            if self._stop():
                raise EnvironmentBuildCanceled("Nobody waits for it any more.")
            if line:
                yield line
