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
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename
from packaging.version import Version

from local_workspace.clock import iso, utc_now
from local_workspace.engines.environments import pythons
from local_workspace.engines.environments.installer import Log, Steps
from local_workspace.engines.environments.packages import Packages
from local_workspace.engines.environments.plan import (
    EnvironmentBuildCanceled,
    EnvironmentBuildError,
    Plan,
    hide_passwords,
)
from local_workspace.engines.environments.python_downloads import download
from local_workspace.engines.environments.pythons import Interpreter
from local_workspace.whole_files import write_whole

__all__ = [
    "Choice",
    "EnvironmentBuildCanceled",
    "EnvironmentBuildError",
    "EnvironmentBuilder",
    "asks_uv",
]

# Part of every key: with another number all environments are built anew.
_FORMAT = 2
_STAMP = "complete.json"
_BUILD_LOG = "build.log"
_POLL_SECONDS = 0.1


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

    def replaced(self) -> list[str]:
        """A sentence for each package that is here in another version than was asked for.

        Empty while nothing is built.
        """
        if self.folder is None or not _is_complete(self.folder):
            return []
        stamp = json.loads((self.folder / _STAMP).read_text(encoding="utf-8"))
        return list(stamp["replaced"])


def asks_uv(plan: Plan) -> bool:
    """Whether to choose for `plan` uv is asked for the Pythons of this machine."""
    own = pythons.own_interpreter().version
    return plan.interpreter is None and not plan.python.contains(own, prereleases=True)


class EnvironmentBuilder:
    """Makes and keeps environments in the folder `root`, shared by threads and processes.

    When it `is_strict`, no version of a package takes the place of one that cannot be had.
    """

    def __init__(self, root: Path, *, is_strict: bool = False) -> None:
        self._root = root
        self._is_strict = is_strict

    def choose(self, plan: Plan, log: Log, *, may_download: bool = False) -> Choice:
        """The workspace's own Python when that has every package, else a virtual environment's.

        With `may_download`, a Python that is needed for it and is not here is downloaded if it can
        be, which takes its time. What differs from Azure goes to `log`. Raises
        EnvironmentBuildError.
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
        if interpreter is None and may_download:
            interpreter = download(plan.python, log)
        if interpreter is None:
            interpreter = pythons.nearest(plan.python)
        _tell_python(plan, interpreter, log)
        if missing:
            listed = hide_passwords(", ".join(missing))
            log(f"Not in the workspace's own environment: {listed}.")
        folder = self._root / _key(plan, interpreter, self._is_strict)
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
                self._build(folder, choice, Steps(log, stop, lock))
            except EnvironmentBuildCanceled:
                raise
            except EnvironmentBuildError as error:
                failure.write_text(str(error), encoding="utf-8")
                raise
            failure.unlink(missing_ok=True)

    def _build(self, folder: Path, choice: Choice, steps: Steps) -> None:
        if folder.exists():
            steps.log("An earlier build did not come to its end: it is thrown away.")
            shutil.rmtree(folder)
        python = str(folder / "bin" / "python")
        interpreter = str(choice.interpreter.path)
        try:
            steps.uv("venv", "--no-project", "--python", interpreter, str(folder))
            _install_basics(folder, python, steps)
            packages = Packages(folder, choice.plan, choice.interpreter, steps)
            packages.install(is_strict=self._is_strict)
            (folder / _BUILD_LOG).write_text("\n".join(packages.said), encoding="utf-8")
            _write_stamp(folder, choice, packages.replaced)
        except BaseException:
            # Whatever ended it half built, it is not to be taken for a whole one.
            shutil.rmtree(folder, ignore_errors=True)
            raise


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


def _key(plan: Plan, interpreter: Interpreter, is_strict: bool) -> str:
    """What tells one environment from another, as a name of a folder."""
    matters = [
        _FORMAT,
        os.path.realpath(interpreter.path),
        f"{interpreter.version.major}.{interpreter.version.minor}",
        sorted(plan.requirements),
        plan.file_options,
        plan.arguments,
        is_strict,
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


def _install_basics(folder: Path, python: str, steps: Steps) -> None:
    """Install pip (and, before Python 3.12, setuptools) as every conda environment has them.

    They come from the wheels inside Python itself, so that this needs no network.
    """
    where = "import ensurepip, os; print(os.path.dirname(ensurepip.__file__))"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=False)
    wheels = latest_of_each(Path(found.stdout.strip(), "_bundled").glob("*.whl"))
    if found.returncode != 0 or not wheels:
        steps.log(f"Environment {folder.name} has no pip: this Python was installed without it.")
        return
    install = ("pip", "install", "--python", python, "--no-deps", "--offline")
    steps.uv(*install, *map(str, wheels))


def latest_of_each(wheels: Iterable[Path]) -> list[Path]:
    """The wheel with the highest version of each package.

    A Python that was updated in its place has the wheels of before as well.
    """
    latest: dict[str, tuple[Version, Path]] = {}
    for wheel in sorted(wheels):
        name, version, *_ = parse_wheel_filename(wheel.name)
        if name not in latest or version > latest[name][0]:
            latest[name] = (version, wheel)
    return [wheel for _, wheel in latest.values()]


def _write_stamp(folder: Path, choice: Choice, replaced: list[str]) -> None:
    content = {
        "built": iso(utc_now()),
        "python": str(choice.interpreter.version),
        "requirements": [hide_passwords(line) for line in choice.plan.requirements],
        "replaced": replaced,
    }
    write_whole(folder / _STAMP, json.dumps(content, indent=2), is_durable=True)
