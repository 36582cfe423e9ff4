#!/usr/bin/env python3
"""The two commands: set everything up and run the lessons, or the tests.

    python run.py                     set up if needed, then run lessons 01-15 in order
    python run.py 04 06               only these
    python run.py --list              the lessons: number, title, what they need, seconds last time
    python run.py setup               only set up
    python run.py test [pytest args]  set up, then the tests

Any Python from 3.8 on can start this file; it needs nothing but the standard library. It finds a
Python 3.10, makes `.venv` from requirements.txt, and goes on inside of it.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "set-up-complete.json"
LOG = ROOT / "outputs" / "logs" / "setup.log"
REQUIREMENTS = ROOT / "requirements.txt"
CONSTRAINTS = ROOT / "build-constraints.txt"
WANTED = (3, 10)
NETWORK_SIGNS = (
    "dns error",
    "failed to fetch",
    "could not connect",
    "connection refused",
    "network is unreachable",
    "name resolution",
    "failed to establish a new connection",
    "error sending request",
    "could not find a version that satisfies the requirement uv",
)


class SetupError(Exception):
    """Set-up cannot go on; the message says why and what to do."""


def main(arguments):
    """Set up when needed and hand over to `lesson_runner` or pytest; returns the exit code."""
    try:
        python = ensure_environment()
    except SetupError as error:
        print("\n" + str(error), file=sys.stderr)
        return 1
    if arguments[:1] == ["setup"]:
        if len(arguments) > 1:
            print("`python run.py setup` takes nothing more.", file=sys.stderr)
            return 2
        print("Everything is set up in {}.".format(VENV))
        return 0
    if arguments[:1] == ["test"]:
        return tests(python, arguments[1:])
    command = [str(python), "-m", "lesson_runner", *arguments]
    return subprocess.call(command, cwd=str(ROOT))


def tests(python, arguments):
    """Run pytest on two workers unless the caller chose; no test at all is a failure too."""
    if not any(argument.startswith(("-n", "--numprocesses", "--pdb")) for argument in arguments):
        arguments = ["-n", "2", "--dist", "loadscope", *arguments]
    return subprocess.call([str(python), "-m", "pytest", *arguments], cwd=str(ROOT))


def ensure_environment():
    """The interpreter of a complete `.venv`; makes or rebuilds it when it is not complete.

    Raises SetupError when no Python 3.10 is found or the packages cannot be installed.
    """
    python = VENV / "bin" / "python"
    fingerprint = hashlib.sha256(
        REQUIREMENTS.read_bytes() + b"\0" + CONSTRAINTS.read_bytes()
    ).hexdigest()
    if is_complete(python, fingerprint):
        return python
    if VENV.exists():
        print("The environment in .venv is not complete or out of date: it is made anew.")
        shutil.rmtree(str(VENV))
    LOG.parent.mkdir(parents=True, exist_ok=True)
    started = time.time()
    with LOG.open("w", encoding="utf-8") as log:
        print("Setting up Python 3.10 and the Azure ML SDK in .venv (once; about 2.5 GB).")
        uv, base = find_base(log)
        step("Making .venv with {}".format(base))
        run([uv, "venv", "--python", base, "--seed", str(VENV)], log)
        install = [uv, "pip", "install", "--python", str(python)]
        install += ["--build-constraint", str(CONSTRAINTS), "-r", str(REQUIREMENTS)]
        run(install, log, progress=True)
        step("Checking that the packages agree with each other")
        run([uv, "pip", "check", "--python", str(python)], log)
    STAMP.write_text(json.dumps({"fingerprint": fingerprint}), encoding="utf-8")
    step("Set up in {:.0f} s".format(time.time() - started))
    return python


def is_complete(python, fingerprint):
    """Whether `.venv` was finished with these requirements and its interpreter still runs."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(stamp, dict) or stamp.get("fingerprint") != fingerprint:
        return False
    # A venv breaks when the Python it was made with goes, or when its folder is moved.
    return version_of(str(python)) == WANTED and (VENV / "bin" / "pytest").exists()


def version_of(python):
    """(major, minor) of the interpreter `python`, or None when it does not run."""
    code = "import sys; print(sys.version_info[0], sys.version_info[1])"
    try:
        done = subprocess.run(
            [python, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    major, minor = done.stdout.split()
    return int(major), int(minor)


def candidates():
    """Every place where a Python 3.10 may be, the most likely first."""
    yield sys.executable
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield os.path.join(folder, "python3.10")
    pyenv = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))
    for version in sorted(pyenv.glob("versions/3.10*"), reverse=True):
        yield str(version / "bin" / "python")
    for prefix in ("CONDA_PREFIX", "CONDA_ROOT"):
        if os.environ.get(prefix):
            yield os.path.join(os.environ[prefix], "bin", "python")
    for conda in ("miniconda3", "anaconda3", "miniforge3", "mambaforge"):
        for environment in sorted(Path(os.path.expanduser("~"), conda).glob("envs/*")):
            yield str(environment / "bin" / "python")


