"""One database a workspace: SQLite in a file, or whatever SQLAlchemy reaches by URL."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from local_workspace.events import Event, told
from local_workspace.store import schema, sqlite


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _loads(text: str) -> Any:
    # Most of what is kept as JSON is empty, and a page of runs has thousands of such values.
    if text == "{}":
        return {}
    if text == "[]":
        return []
    return json.loads(text)


class Database:
    """Sessions on the records of one workspace.

    `read()` sees one consistent state. `write()` is one transaction: all of it is kept, or none,
    also when the process is killed half-way. What `events.tell` noted in it goes to `publish` after
    the commit.
    """

    def __init__(
        self, url: str, publish: Callable[[list[Event]], None] = lambda _events: None
    ) -> None:
        self._publish = publish
        self._sqlite = url.startswith("sqlite")
        options: dict[str, Any] = {
            "future": True,
            "json_serializer": _dumps,
            "json_deserializer": _loads,
        }
        if self._sqlite:
            options["connect_args"] = {"check_same_thread": False, "timeout": 60}
            options["poolclass"] = QueuePool
            options["pool_size"] = 16
            options["max_overflow"] = 48
        self.engine: Engine = create_engine(url, **options)
        if self._sqlite:
            sqlite.set_up(self.engine)
        self._writing_engine = self.engine.execution_options(**{sqlite.WRITES: True})
        # SQLite lets one writer in and makes the others poll; waiting here instead is fair and
        # wakes at once.
        self._one_writer = threading.Lock() if self._sqlite else nullcontext()
        schema.ensure_current(self.engine)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads; what it would change is not kept."""
        with Session(self.engine, future=True, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed together at the end, or not at all on an error."""
        with (
            self._one_writer,
            Session(self._writing_engine, future=True, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session
        self._publish(told(session))

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()
