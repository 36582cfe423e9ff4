"""Which Python the SDK needs, and whether one is it; uv finds it, or fetches it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from local_workspace.variables import OF_ANOTHER_PYTHON

# The SDK's pins resolve on Python 3.10 only, and Microsoft publishes its data engine
# (azureml-dataprep-rslex, dotnetcore2) for x86-64 alone. Macs with an Apple processor run an
# x86-64 Python through Rosetta.
VERSION = (3, 10)
MACHINE = "x86_64"
_PROBE = "import platform, sys; print(*sys.version_info[:2], platform.machine())"


def describe_wanted() -> str:
    """Name the wanted Python for a person on this machine."""
    return "Python 3.10" if platform.machine() == MACHINE else "Python 3.10 for x86-64"


def uv_request() -> str:
    """Name the wanted Python as uv does."""
    system = "macos" if sys.platform == "darwin" else "linux"
    return f"cpython-3.10-{system}-{MACHINE}"


def clean_environment(first_on_path: Path | None = None) -> dict[str, str]:
    """The environment variables without those that make one Python load another's modules.

    `first_on_path` goes to the front of PATH, so that what an environment brings is found.
    """
    kept = {name: value for name, value in os.environ.items() if name not in OF_ANOTHER_PYTHON}
    if first_on_path is not None:
        path = kept.get("PATH", os.defpath)
        kept["PATH"] = os.pathsep.join([str(first_on_path), path])
        kept["VIRTUAL_ENV"] = str(first_on_path.parent)
    return kept


def is_wanted(python: str) -> bool:
    """Whether `python` runs and is the version, for the processor, that the SDK needs."""
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
