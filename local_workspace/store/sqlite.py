"""What only SQLite needs: how a connection is set up, and a copy of the file."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

# Execution option: a transaction that is going to write.
WRITES = "local_workspace_writes"


def is_sqlite(engine: Engine) -> bool:
    """Whether this engine's databases are SQLite files."""
    return engine.dialect.name == "sqlite"


def set_up(engine: Engine, *, foreign_keys: bool = True) -> None:
    """Have every connection of `engine` know our journal and our kind of transactions."""

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver's own transactions start too late for BEGIN IMMEDIATE, and leave changes of
        # tables out; ours are explicit.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # With WAL this is safe against a killed process; only a power cut may cost the last
        # transactions, never the file.
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrating_engine(engine: Engine) -> Engine:
    """An engine on the same file whose connections may replace tables.

    SQLite changes most of a table by making it anew and dropping the old one, and with foreign keys
    on that would delete what refers to it. They can be turned off outside of transactions only.
    """
    migrating = create_engine(
        engine.url, future=True, poolclass=NullPool, connect_args={"timeout": 60}
    )
    set_up(migrating, foreign_keys=False)
    return migrating.execution_options(**{WRITES: True})


def check_foreign_keys(connection: Connection) -> None:
    """Raise ValueError when a row refers to one that is not there."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise ValueError(
            f"a row of '{broken[0]}' would refer to a row of '{broken[2]}' that is gone"
        )


def copy_before(connection: Connection, revision: str) -> Path:
    """Copy the file as it was last committed to `{file}.before-{revision}`, and return its path.

    Earlier copies are deleted. Raises sqlite3.Error or OSError, and then there is no new copy.
    """
    database = Path(connection.exec_driver_sql("PRAGMA database_list").first()[2])
    copy = database.with_name(f"{database.name}.before-{revision}")
    temporary = copy.with_name(f"{copy.name}.new")
    # Credentials of datastores are in it.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    source, target = sqlite3.connect(database), sqlite3.connect(temporary)
    try:
        source.backup(target)
        target.close()
        os.replace(temporary, copy)
    finally:
        source.close()
        target.close()
        temporary.unlink(missing_ok=True)
    for earlier in database.parent.glob(f"{database.name}.before-*"):
        if earlier != copy:
            earlier.unlink()
    return copy
