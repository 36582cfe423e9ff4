"""Calls uv, and pip to get uv; says how far it is, and in one sentence what went wrong."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, Sequence, TextIO

from lesson_runner.interpreters import clean_environment, describe_wanted, is_wanted, uv_request
from local_workspace.python_folders import search_path
from local_workspace.variables import said_to_uv

# The first uv that knows every option used here.
OLDEST_UV = (0, 5)
_OFFLINE = (
    "dns error",
    "failed to fetch",
    "could not connect",
    "connection refused",
    "network is unreachable",
    "name resolution",
    "failed to establish a new connection",
    "newconnectionerror",
    "connecttimeout",
    "operation timed out",
    "error sending request",
    "tunnel",
)
_UNTRUSTED = ("certificate_verify_failed", "invalid peer certificate", "unknownissuer")
# What uv says when no Python of this machine will do.
_NO_PYTHON = "No interpreter found"
_FULL = ("no space left", "os error 28")


class SetupError(Exception):
    """Set-up cannot go on; the message says why and what to do."""


def step(text: str) -> None:
    """Print one line at once, also into a pipe."""
    print(text, flush=True)


class Installer:
    """Runs the programs that install, with all they say in the log."""

    def __init__(self, root: Path, log: TextIO) -> None:
        self._root = root
        self._log = log
        self._said: list[str] = []
        self._environment = clean_environment()
        self._environment.update(said_to_uv(self._environment))

    def run(self, command: Sequence[str], *, progress: bool = False) -> None:
        """Run `command`, with progress lines when asked to.

        Raises SetupError, with the cause in one sentence, when it fails.
        """
        if not self._succeeds(command, progress=progress):
            what = " ".join([Path(command[0]).name, *command[1:3]])
            raise SetupError(self._failure(f"`{what}` failed."))

    def find_uv(self) -> str:
        """The uv on PATH, or the one fetched into `.venv-uv`, at need with pip.

        Raises SetupError when there is none and none can be fetched.
        """
        target = self._root / ".venv-uv"
        fetched = target / "bin" / "uv"
        for present in (shutil.which("uv"), str(fetched)):
            if present and (_uv_version(present) or (0,)) >= OLDEST_UV:
                return present
        step("Fetching uv, which installs the rest")
        locked = (self._root / "requirements.txt").read_text(encoding="utf-8").splitlines()
        pinned = next(line.split()[0] for line in locked if line.startswith("uv=="))
        failure = None
        for install in self._installs(target):
            # The locked uv may need a newer Python than the one at hand; any uv will do here.
            for wanted in (pinned, "uv"):
                if self._succeeds([*install, wanted]) and _uv_version(str(fetched)):
                    return str(fetched)
                failure = self._failure("uv could not be fetched with pip.")
                if self.no_network():
                    raise SetupError(failure)
        if failure is not None:
            raise SetupError(failure)
        raise SetupError(
            f"uv, which installs everything else, is not here, and {sys.executable} has neither "
            "pip nor venv to fetch it with. Install one of them, for example with `apt install "
            "python3-pip` or `brew install uv`, and run this again."
        )

    def make_environment(self, uv: str, folder: Path) -> None:
        """Make `folder` of the Python that runs this, of one that uv finds, or of one it fetches.

        Raises SetupError when none is the wanted one and none can be fetched.
        """
        own = sys.executable
        wanted = own if is_wanted(own) else uv_request()
        make = [uv, "venv", "--no-project", "--python", wanted, str(folder)]
        here = {"PATH": search_path(self._environment), "UV_PYTHON_DOWNLOADS": "never"}
        if self._succeeds(make, extra=here, progress=True):
            return
        if not any(_NO_PYTHON in line for line in self._said):
            raise SetupError(self._failure("`uv venv` failed."))
        step(f"No {describe_wanted()} is on this machine: uv fetches one into .venv-python")
        # Nothing is left outside of the repository.
        inside = {"UV_PYTHON_INSTALL_DIR": str(self._root / ".venv-python")}
        if not self._succeeds(
            make, extra={**inside, "UV_PYTHON_DOWNLOADS": "automatic"}, progress=True
        ):
            raise SetupError(
                self._failure(
                    f"No {describe_wanted()} was found, and uv could not fetch one. The SDK's own "
                    "requirements exist for this Python only. Install it, for example with `apt "
                    "install python3.10`, `brew install python@3.10`, `pyenv install 3.10` or "
                    "`conda create -n azureml python=3.10`, and run this again."
                )
            )

    def no_network(self) -> str | None:
        """A sentence when the program that ran last could not reach the network, else None."""
        said = "\n".join(self._said).lower()
        if any(sign in said for sign in _UNTRUSTED):
            return (
                "The certificate of the package index is not trusted: behind a proxy that opens "
                "connections, set SSL_CERT_FILE to its authority's certificate. "
            )
        if any(sign in said for sign in _OFFLINE):
            return (
                "There is no connection to where the packages come from. Check the network, and "
                "run this again; behind a proxy set HTTPS_PROXY, with an index of your own "
                "PIP_INDEX_URL. "
            )
        return None

    def _failure(self, what: str) -> str:
        said = "\n".join(self._said).lower()
        whole = f"The whole output is in {self._log.name}."
        if any(sign in said for sign in _FULL):
            return f"The disk is full: the environment needs about 2.5 GB. {what}\n{whole}"
        why = self.no_network()
        if why is not None:
            return f"{why}{what}\n{whole}"
        end = "\n".join(self._said[-10:])
        return f"{what} The end of its output:\n{end}\n{whole}"

    def _succeeds(
        self,
        command: Sequence[str],
        *,
        progress: bool = False,
        extra: dict[str, str] | None = None,
    ) -> bool:
        self._log.write(f"$ {' '.join(command)}\n")
        self._log.flush()
        self._said = []
        try:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=str(self._root),
                env={**self._environment, **(extra or {})},
            )
        except OSError as error:
            self._said = [str(error)]
            self._log.write(f"{error}\n")
            return False
        with process, Progress(progress) as shown:
            for line in iter(process.stdout.readline, b""):
                text = line.decode("utf-8", "replace").rstrip()
                self._log.write(text + "\n")
                self._said.append(text)
                shown.say(text.strip())
        return process.returncode == 0

    def _installs(self, target: Path) -> Iterator[list[str]]:
        """Commands that install a package into `target`, where pip or venv can be called.

        Debian's Python comes without pip, or without venv; a Python that its distribution manages
        takes packages only into a folder of their own.
        """
        another = shutil.which("python3.10", path=search_path(self._environment))
        interpreters = [sys.executable, *([another] if another else [])]
        pips = [[interpreter, "-m", "pip"] for interpreter in interpreters]
        pips += [[found] for found in map(shutil.which, ("pip3", "pip")) if found]
        for pip in pips:
            if self._succeeds([*pip, "--version"]):
                shutil.rmtree(str(target), ignore_errors=True)
                yield [*pip, "install", "--retries", "2", "--target", str(target)]
        for interpreter in interpreters:
            shutil.rmtree(str(target), ignore_errors=True)
            if self._succeeds([interpreter, "-m", "venv", str(target)]):
                own = str(target / "bin" / "python")
                yield [own, "-m", "pip", "install", "--retries", "2"]


def _uv_version(program: str) -> tuple[int, ...] | None:
    """The first two numbers of uv's version; None when `program` does not run."""
    try:
        done = subprocess.run(
            [program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
    except OSError:
        return None
    match = re.match(rb"uv (\d+)\.(\d+)", done.stdout)
    return tuple(map(int, match.groups())) if match and done.returncode == 0 else None


class Progress:
    """Tells how an installation goes: one line that changes on a terminal, few lines elsewhere."""

    WORDS = (
        "Using",
        "Resolved",
        "Downloading",
        "Downloaded",
        "Building",
        "Built",
        "Prepared",
        "Uninstalled",
        "Installed",
    )
    MILESTONES = ("Using", "Resolved", "Prepared", "Installed")
    SECONDS_BETWEEN_LINES = 5.0

    def __init__(self, active: bool) -> None:
        self._active = active
        self._terminal = sys.stdout.isatty()
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._active and self._terminal:
            sys.stdout.write("\r\033[K")
            sys.stdout.flush()

    def say(self, line: str) -> None:
        """Show `line` if it says how far things are."""
        if not self._active or not line.startswith(self.WORDS):
            return
        now = time.monotonic()
        shown = f"  {now - self._started:4.0f} s  {line}"
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stdout.write("\r\033[K" + shown[:width])
            sys.stdout.flush()
        elif line.startswith(self.MILESTONES) or now - self._last_line > self.SECONDS_BETWEEN_LINES:
            step(shown)
            self._last_line = now
