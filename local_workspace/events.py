"""What happens in a workspace, told to whoever works in the background or shows it.

An event is told inside of the transaction that makes it true, and published after its commit; a
transaction that is rolled back publishes nothing. It is a hint, and the tables are the truth: who
misses one (a crash, an error of its own) finds its work again in the tables.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

_log = logging.getLogger(__name__)
_TOLD = "local_workspace_events"


@dataclass(frozen=True)
class Event:
    """Something that is true in the tables by now."""


@dataclass(frozen=True)
class RunStatusChanged(Event):
    """A run came to another state, which is not its last one."""

    run_id: str
    status: str
    parent_run_id: str | None
    root_run_id: str


@dataclass(frozen=True)
class RunEnded(Event):
    """A run is Completed, Failed or Canceled."""

    run_id: str
    status: str
    parent_run_id: str | None
    root_run_id: str


@dataclass(frozen=True)
class MetricsLogged(Event):
    """A run has new values of the metrics `names`."""

    run_id: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class ComputeChanged(Event):
    """A compute target was made, changed or deleted; `key` is its name in lower case."""

    key: str


@dataclass(frozen=True)
class PipelineChanged(Event):
    """A run of a pipeline began, or is to end."""

    run_id: str


@dataclass(frozen=True)
class ScheduleChanged(Event):
    """A schedule was made or changed."""

    schedule_id: str


Subscriber = Callable[[Event], None]


class EventBus:
    """Passes events on to subscribers, in the thread that publishes them.

    A subscriber takes note and returns at once: the work belongs to a thread of its own. Safe to
    call from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: list[tuple[tuple[type[Event], ...], Subscriber]] = []

    def subscribe(self, kinds: tuple[type[Event], ...], subscriber: Subscriber) -> None:
        """Call `subscriber` with every event that is one of `kinds`."""
        with self._lock:
            self._subscribers.append((kinds, subscriber))

    def publish(self, events: Iterable[Event]) -> None:
        """Pass `events` on. A subscriber's error is its own: it never reaches the publisher."""
        with self._lock:
            subscribers = list(self._subscribers)
        for event in events:
            for kinds, subscriber in subscribers:
                if not isinstance(event, kinds):
                    continue
                try:
                    subscriber(event)
                except Exception:
                    _log.exception("A subscriber of %s failed", type(event).__name__)


def tell(session: Session, event: Event) -> None:
    """Have `event` published once the transaction of `session` is committed."""
    told = session.info.setdefault(_TOLD, [])
    if event not in told:
        told.append(event)


def told(session: Session) -> list[Event]:
    """The events of a session's transaction so far, in their order."""
    return list(session.info.get(_TOLD, ()))
