"""Makes `.venv`: uv finds a Python 3.10 and installs the locked packages, which are checked."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Iterator, TextIO

from lesson_runner.installer import Installer, SetupError, step
from lesson_runner.interpreters import clean_environment, is_wanted
from local_workspace.whole_files import write_whole

__all__ = ["Environment", "SetupError", "clean_environment"]


class Environment:
    """The environment of one copy of the repository."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.log = root / "outputs" / "logs" / "setup.log"
        self._stamp = self.folder / "set-up-complete.json"
        self._requirements = root / "requirements.txt"
        self._constraints = root / "build-constraints.txt"

    def ensure(self) -> Path:
        """The interpreter of a complete environment, which is made, or mended, when it is not.

        Raises SetupError when there is no Python 3.10 or the packages cannot be installed.
        """
        if self._state() == "complete":
            return self.python
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with _one_at_a_time(self.root / ".venv-lock"):
                state = self._state()  # another run.py may have made it meanwhile
                if state != "complete":
                    with self.log.open("w", encoding="utf-8") as log:
                        self._make(state, log)
        except OSError as error:
            raise SetupError(
                f"{error.filename or self.root} cannot be written ({error.strerror}). Give "
                "yourself permission, or free some space, and run this again."
            ) from error
        return self.python

    def _state(self) -> str:
        """`complete`, `outdated` (whole, for other requirements), `broken` or `missing`."""
        if not (self.folder.exists() or self.folder.is_symlink()):
            return "missing"
        try:
            fingerprint = json.loads(self._stamp.read_text(encoding="utf-8"))["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError):
            return "broken"
        # An environment breaks when the Python it was made with is removed.
        if not is_wanted(str(self.python)):
            return "broken"
        return "complete" if fingerprint == self._fingerprint() else "outdated"

    def _fingerprint(self) -> str:
        locked = self._requirements.read_bytes() + b"\0" + self._constraints.read_bytes()
        return hashlib.sha256(locked).hexdigest()

    def _make(self, state: str, log: TextIO) -> None:
        started = time.monotonic()
        installer = Installer(self.root, log)
        if state == "outdated":
            print("requirements.txt has changed: .venv is brought up to date.", flush=True)
            self._stamp.unlink()
            uv = installer.find_uv()
        else:
            if state == "broken":
                print("The environment in .venv is not complete: it is made anew.", flush=True)
                _remove(self.folder)
            print("Setting up Python 3.10 and the Azure ML SDK in .venv (once; about 2.5 GB).")
            uv = installer.find_uv()
            step("Making .venv")
            installer.make_environment(uv, self.folder)
        step("Installing the packages of requirements.txt")
        # "sync" also takes away what an older lock had installed.
        install = [uv, "pip", "sync", "--python", str(self.python)]
        install += ["--build-constraint", str(self._constraints), str(self._requirements)]
        installer.run(install, progress=True)
        step("Checking that the packages agree with each other")
        installer.run([uv, "pip", "check", "--python", str(self.python)])
        write_whole(self._stamp, json.dumps({"fingerprint": self._fingerprint()}))
        step(f"Set up in {time.monotonic() - started:.0f} s")


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    else:
        shutil.rmtree(str(folder))


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    import fcntl  # not on Windows, where run.py ends with a sentence before it comes here

    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            step("Another run.py is setting up; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
