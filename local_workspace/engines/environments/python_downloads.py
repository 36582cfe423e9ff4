"""Pythons that are not on this machine and that uv can fetch."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from local_workspace.engines.environments import pythons
from local_workspace.engines.environments.plan import hide_passwords
from local_workspace.engines.environments.pythons import Interpreter

# How long a download may take, and how long one that failed is not tried again.
_DOWNLOAD_SECONDS = 600.0
_FAILED_FOR_SECONDS = 600.0

_downloading = threading.Lock()
# Until when (time.monotonic) a download that failed is not tried again.
_failed: dict[Version, float] = {}


def download(wanted: SpecifierSet, log: Callable[[str], None]) -> Interpreter | None:
    """Have uv download a Python for `wanted`, which no Python of this machine fits.

    It is the latest that fits; when uv has none, the one that is nearest, if it is nearer than what
    is here. None when there is nothing to be gained, when the download fails, which `log` is told,
    and when the user forbids it with UV_PYTHON_DOWNLOADS=never. Safe to call from several threads.
    """
    if os.environ.get("UV_PYTHON_DOWNLOADS") == "never":
        return None
    with _downloading:
        # Who held the lock before may have downloaded it.
        here = pythons.fitting(wanted)
        if here is not None:
            return here
        version = _version_for(wanted)
        if version is None or time.monotonic() < _failed.get(version, 0.0):
            return None
        log(f"uv downloads Python {version}.")
        reason = _download(version)
        if reason is not None:
            _failed[version] = time.monotonic() + _FAILED_FOR_SECONDS
            log(f"Python {version} could not be downloaded: {reason}")
            return None
        found = pythons.installed_interpreters()
        return next((one for one in found if one.version == version), None)


def _version_for(wanted: SpecifierSet) -> Version | None:
    offered = pythons.offered_versions()
    fits = [version for version in offered if wanted.contains(version)]
    if fits:
        return max(fits)
    here = pythons.distance(pythons.nearest(wanted).version, wanted)
    nearer = [version for version in offered if pythons.distance(version, wanted) < here]
    return min(nearer, key=lambda version: pythons.distance(version, wanted), default=None)


def _download(version: Version) -> str | None:
    """Why it cannot be had; None when it is there."""
    # The installer downloads no Python on its own; here it is asked to.
    environment = pythons.installer_environment(os.environ) | {"UV_PYTHON_DOWNLOADS": "manual"}
    try:
        subprocess.run(
            [*pythons.uv_command(), "python", "install", "--no-bin", str(version)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_DOWNLOAD_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        return " ".join(hide_passwords(error.stderr).split()) or "uv gave no reason."
    except subprocess.TimeoutExpired:
        return f"it took more than {_DOWNLOAD_SECONDS:.0f} seconds."
    pythons.forget_listing()
    return None
