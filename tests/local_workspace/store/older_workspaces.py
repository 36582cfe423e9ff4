"""Workspaces as older versions of the program left them."""

import shutil
import sqlite3
from pathlib import Path

from sqlalchemy import create_engine

from local_workspace.paths import Paths
from local_workspace.settings import Settings
from local_workspace.store import schema, sqlite

# Dumps of databases that were made through the SDK, by the program of that time.
WITHOUT_VERSION = Path(__file__).with_name("workspace_without_version.sql")
# What the names of its containers were made from.
WORKSPACE_ID = "3279c5ff-c1b0-4a14-8448-0b62490d33fb"


def database_at(file, revision):
    """Make `file` a database with the tables of `revision`, by the migrations up to it.

    Its rows are for the caller to insert, with `sqlite3`: the classes of today's tables do not fit.
    """
    engine = create_engine(f"sqlite:///{file}", future=True)
    with sqlite.migrating_engine(engine).begin() as connection:
        schema.upgrade(connection, revision)


def restore(file, dump=WITHOUT_VERSION):
    """Make `file` the database of a dump."""
    with sqlite3.connect(file) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    connection.close()


def restore_workspace(root, dump=WITHOUT_VERSION, files=None):
    """Make `root` the workspace of a dump, with `files`: {path below its blobs: text}."""
    paths = Paths(root)
    paths.root.mkdir(parents=True)
    Settings(workspace_id=WORKSPACE_ID).save(paths.settings)
    restore(paths.database, dump)
    for name, text in (files or {}).items():
        file = paths.blobs / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return paths


def add_migrations(folder, monkeypatch, **bodies):
    """Have versions beyond the newest: `bodies` of their `upgrade()`, by name, in that order.

    They lie in a copy of the migrations below `folder`; returns their revisions.
    """
    migrations = folder / "migrations"
    shutil.copytree(schema.MIGRATIONS, migrations)
    monkeypatch.setattr(schema, "MIGRATIONS", migrations)
    for name, body in bodies.items():
        newest = schema.revisions()[-1]
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        revision = f"{int(newest) + 1:04}"
        (migrations / "versions" / f"{revision}_{name}.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n"
            f"revision = {revision!r}\ndown_revision = {newest!r}\n"
            f"def upgrade():\n{lines}"
        )
    return schema.revisions()[-len(bodies) :]


def content(file):
    """Everything in a database, as text."""
    connection = sqlite3.connect(file)
    try:
        return "\n".join(connection.iterdump())
    finally:
        connection.close()
