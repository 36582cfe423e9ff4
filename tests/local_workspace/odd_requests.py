"""Requests that nobody means: what the tests of odd input send, and what is usual beside it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from fastapi.routing import iter_route_contexts
from usual_requests import BODIES

from local_workspace.startup import SERVICES

# In the place of any part of a body.
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**63,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "²",
    "a\0b",
    "\ud800",
    "x" * 5000,
    "9" * 5000,
    "0001-01-01T00:00:00+23:00",
    [],
    [5],
    [None],
    [[]],
    [{}],
    {},
    {"a": 5},
    {"a": {"a": []}},
    {"x" * 5000: "y"},
)
# In the place of the whole body, byte by byte.
ODD_BODIES: tuple[bytes, ...] = (
    b"",
    b"{",
    b"nothing",
    b"\xff\xfe\x00",
    b"\x00",
    b'{"a": "\xed\xa0\x80"}',
    b'{"a": NaN, "b": -Infinity}',
    b"[" * 5000 + b"]" * 5000,
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b'{"filter":' * 300 + b"1" + b"}" * 300,
    b'{"a": ' + b"9" * 10_000 + b"}",
    *(json.dumps(value).encode() for value in ODD_VALUES),
)
# In the place of a parameter, or of a part of a path; percent-encoded already.
ODD_TEXTS: tuple[str, ...] = (
    "x",
    "-1",
    "0",
    "%C2%B2",
    "%00",
    "a%00b",
    "%FF%FE",
    "%ED%A0%80",
    "%0A",
    "9" * 30,
    "9" * 5000,
    "x" * 300,
    "x" * 5000,
    "%27",
    "W10%3D",
    "eyJvZmZzZXQiOiBudWxsfQ%3D%3D",
    "bnVsbA%3D%3D",
    "Tags%2Fa%20eq%20null",
    "RunNumber%20eq%20" + "9" * 30,
    "%F0%9F%98%80",
    "..%2F..",
    "%2E%2E",
    "a%2Fb",
    "a" + "%2Fa" * 400,
)

_WS = (
    "/subscriptions/{subscription_id}/resourceGroups/{resource_group}"
    "/providers/Microsoft.MachineLearningServices/workspaces/{workspace_name}"
)


def routes() -> list[tuple[str, str, list[str]]]:
    """Method, path and parameters of all routes; those that delete come last."""
    found = []
    for service in SERVICES:
        for context in iter_route_contexts(service.router.routes if service.router else ()):
            names = _parameters(context.route.dependant)
            path = context.path.replace(_WS, "{WS}")
            found += [(method, path, sorted(names)) for method in sorted(context.methods)]
    return sorted(found, key=lambda one: one[0] == "DELETE")


def _parameters(dependant: Any) -> set[str]:
    names = {parameter.alias for parameter in dependant.query_params}
    for inner in dependant.dependencies:
        names |= _parameters(inner)
    return names


def usual_body(method: str, path: str) -> Any:
    """The usual body of a route; None when it takes none."""
    ends = [end for kind, end in BODIES if kind == method and path.endswith(end)]
    return BODIES[method, max(ends, key=len)] if ends else None


def bodies_with_one_odd_part(usual: Any) -> Iterator[tuple[str, Any]]:
    """Each part of `usual` in turn replaced by each of ODD_VALUES: (which, the body)."""
    for place in _places(usual, ()):
        for value in ODD_VALUES:
            body = copy.deepcopy(usual)
            part = body
            for key in place[:-1]:
                part = part[key]
            part[place[-1]] = value
            yield f"{'.'.join(map(str, place))} = {value!r:.40}", body


def _places(value: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in items:
        yield (*place, key)
        yield from _places(item, (*place, key))
