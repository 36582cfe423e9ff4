"""Paths whose words are spelled in another case, as clients of Azure write them.

Azure compares the fixed words of a path without their case: `resourcegroups` and `resourceGroups`
are one. Routes know one spelling, which a path is given before they see it.
"""

from __future__ import annotations

from collections.abc import Iterable

from local_workspace.identity.authentication import ASGIApp, Receive, Scope, Send


class _Node:
    """What can follow after some segments of a path."""

    def __init__(self) -> None:
        # By the word as routes spell it, and by the word in small letters.
        self.words: dict[str, _Node] = {}
        self.folded: dict[str, list[str]] = {}
        # What follows after any name, for example that of an experiment.
        self.any_name: _Node | None = None
        self.is_end = False
        self.takes_all = False


class PathCase:
    """Knows how routes spell their paths. A segment with `{name}` stands for any one segment.

    Names keep the case that they are given; so does a segment that is a fixed word to one route and
    can be a name to another.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._root = _Node()
        for path in paths:
            self._add(path)

    def _add(self, path: str) -> None:
        node = self._root
        for segment in path.split("/"):
            if segment.endswith(":path}"):
                node.takes_all = True
                return
            if "{" in segment:
                node.any_name = node.any_name or _Node()
                node = node.any_name
                continue
            spellings = node.folded.setdefault(segment.lower(), [])
            if segment not in spellings:
                spellings.append(segment)
            node = node.words.setdefault(segment, _Node())
        node.is_end = True

    def spelled(self, path: str) -> str:
        """`path` as a route spells it; as it is when no route has it in any case."""
        segments = path.split("/")
        found = _walk(self._root, segments, 0)
        return path if found is None else "/".join([*found, *segments[len(found) :]])


def _walk(node: _Node, segments: list[str], at: int) -> list[str] | None:
    """The segments up to the end or to a part that takes all; None when there is no such route."""
    if at == len(segments):
        return segments if node.is_end else None
    segment = segments[at]
    following = node.words.get(segment)
    if following is not None:
        found = _walk(following, segments, at + 1)
        if found is not None:
            return found
    if node.any_name is not None and segment:
        found = _walk(node.any_name, segments, at + 1)
        if found is not None:
            return found
    for word in node.folded.get(segment.lower(), ()):
        if word != segment:
            found = _walk(node.words[word], [*segments[:at], word, *segments[at + 1 :]], at + 1)
            if found is not None:
                return found
    return segments[:at] if node.takes_all else None


class AnyCase:
    """ASGI middleware: gives routes the paths as they spell them."""

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self._app = app
        self._case = PathCase(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if scope["type"] == "http":
            scope["path"] = self._case.spelled(scope["path"])
        await self._app(scope, receive, send)
