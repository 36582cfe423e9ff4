"""The Pythons of this machine, and what the workspace's own environment has installed."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from local_workspace.client_environment import server_environment
from local_workspace.python_folders import search_path
from local_workspace.variables import OF_ANOTHER_PYTHON, said_to_uv

_log = logging.getLogger(__name__)

# The oldest Python that a virtual environment with today's installer can be made of.
_OLDEST = Version("3.8")
# How long what uv lists is believed, and how long it may take: a Python may hang.
_LISTED_FOR_SECONDS = 60.0
_LISTING_SECONDS = 60.0

# Packages without content of their own: whoever has the parts has them. Their version is that of
# azureml-core.
_COLLECTIONS = {
    "azureml-defaults": (
        "azureml-core",
        "azureml-dataset-runtime",
        "azureml-inference-server-http",
    ),
    "azureml-sdk": (
        "azureml-core",
        "azureml-dataset-runtime",
        "azureml-pipeline-core",
        "azureml-pipeline-steps",
        "azureml-train-automl-client",
        "azureml-train-core",
    ),
}


_listing = threading.Lock()
# What uv listed last, and when (time.monotonic).
_listed: tuple[float, list[Interpreter]] | None = None


@dataclass(frozen=True)
class Interpreter:
    """A Python: its program and its version."""

    path: Path
    version: Version


def own_interpreter() -> Interpreter:
    """The Python that this program runs in: the workspace's own environment."""
    return Interpreter(Path(sys.executable), Version(platform.python_version()))


def uv_command() -> list[str]:
    """The uv of the workspace's own environment."""
    return [sys.executable, "-m", "uv"]


def installer_environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment variables for uv: the user's, with what they set for pip said to uv."""
    environment = server_environment(base)
    for name in (*OF_ANOTHER_PYTHON, "UV_PROJECT", "UV_PYTHON"):
        environment.pop(name, None)
    environment.update(said_to_uv(environment))
    environment.setdefault("UV_HTTP_TIMEOUT", "60")
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    environment["UV_NO_PROGRESS"] = "1"
    environment["NO_COLOR"] = "1"
    return environment


def fitting(wanted: SpecifierSet) -> Interpreter | None:
    """The Python to use for `wanted`: the workspace's own, else another one of this machine."""
    own = own_interpreter()
    if wanted.contains(own.version, prereleases=True):
        return own
    present = [found for found in installed_interpreters() if wanted.contains(found.version)]
    return max(present, key=lambda found: found.version, default=None)


def nearest(wanted: SpecifierSet) -> Interpreter:
    """The Python of this machine whose version is closest to `wanted`."""
    # The own one comes first, so that it wins when another one is just as far away.
    present = [own_interpreter(), *installed_interpreters()]
    return min(present, key=lambda found: distance(found.version, wanted))


def distance(version: Version, wanted: SpecifierSet) -> int:
    """How many minor releases lie between `version` and what is wanted."""
    return abs(_minor(str(version)) - _minor(next(iter(wanted)).version))


def installed_interpreters() -> list[Interpreter]:
    """Every CPython of this machine, from the oldest usable one on.

    uv is asked, which runs each of them that it does not know yet; what it says is believed for a
    minute. Safe to call from several threads.
    """
    global _listed
    with _listing:
        if _listed is None or time.monotonic() - _listed[0] > _LISTED_FOR_SECONDS:
            _listed = (time.monotonic(), _ask_uv("--only-installed"))
        return list(_listed[1])


def offered_versions() -> list[Version]:
    """Every version of CPython that uv would download for this machine."""
    return [offered.version for offered in _ask_uv("--only-downloads")]


def forget_listing() -> None:
    """Have uv list the Pythons of this machine anew."""
    global _listed
    with _listing:
        _listed = None


def _ask_uv(which: str) -> list[Interpreter]:
    """What uv lists: of those that are not here the path is empty."""
    environment = installer_environment(os.environ)
    environment["PATH"] = search_path(environment)
    try:
        answer = subprocess.run(
            [*uv_command(), "python", "list", which, "--output-format", "json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_LISTING_SECONDS,
            check=True,
        )
    except subprocess.SubprocessError:
        _log.exception("uv could not list the Pythons of this machine")
        return []
    found: dict[Version, Interpreter] = {}
    for entry in json.loads(answer.stdout):
        version = Version(entry["version"])
        usable = (
            entry.get("implementation") == "cpython"
            and entry.get("variant", "default") == "default"
            and not version.is_prerelease
            and version >= _OLDEST
        )
        if usable:
            # Several programs of one version are one Python under several names.
            found.setdefault(version, Interpreter(Path(entry["path"] or ""), version))
    return list(found.values())


def unmet(requirements: Iterable[str]) -> list[str]:
    """Those of `requirements` that the workspace's own environment does not have installed."""
    return [line for line in requirements if not _is_met(line)]


def _is_met(line: str, visited: frozenset[str] = frozenset()) -> bool:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return False
    if requirement.url is not None:
        return False
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return True
    name = canonicalize_name(requirement.name)
    if name in _COLLECTIONS and _distribution(name) is None:
        return all(
            _is_met(f"{part}{requirement.specifier if part == 'azureml-core' else ''}")
            for part in _COLLECTIONS[name]
        )
    distribution = _distribution(name)
    if distribution is None:
        return False
    if not requirement.specifier.contains(distribution.version, prereleases=True):
        return False
    return all(
        _is_met(needed, visited | {name})
        for extra in requirement.extras
        for needed in _needed_by_extra(distribution, extra)
        if name not in visited
    )


def _needed_by_extra(distribution: importlib.metadata.Distribution, extra: str) -> list[str]:
    """What `extra` adds to what the distribution needs anyway."""
    added = []
    for line in distribution.requires or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or marker.evaluate({"extra": ""}):
            continue
        if marker.evaluate({"extra": extra}):
            requirement.marker = None
            added.append(str(requirement))
    return added


def _distribution(name: str) -> importlib.metadata.Distribution | None:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _minor(version: str) -> int:
    """A version as one number that grows by one from one minor release to the next."""
    release = Version(version.removesuffix(".*")).release
    return release[0] * 100 + (release[1] if len(release) > 1 else 0)