def find_base(log):
    """(uv, Python 3.10): paths of two programs that run.

    Raises SetupError, saying what to install, when either cannot be had.
    """
    base = next((found for found in candidates() if version_of(found) == WANTED), None)
    uv = find_uv(base or sys.executable, log)
    if base is None:
        step("Looking for a Python 3.10 with uv")
        base = asked(uv, ["python", "find", "--no-project", "3.10"])
    if base is None:
        step("Downloading a Python 3.10 with uv")
        subprocess.call([uv, "python", "install", "3.10"], stdout=log, stderr=log)
        base = asked(uv, ["python", "find", "--no-project", "3.10"])
    if base is None:
        raise SetupError(
            "No Python 3.10 was found and none could be downloaded (see {}). The SDK's own "
            "requirements exist for Python 3.10 only. Install it, for example with `apt install "
            "python3.10`, `brew install python@3.10`, `pyenv install 3.10` or `conda create -n "
            "azureml python=3.10`, and run this command again.".format(LOG)
        )
    return uv, base


def asked(program, arguments):
    """What `program` prints, or None when it fails or prints the path of no Python 3.10."""
    done = subprocess.run(
        [program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    answer = done.stdout.decode("utf-8", "replace").strip()
    return answer if done.returncode == 0 and version_of(answer) == WANTED else None


def find_uv(python, log):
    """The uv on PATH, or one installed into a throw-away folder with the pip of `python`.

    Raises SetupError when `python` has no pip and no uv is there.
    """
    present = shutil.which("uv")
    if present:
        return present
    target = ROOT / ".venv-uv"
    program = target / "bin" / "uv"
    if program.exists() and asked_version(program):
        return str(program)
    step("Fetching uv, which installs the rest")
    wanted = next(
        line.strip()
        for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()
        if line.startswith("uv==")
    )
    for pip in pips(python):
        shutil.rmtree(str(target), ignore_errors=True)
        command = [*pip, "install", "--quiet", "--target", str(target), wanted]
        # The locked uv may need a newer Python than the one at hand; any uv will do here.
        for attempt in (command, [*command[:-1], "uv"]):
            if subprocess.call(attempt, stdout=log, stderr=log) == 0 and program.exists():
                return str(program)
    raise SetupError(failure("uv could not be installed with pip."))


def pips(python):
    """Ways to call a pip, best first; Debian's Python comes without one."""
    for interpreter in dict.fromkeys([python, sys.executable]):
        yield [interpreter, "-m", "pip"]
    for name in ("pip3", "pip"):
        found = shutil.which(name)
        if found:
            yield [found]


def asked_version(program):
    """Whether `program --version` works."""
    try:
        return subprocess.call([str(program), "--version"], stdout=subprocess.DEVNULL) == 0
    except OSError:
        return False


def run(command, log, progress=False):
    """Run `command` with its output in the log, and as progress lines when asked to.

    Raises SetupError, with the cause in one sentence, when it fails.
    """
    log.write("$ {}\n".format(" ".join(command)))
    log.flush()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with Progress(progress) as shown:
        for line in iter(process.stdout.readline, b""):
            text = line.decode("utf-8", "replace")
            log.write(text)
            shown.say(text.strip())
    if process.wait() != 0:
        log.flush()
        raise SetupError(failure("`{}` failed.".format(" ".join(command[:3]))))


class Progress:
    """Tells how an installation goes: one line that changes on a terminal, few lines elsewhere."""

    WORDS = ("Resolved", "Downloading", "Downloaded", "Building", "Built", "Prepared", "Installed")

    def __init__(self, active):
        self._active = active
        self._terminal = sys.stdout.isatty()
        self._started = time.time()

    def __enter__(self):
        if self._active:
            step("Installing {} packages".format(len(REQUIREMENTS.read_text().splitlines())))
        return self

    def __exit__(self, *_):
        if self._active and self._terminal:
            sys.stdout.write("\r\033[K")
            sys.stdout.flush()

    def say(self, line):
        """Show `line` if it says how far things are."""
        if not self._active or not line.startswith(self.WORDS):
            return
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            shown = "  {:4.0f} s  {}".format(time.time() - self._started, line)
            sys.stdout.write("\r\033[K" + shown[:width])
            sys.stdout.flush()
        elif line.startswith(("Resolved", "Prepared", "Installed")):
            step("  " + line)


def step(text):
    """Print one line at once, also into a pipe."""
    print(text, flush=True)


def failure(what):
    """`what`, its probable cause, and where the whole output is."""
    said = LOG.read_text(encoding="utf-8", errors="replace").lower()
    if any(sign in said for sign in NETWORK_SIGNS):
        why = (
            "The package index cannot be reached: is this machine online? Behind a proxy set "
            "HTTPS_PROXY; with an index of your own set UV_INDEX_URL and PIP_INDEX_URL."
        )
    elif "no space left" in said:
        why = "The disk is full: the environment needs about 2.5 GB."
    else:
        why = "The last lines of its output may say why."
    return "{} {}\nThe whole output is in {}.".format(what, why, LOG)


if __name__ == "__main__":
    if os.name == "nt":
        print("On Windows, run this inside WSL: see README.md.", file=sys.stderr)
        raise SystemExit(2)
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
