"""What the migrations do to the rows of older workspaces."""

import sqlite3
from contextlib import closing

import pytest
from older_workspaces import database_at

from local_workspace.store.database import Database

_EXPERIMENT = (
    "INSERT INTO experiments (experiment_id, name, created, last_modified, archived, tags, "
    "last_run_number) VALUES (?, ?, '2026-01-01', '2026-01-01', ?, '{}', 1)"
)


def test_0004_keeps_experiments_and_frees_the_names_of_archived_ones(tmp_path):
    file = tmp_path / "workspace.db"
    database_at(file, "0003")
    with closing(sqlite3.connect(file)) as old, old:
        old.execute(_EXPERIMENT, ("e1", "one", "2026-02-02"))
        old.execute(_EXPERIMENT, ("e2", "two", None))
        with pytest.raises(sqlite3.IntegrityError):
            old.execute(_EXPERIMENT, ("e3", "one", None))
    Database(f"sqlite:///{file}").close()
    with closing(sqlite3.connect(file)) as new, new:
        rows = new.execute("SELECT experiment_id, name, archived FROM experiments").fetchall()
        assert rows == [("e1", "one", "2026-02-02"), ("e2", "two", None)]
        new.execute(_EXPERIMENT, ("e3", "one", None))
        new.execute(_EXPERIMENT, ("e4", "one", "2026-03-03"))
        with pytest.raises(sqlite3.IntegrityError):
            new.execute(_EXPERIMENT, ("e5", "two", None))
