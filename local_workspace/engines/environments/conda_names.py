"""Conda packages as packages of the Python package index."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

_DEPENDENCY = re.compile(
    r"(?:[^:\s\[]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<brackets>\[.*\])?\s*(?P<version>.*)"
)
_VERSION_IN_BRACKETS = re.compile(r"version\s*=\s*['\"]?([^'\"\],]+(?:,[^'\"\]=]+)*)['\"]?")
_CLAUSE = re.compile(r"(?P<operator>==|>=|<=|!=|~=|=|>|<)?\s*(?P<version>[^=<>!~\s]+)")


class UnreadableDependency(Exception):
    """A line among the conda dependencies that names no package."""


@dataclass(frozen=True)
class CondaPackage:
    """A conda dependency: its name, and its version in the words of PEP 440."""

    name: str
    versions: SpecifierSet


def read(dependency: str) -> CondaPackage:
    """A conda dependency such as `numpy=1.23`, `numpy==1.23.5=py310_0` or `numpy>=1.2,<2`.

    A single `=` is conda's prefix match: `=1.23` is `==1.23.*`. Builds and channels are dropped;
    a choice of versions (`1.2|1.3`) leaves the version open. Raises UnreadableDependency.
    """
    match = _DEPENDENCY.fullmatch(dependency.strip())
    if match is None:
        raise UnreadableDependency(f"'{dependency}' among the conda dependencies is no package.")
    version = match["version"]
    if match["brackets"]:
        inside = _VERSION_IN_BRACKETS.search(match["brackets"])
        version = inside[1] if inside else version
    # The name in one spelling for the tables: conda writes `_` where the index writes `-`.
    name = re.sub(r"[_.-]+", "-", match["name"]).lower()
    try:
        return CondaPackage(name, _versions(version))
    except InvalidSpecifier as error:
        raise UnreadableDependency(
            f"'{dependency}' among the conda dependencies has a version that cannot be read."
        ) from error


def requirement(package: CondaPackage) -> tuple[str | None, str | None]:
    """`package` as a requirement of the package index, and what there is to say about it.

    The requirement is None for what only conda has; the remark is None when nothing is special.
    """
    names = _names()
    if _is_among(names["cuda"], package.name):
        return None, f"'{package.name}' is left out: there is no CUDA here, jobs run on CPUs."
    is_on_pypi = _is_among(names["on_pypi"], package.name)
    if not is_on_pypi and _is_among(names["only_in_conda"], package.name):
        return None, f"'{package.name}' is left out: only conda has it, wheels do not need it."
    name = names["pypi_names"].get(package.name, package.name)
    remark = None
    if name != package.name:
        remark = f"'{package.name}' of conda is '{name}' of the Python package index."
    return f"{name}{package.versions}", remark


@cache
def _names() -> dict[str, Any]:
    """What conda_names.json says, where names are in lower case and with `-`.

    `pypi_names`: those that differ; everything else is called alike. `only_in_conda`: programs and
    C libraries that only conda packs, of which the wheels bring what they need; `on_pypi` are
    exceptions from its patterns. `cuda`: what is of no use without a graphics processor.
    """
    return json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def _is_among(patterns: list[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _versions(text: str) -> SpecifierSet:
    text = text.strip()
    if "|" in text:
        return SpecifierSet()
    # `=1.2=py310_0` and `1.2 py310_0`: the second part is a build.
    text = re.sub(r"^(={1,2}[^=,]+)=[^,]*$", r"\1", text)
    text = re.sub(r"^([\w.*]+)\s+\S+$", r"\1", text)
    clauses = []
    for part in text.split(","):
        if part.strip(" =") in ("", "*"):
            continue
        match = _CLAUSE.fullmatch(part.strip())
        if match is None:
            raise InvalidSpecifier(part)
        clauses.append(_clause(match["operator"] or "==", match["version"]))
    return SpecifierSet(",".join(clauses))


def _clause(operator: str, version: str) -> str:
    stem = version.rstrip("*").rstrip(".") if version.endswith("*") else version
    if operator == "=":
        try:
            return str(SpecifierSet(f"=={stem}.*"))
        except InvalidSpecifier:
            # A pre-release has no prefix to match.
            return f"=={stem}"
    if operator in ("==", "!="):
        return f"{operator}{stem}.*" if version.endswith("*") else f"{operator}{version}"
    return f"{operator}{stem}"
