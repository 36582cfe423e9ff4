"""What a service says of itself, once: `SERVICE = Service(...)` in its `routes.py`.

Dispatch, discovery, the support matrix and start-up read it; `startup.SERVICES` lists all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter

from local_workspace.identity.authentication import ASGIApp
from local_workspace.workspace import LocalWorkspace

# What is meant for people, and what a program calls it.
Row = tuple[str, str]


def _needs_nothing(_workspace: LocalWorkspace) -> None:
    """A service that works on an empty workspace."""


@dataclass(frozen=True)
class Service:
    """One service of the workspace.

    Attributes:
        name: that of its package, and of its routes in the API's description.
        title: its heading in the support matrix.
        router: its routes, each of which needs a token unless `identity.authentication` says so.
        application: for one with an authentication of its own: makes an ASGI application, which
            answers instead of routes.
        prefixes: the first segments of paths that are this service's own. An `application` without
            any answers whatever no service owns, and whatever is signed as storage is.
        discovery: the names under which clients look for it, each with the path at which it is.
        prepare: makes, at every start, what a workspace needs of it and does not have yet.
        works: rows of the support matrix for one without routes: what works, and what it is on the
            wire.
        not_yet: rows of the support matrix: what is not here yet, and what the SDK calls it.
    """

    name: str
    title: str
    router: APIRouter | None = None
    application: Callable[[LocalWorkspace], ASGIApp] | None = None
    prefixes: tuple[str, ...] = ()
    discovery: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[LocalWorkspace], None] = _needs_nothing
    works: tuple[Row, ...] = ()
    not_yet: tuple[Row, ...] = ()

    @property
    def is_here(self) -> bool:
        """Whether it answers anything; else its requests are answered with what is not here yet."""
        return self.router is not None or self.application is not None


def owners(services: tuple[Service, ...]) -> dict[str, Service]:
    """The services by the first segments of paths that they own.

    Raises ValueError when two own the same.
    """
    found: dict[str, Service] = {}
    for service in services:
        for prefix in service.prefixes:
            other = found.setdefault(prefix, service)
            if other is not service:
                raise ValueError(
                    f"The services {other.name} and {service.name} both own the prefix '{prefix}'."
                )
    return found


def first_segment(path: str) -> str:
    """What stands between the first two slashes of a path; empty for "/"."""
    return path.split("/", 2)[1] if path.startswith("/") else ""
