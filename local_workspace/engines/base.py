"""The contract of everything that works in the background.

An engine looks after items (a job, a sweep, a pipeline), each known by a key. One loop looks at an
item when it is woken, by an event or a caller, and when its own clock says so. It looks at each in
isolation: a step that fails is tried again with a growing delay, and in the end the item is failed
with a reason. The tables are the truth: what is to be done next is read from them, so that after a
crash, or an event that was missed, the loop finds its work again.

To write one: subclass `Engine`, say in `unfinished` which items the tables hold, do one step of an
item in `look`, end an item in `fail`, and name in `heard` the items that an event concerns.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from sqlalchemy.exc import OperationalError

from local_workspace.errors import ServiceError, StorageFull
from local_workspace.events import Event
from local_workspace.workspace import LocalWorkspace

_log = logging.getLogger(__name__)

Key = Hashable

# A step that fails is tried this often altogether before its item fails.
MAX_TRIES = 6
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 5.0
# How often the tables are asked for items of which no event told.
RESCAN_SECONDS = 30.0


class Engine(ABC):
    """Looks after its items on a thread of its own; costs nothing until there is one.

    Attributes:
        name: under which others find it: `workspace.engines.<name>`.
        hears: the kinds of events that `heard` is called with.
        helpers: how many steps may go on beside the loop; see `aside`.
    """

    name: ClassVar[str]
    hears: ClassVar[tuple[type[Event], ...]] = ()
    helpers: ClassVar[int] = 4

    def __init__(self, workspace: LocalWorkspace) -> None:
        self.workspace = workspace
        self._wake = threading.Condition()
        self._due: dict[Key, float] = {}
        self._aside: set[Key] = set()
        self._given_away: Callable[[], None] | None = None
        self._failures: dict[Key, int] = {}
        self._not_before: dict[Key, float] = {}
        self._rescan_at = 0.0
        self._closing = False
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(self.helpers, f"{self.name}-helper")

    # What an engine says of itself

    @abstractmethod
    def unfinished(self) -> Iterable[Key]:
        """The items in the tables whose work is not over."""

    @abstractmethod
    def look(self, key: Key) -> float | None:
        """Do the next step of an item, as far as it can be done at once.

        Returns after how many seconds to look again; None: when something wakes it. An item that
        is over needs nothing. What takes time goes to `aside`.
        """

    @abstractmethod
    def fail(self, key: Key, reason: str) -> None:
        """End an item, one of whose steps failed again and again; `reason` is for its user."""

    def heard(self, event: Event) -> Iterable[Key]:
        """The items that an event concerns; they are looked at."""
        return ()

    # What others call

    def start(self) -> None:
        """Take up what the tables hold, and listen."""
        if self.hears:
            self.workspace.events.subscribe(self.hears, self._hear)
        self._rescan()

    def stop_looking(self) -> None:
        """Begin no further step. The first thing that `close` does."""
        with self._wake:
            self._closing = True
            self._wake.notify()

    def close(self) -> None:
        """End the loop; steps beside it that have begun come to their end."""
        self.stop_looking()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def wake(self, key: Key) -> None:
        """Look at an item as soon as can be. Returns at once."""
        with self._wake:
            self._schedule(key, 0.0)
            self._wake.notify()

    # What an engine uses

    @property
    def is_closing(self) -> bool:
        """Whether the engine is to end: long steps give up then."""
        return self._closing

    def aside(self, step: Callable[[], None]) -> None:
        """Do a step of the item that `look` looks at beside the loop, when `look` has returned.

        The item is not looked at meanwhile, and is looked at when the step has ended. A step that
        raises counts like a look that does.
        """
        self._given_away = step

    # The loop

    def _schedule(self, key: Key, seconds: float) -> None:
        """Have an item looked at in so many seconds, if not before; with the lock held."""
        if self._closing:
            return
        if key in self._aside:
            # It is looked at when the step beside has ended, whatever happens meanwhile.
            return
        moment = max(time.monotonic() + seconds, self._not_before.get(key, 0.0))
        self._due[key] = min(moment, self._due.get(key, moment))
        self._have_a_loop()

    def _have_a_loop(self) -> None:
        """Begin the loop, unless there is one; with the lock held."""
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._loop, name=self.name, daemon=True)
            self._thread.start()

    def _loop(self) -> None:
        while True:
            with self._wake:
                if self._closing:
                    return
                now = time.monotonic()
                ready = sorted(
                    (key for key, moment in self._due.items() if moment <= now), key=self._due.get
                )
                if not ready and now < self._rescan_at:
                    soonest = min(self._due.values(), default=self._rescan_at)
                    self._wake.wait(min(soonest, self._rescan_at) - now)
                    continue
                for key in ready:
                    del self._due[key]
            if now >= self._rescan_at:
                self._rescan()
            for key in ready:
                if self._closing:
                    return
                self._look_at(key)

    def _rescan(self) -> None:
        self._rescan_at = time.monotonic() + RESCAN_SECONDS
        try:
            keys = list(self.unfinished())
        except Exception:
            # Of an engine's own code and its database: neither may end the loop.
            _log.exception("The engine %s could not read its tables", self.name)
            with self._wake:
                self._rescan_at = time.monotonic() + LONGEST_DELAY_SECONDS
                # Whether there are items is not known: somebody has to ask again.
                self._have_a_loop()
                self._wake.notify()
            return
        with self._wake:
            for key in keys:
                self._schedule(key, 0.0)
            self._wake.notify()

    def _hear(self, event: Event) -> None:
        try:
            keys = list(self.heard(event))
        except Exception:
            # Of an engine's own code, in the thread of whoever published: it is none of theirs.
            # What the event concerns is found in the tables.
            _log.exception("The engine %s could not follow an event", self.name)
            self._rescan()
            return
        for key in keys:
            self.wake(key)

    def _look_at(self, key: Key) -> None:
        self._given_away = None
        try:
            seconds = self.look(key)
        except Exception as error:
            self._failed(key, error)
            return
        step = self._given_away
        with self._wake:
            if step is not None:
                self._aside.add(key)
                # Who woke it meanwhile is served by the look after the step.
                self._due.pop(key, None)
            else:
                self._went_well(key)
                if seconds is not None:
                    self._schedule(key, seconds)
        if step is not None:
            self._pool.submit(self._beside, key, step)

    def _beside(self, key: Key, step: Callable[[], None]) -> None:
        error: Exception | None = None
        try:
            step()
        except Exception as problem:
            error = problem
        with self._wake:
            self._aside.discard(key)
            if error is None:
                self._went_well(key)
                self._schedule(key, 0.0)
                self._wake.notify()
        if error is not None:
            self._failed(key, error)

    def _went_well(self, key: Key) -> None:
        self._failures.pop(key, None)
        self._not_before.pop(key, None)

    def _failed(self, key: Key, error: Exception) -> None:
        tries = self._failures.get(key, 0)
        if not _passes(error):
            tries += 1
            _log.error("The engine %s failed in a step of %s", self.name, key, exc_info=error)
        if tries >= MAX_TRIES:
            try:
                self.fail(key, f"{type(error).__name__}: {error}")
            except Exception:
                # Whatever kept it from ending: it is failed again after the next delay.
                _log.exception("The engine %s could not end %s", self.name, key)
            else:
                with self._wake:
                    self._went_well(key)
                    self._schedule(key, 0.0)
                    self._wake.notify()
                return
        doubled = min(max(tries - 1, 0), MAX_TRIES)
        delay = min(FIRST_DELAY_SECONDS * 2**doubled, LONGEST_DELAY_SECONDS)
        if _passes(error):
            delay = LONGEST_DELAY_SECONDS / 5
        with self._wake:
            self._failures[key] = tries
            # Whoever woke it while it failed waits with it.
            self._due.pop(key, None)
            self._not_before[key] = time.monotonic() + delay
            self._schedule(key, delay)
            self._wake.notify()


def _passes(error: Exception) -> bool:
    """Whether an error is no fault of the item and ends when somebody frees some space."""
    if isinstance(error.__cause__, OSError):
        # The storage of blobs raises errors of its own from those of the disk.
        error = error.__cause__
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if isinstance(error, ServiceError):
        return error.code == StorageFull.code
    return isinstance(error, OperationalError) and "full" in str(error.orig)
