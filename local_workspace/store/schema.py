"""The version of the tables in a database, and how an older one is brought up to date.

A version is a file in `migrations/versions`, named by its number. alembic runs them. It is imported
only when there is something to run, because that takes as long as many a start.
"""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, inspect, select
from sqlalchemy.engine import Connection, Engine

import local_workspace.store.tables  # noqa: F401  (makes Base know every table)
from local_workspace.store import sqlite
from local_workspace.store.declarative import Base

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"

# As alembic makes it.
_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


class SchemaError(Exception):
    """This program cannot work on the database; the message says why and what to do."""


def revisions() -> list[str]:
    """The versions of the tables that this program knows, oldest first."""
    files = (MIGRATIONS / "versions").glob("[0-9]*_*.py")
    return sorted(file.name.split("_", 1)[0] for file in files)


def version_of(connection: Connection) -> str | None:
    """The version that a database says it has; None when it says nothing."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar()


def ensure_current(engine: Engine) -> None:
    """Have the tables of the newest version in the database: made, or brought up to date.

    All of it is one transaction where the database can do that (SQLite and PostgreSQL can). A
    SQLite file is copied before it is changed. Raises SchemaError when the database was made by a
    newer program, and when a migration fails; the database is then as it was.
    """
    with engine.connect() as connection:
        # Nearly every start ends here.
        if version_of(connection) == revisions()[-1]:
            return
    migrating = sqlite.migrating_engine(engine) if sqlite.is_sqlite(engine) else engine
    with migrating.begin() as connection:
        _bring_up_to_date(connection)


def _bring_up_to_date(connection: Connection) -> None:
    known = revisions()
    newest = known[-1]
    # Asked again: another process may have been here since.
    version = version_of(connection)
    if version == newest:
        return
    if version is not None and version not in known:
        raise SchemaError(
            f"The workspace in {_place(connection.engine)} was made by a newer version of this "
            f"project: its tables have version {version}, and this program knows them up to "
            f"{newest}. Update the project, or choose another folder with --root."
        )
    if version is None and not _has_tables(connection):
        Base.metadata.create_all(connection)
        _VERSION.create(connection)
        connection.execute(_VERSION.insert().values(version_num=newest))
        return
    # Programs before the first version of all wrote none.
    came_from = version or "none"
    try:
        if sqlite.is_sqlite(connection.engine):
            copy = sqlite.copy_before(connection, newest)
            log.info("The database as it was before version %s of its tables: %s", newest, copy)
        upgrade(connection, newest)
        if sqlite.is_sqlite(connection.engine):
            sqlite.check_foreign_keys(connection)
    except Exception as error:
        log.exception("The tables did not get from version %s to %s", came_from, newest)
        raise SchemaError(
            f"The workspace in {_place(connection.engine)} is older than this program, and its "
            f"tables could not be brought from version {came_from} to {newest} "
            f"({_first_line(error)}). They are left as they were: go back to the version of the "
            "project that you had, or choose another folder with --root."
        ) from error
    log.info("The tables were brought from version %s to %s", came_from, newest)


def upgrade(connection: Connection, revision: str) -> None:
    """Run the migrations up to `revision`, in the transaction of `connection`.

    Raises whatever a migration raises; the caller rolls back.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _has_tables(connection: Connection) -> bool:
    return not Base.metadata.tables.keys().isdisjoint(inspect(connection).get_table_names())


def _place(engine: Engine) -> str:
    if sqlite.is_sqlite(engine):
        return str(engine.url.database)
    return engine.url.render_as_string(hide_password=True)


def _first_line(error: Exception) -> str:
    # SQLAlchemy's further lines are the statement and a link.
    return (str(error).splitlines() or [type(error).__name__])[0]
