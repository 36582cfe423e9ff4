"""Who waits for environments, and what they wait for together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local_workspace.engines.environments.builder import Choice
from local_workspace.engines.environments.plan import (
    EnvironmentBuildCanceled,
    EnvironmentBuildError,
)

_log = logging.getLogger(__name__)


class Wanted:
    """The Python of an environment that somebody asked for. Safe to call from several threads.

    Attributes:
        definition: the document of an `Environment`.
        choice: what will run its jobs, when that is known.
        replaced: a sentence for each package that is there in another version than was asked for.
    """

    def __init__(
        self,
        definition: Mapping[str, Any],
        log: Callable[[str], None],
        ready: Callable[[], None],
    ) -> None:
        self.definition = definition
        self.choice: Choice | None = None
        self.replaced: list[str] = []
        self._log = log
        self._ready = ready
        self._lock = threading.Lock()
        self._is_over = False
        self._python: Path | None = None
        self._failure: EnvironmentBuildError | None = None
        self._build: SharedBuild | None = None

    # For who asked

    def python(self) -> Path | None:
        """The Python; None while it is not there.

        Raises EnvironmentBuildError when it cannot be had, EnvironmentBuildCanceled after
        `give_up`.
        """
        with self._lock:
            if self._failure is not None:
                raise self._failure.with_traceback(None)
            return self._python

    def give_up(self) -> None:
        """Wait no more: nothing is said or told from now on. Returns at once.

        The build ends when nobody else waits for it.
        """
        self._end(failure=EnvironmentBuildCanceled("Nobody waits for the environment any more."))
        if self._build is not None:
            self._build.leave(self)

    # For the engine

    @property
    def is_over(self) -> bool:
        """Whether there is an outcome, or nobody waits for one."""
        return self._is_over

    def say(self, line: str) -> None:
        """Write a line into the log of who waits."""
        if self._is_over:
            return
        try:
            self._log(line)
        except Exception:
            # A log is whatever its owner gave: the trouble of one is not that of the others who
            # wait for the same build.
            _log.exception("A line about an environment could not be logged")

    def answer(self, choice: Choice) -> None:
        """The environment is there."""
        self.replaced = choice.replaced()
        self._tell(self._end(python=choice.python))

    def fail(self, message: str) -> None:
        """The environment cannot be had."""
        self._tell(self._end(failure=EnvironmentBuildError(message)))

    def wait_for(self, build: SharedBuild) -> None:
        """Note whom to tell when this one gives up."""
        self._build = build

    def _end(
        self, python: Path | None = None, failure: EnvironmentBuildError | None = None
    ) -> bool:
        """Keep the outcome unless there is one; whether it was kept."""
        with self._lock:
            if self._is_over:
                return False
            self._python, self._failure, self._is_over = python, failure, True
            return True

    def _tell(self, is_news: bool) -> None:
        if not is_news:
            return
        try:
            self._ready()
        except Exception:
            _log.exception("Who waits for an environment could not be told")


class SharedBuild:
    """One build, for all who wait for the same environment. Safe to call from several threads.

    Attributes:
        choice: what is built.
    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self._lock = threading.RLock()
        self._waiting: list[Wanted] = []
        self._said: list[str] = []
        self._is_over = False
        self._failure: str | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether anybody waits for it."""
        return bool(self._waiting)

    @property
    def is_over(self) -> bool:
        """Whether it came to its end, good or bad."""
        return self._is_over

    def join(self, wanted: Wanted) -> None:
        """Have one more wait, who gets the lines so far."""
        with self._lock:
            for line in self._said:
                wanted.say(line)
            self._waiting.append(wanted)
            wanted.wait_for(self)
        if wanted.is_over:
            # It gave up meanwhile, and did not know yet whom to tell.
            self.leave(wanted)

    def leave(self, wanted: Wanted) -> None:
        """Have one less wait."""
        with self._lock:
            if wanted in self._waiting:
                self._waiting.remove(wanted)

    def say(self, line: str) -> None:
        """Write a line into the logs of all who wait."""
        with self._lock:
            self._said.append(line)
            for wanted in self._waiting:
                wanted.say(line)

    def end(self, failure: str | None = None) -> None:
        """Note that it is over; `failure` says why it went wrong."""
        self._failure, self._is_over = failure, True

    def tell(self) -> None:
        """Tell all who wait how it ended."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for wanted in waiting:
            if self._failure is None:
                wanted.answer(self.choice)
            else:
                wanted.fail(self._failure)
