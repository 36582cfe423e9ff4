"""Requirements on versions, and the versions nearest to them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Protocol

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_EXACT = ("==", "===", "~=")
_UPPER = ("<", "<=")
_LOWER = (">", ">=")


class FindVersions(Protocol):
    """Asks the package index."""

    def __call__(self, requirement: str, *options: str) -> list[str] | None:
        """What a requirement leads to with options of the installer, as lines of pip; or None."""


@dataclass(frozen=True)
class Pin:
    """A requirement with a version.

    Attributes:
        line: the requirement as it was written.
        name: the package.
        goal: the version that is meant, or the nearest to what is meant.
    """

    line: str
    name: str
    goal: Version

    def at(self, version: str) -> str:
        """The same requirement of another version."""
        return self._with(f"=={version}")

    def beyond(self, version: str) -> str:
        """The same requirement of another version, or of any that is farther away."""
        return self._with(f">={version}" if Version(version) >= self.goal else f"<={version}")

    def _with(self, versions: str) -> str:
        requirement = Requirement(self.line)
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        marker = f"; {requirement.marker}" if requirement.marker else ""
        return f"{requirement.name}{extras}{versions}{marker}"


def pin_of(line: str) -> Pin | None:
    """`line` as a pin; None when it is none."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None
    goal = _goal(requirement)
    if requirement.url is not None or goal is None:
        return None
    return Pin(line, requirement.name, goal)


def nearest(pin: Pin, find: FindVersions) -> str | None:
    """The version nearest to that of `pin` that `find` finds; None when there is none."""
    above = find(f"{pin.name}>={pin.goal}", "--resolution", "lowest")
    below = find(f"{pin.name}<{pin.goal}")
    found = [
        version for lines in (above, below) if (version := _version_of(pin.name, lines)) is not None
    ]
    # Of two that are as near the first: that above.
    return str(min(found, key=lambda version: _distance(version, pin.goal))) if found else None


def _goal(requirement: Requirement) -> Version | None:
    versions: dict[str, list[Version]] = {}
    for clause in requirement.specifier:
        try:
            version = Version(clause.version.removesuffix(".*"))
        except InvalidVersion:
            continue
        versions.setdefault(clause.operator, []).append(version)

    def of(operators: tuple[str, ...]) -> list[Version]:
        return [version for operator in operators for version in versions.get(operator, [])]

    for operators, choose in ((_EXACT, max), (_UPPER, min), (_LOWER, max)):
        if found := of(operators):
            return choose(found)
    return None


def _version_of(name: str, lines: list[str] | None) -> Version | None:
    for line in lines or ():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if canonicalize_name(requirement.name) == canonicalize_name(name):
            return next((Version(clause.version) for clause in requirement.specifier), None)
    return None


def _distance(version: Version, goal: Version) -> tuple[int, ...]:
    """How far two versions are apart: first by major release, then by minor one, and so on."""
    pairs = zip_longest(version.release, goal.release, fillvalue=0)
    return (abs(version.epoch - goal.epoch), *(abs(one - other) for one, other in pairs))
