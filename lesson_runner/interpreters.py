"""Finds the Python that the SDK needs among those on this machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Iterator

# The SDK's pins resolve on Python 3.10 only, and Microsoft publishes its data engine
# (azureml-dataprep-rslex, dotnetcore2) for x86-64 alone. Macs with an Apple processor run an
# x86-64 Python through Rosetta.
VERSION = (3, 10)
MACHINE = "x86_64"
_PROBE = "import platform, sys; print(*sys.version_info[:2], platform.machine())"
_CONDA_FOLDERS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba")


def describe_wanted() -> str:
    """Name the wanted Python for a person on this machine."""
    return "Python 3.10" if platform.machine() == MACHINE else "Python 3.10 for x86-64"


def uv_request() -> str:
    """Name the wanted Python as uv does."""
    if platform.machine() == MACHINE:
        return "3.10"
    system = "macos" if sys.platform == "darwin" else "linux"
    return f"cpython-3.10-{system}-x86_64"


def clean_environment(first_on_path: Path | None = None) -> dict[str, str]:
    """The environment variables without those that make one Python load another's modules.

    `first_on_path` goes to the front of PATH, so that what an environment brings is found.
    """
    dropped = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    if first_on_path is not None:
        path = kept.get("PATH", os.defpath)
        kept["PATH"] = os.pathsep.join([str(first_on_path), path])
        kept["VIRTUAL_ENV"] = str(first_on_path.parent)
    return kept


def is_wanted(python: str) -> bool:
    """Whether `python` runs and is the version, for the processor, that the SDK needs.

    A file of the right name proves nothing: a shim of pyenv may stand for a Python not installed.
    """
    try:
        done = subprocess.run(
            [python, "-c", _PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
            timeout=30,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False
    said = done.stdout.decode("utf-8", "replace").split()
    return done.returncode == 0 and said == [*map(str, VERSION), MACHINE]


def find_interpreter(root: Path) -> str | None:
    """The first Python of this machine that will do; None when there is none."""
    seen = set()
    for candidate in _candidates(root):
        if candidate not in seen and os.path.exists(candidate) and is_wanted(candidate):
            return candidate
        seen.add(candidate)
    return None


def _candidates(root: Path) -> Iterator[str]:
    """Every place where a Python 3.10 may be, the most likely first."""
    yield sys.executable
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield os.path.join(folder, "python3.10")
    home = Path(os.path.expanduser("~"))
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    conda = [Path(os.environ[name]) for name in _conda_variables() if os.environ.get(name)]
    conda += [home / name for name in _CONDA_FOLDERS] + [Path("/opt/conda")]
    conda += _conda_environments(home / ".conda" / "environments.txt")
    for versions in (pyenv / "versions", root / ".venv-python"):
        for found in sorted(versions.glob("*3.10*/bin/python3.10"), reverse=True):
            yield str(found)
    for prefix in conda:
        yield str(prefix / "bin" / "python3.10")
        for found in sorted(prefix.glob("envs/*/bin/python3.10")):
            yield str(found)


def _conda_variables() -> list[str]:
    return ["CONDA_PREFIX", "CONDA_PREFIX_1", "CONDA_ROOT", "MAMBA_ROOT_PREFIX"]


def _conda_environments(register: Path) -> list[Path]:
    """The environments that conda has written down, wherever they lie."""
    try:
        lines = register.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [Path(line.strip()) for line in lines if line.strip()]
