"""The version of the tables: made new, brought up to date, refused; whole in every case."""

import logging
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from older_workspaces import add_migrations, content, database_at, restore
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url

from local_workspace.store import schema
from local_workspace.store.database import Database
from local_workspace.store.declarative import Base
from local_workspace.store.schema import SchemaError

REPOSITORY = Path(__file__).resolve().parents[3]
NEWEST = schema.revisions()[-1]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "workspace.db"


def open_and_close(file):
    Database(f"sqlite:///{file}").close()


def ask(file, question):
    connection = sqlite3.connect(file)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def version(file):
    return ask(file, "SELECT version_num FROM alembic_version")[0][0]


def shape(file):
    """What SQLite says of every table and index; the order in which they were written is left out.

    SQLAlchemy 1.4 does not see indexes on expressions, and so alembic does not compare them.
    """
    found = {}
    for (table,) in ask(file, "SELECT name FROM sqlite_master WHERE type = 'table'"):
        columns = ask(
            file, f"SELECT name, type, [notnull], dflt_value, pk FROM pragma_table_info('{table}')"
        )
        keys = ask(
            file,
            "SELECT [from], [table], [to], on_update, on_delete "
            f"FROM pragma_foreign_key_list('{table}')",
        )
        uniques = [
            ask(file, f"SELECT name FROM pragma_index_info('{name}') ORDER BY seqno")
            for (name,) in ask(
                file, f"SELECT name FROM pragma_index_list('{table}') WHERE origin = 'u'"
            )
        ]
        found[table] = [sorted(columns), sorted(keys), sorted(uniques)]
    for name, text in ask(
        file, "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ):
        found[name] = " ".join(text.replace("IF NOT EXISTS ", "").split())
    return found


def test_new_tables_and_migrated_ones_are_the_same(tmp_path):
    open_and_close(tmp_path / "new.db")
    database_at(tmp_path / "migrated.db", NEWEST)
    assert shape(tmp_path / "migrated.db") == shape(tmp_path / "new.db")
    assert version(tmp_path / "migrated.db") == version(tmp_path / "new.db") == NEWEST


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_alembic_finds_nothing_left_to_migrate(file):
    database_at(file, NEWEST)
    with create_engine(f"sqlite:///{file}").connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert differences == [], "the tables have changed: write a migration"


def test_versions_are_one_chain_in_the_order_of_their_numbers():
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    chain = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert chain[::-1] == schema.revisions()
    assert schema.revisions() == [f"{number:04}" for number in range(1, len(chain) + 1)]


def test_a_start_without_anything_to_migrate_does_not_import_alembic(file):
    script = (
        "import sys\n"
        "from local_workspace.store.database import Database\n"
        f"for _ in range(2): Database({f'sqlite:///{file}'!r}).close()\n"
        "sys.exit('alembic' in sys.modules)\n"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=False).returncode == 0
    )
    assert version(file) == NEWEST


def test_a_database_without_version_is_brought_up_to_date_and_copied_before(file, caplog):
    restore(file)
    before = content(file)
    with caplog.at_level(logging.INFO):
        open_and_close(file)
    assert version(file) == NEWEST
    assert ask(file, "SELECT name FROM metrics ORDER BY 1") == [
        ("accuracy",),
        ("curve",),
        ("loss",),
        ("rows",),
    ]
    copy = file.with_name(f"workspace.db.before-{NEWEST}")
    assert content(copy) == before
    assert copy.stat().st_mode & 0o077 == 0, "it holds the credentials of datastores"
    assert str(copy) in caplog.text


def test_tables_that_an_early_program_did_not_know_are_made(file):
    restore(file)
    connection = sqlite3.connect(file)
    connection.executescript("DROP TABLE model_versions; DROP INDEX ix_runs_by_parent;")
    connection.close()
    open_and_close(file)
    assert ask(file, "SELECT count(*) FROM model_versions") == [(0,)]
    assert ask(file, "SELECT 1 FROM sqlite_master WHERE name = 'ix_runs_by_parent'")


def test_the_copy_has_what_was_still_in_the_journal(file):
    restore(file)
    user = sqlite3.connect(file)
    user.execute("PRAGMA journal_mode=WAL")
    user.execute("UPDATE experiments SET description = 'the last word'")
    user.commit()
    assert Path(f"{file}-wal").stat().st_size > 0
    open_and_close(file)
    user.close()
    (copied,) = file.parent.glob("workspace.db.before-*")
    assert ask(copied, "SELECT description FROM experiments") == [("the last word",)]


def test_only_the_latest_copy_is_kept(file, tmp_path, monkeypatch):
    restore(file)
    open_and_close(file)
    (later,) = add_migrations(
        tmp_path, monkeypatch, later="op.add_column('jobs', sa.Column('priority', sa.Integer()))"
    )
    open_and_close(file)
    assert version(file) == later
    assert [copy.name for copy in file.parent.glob("workspace.db.before-*")] == [
        f"workspace.db.before-{later}"
    ]
    assert version(file.with_name(f"workspace.db.before-{later}")) == NEWEST


def test_a_migration_that_fails_leaves_everything_as_it_was(file, tmp_path, monkeypatch, caplog):
    restore(file)
    open_and_close(file)
    before = content(file)
    _, second = add_migrations(
        tmp_path,
        monkeypatch,
        works="op.add_column('jobs', sa.Column('priority', sa.Integer()))",
        fails=(
            "op.execute('UPDATE runs SET hidden = 1')\n"
            "with op.batch_alter_table('jobs') as jobs:\n"
            "    jobs.drop_column('python')\n"
            "op.execute('DELETE FROM nowhere')"
        ),
    )
    with pytest.raises(SchemaError) as said:
        open_and_close(file)
    assert content(file) == before
    assert f"from version {NEWEST} to {second}" in str(said.value)
    assert "no such table: nowhere" in str(said.value) and "\n" not in str(said.value)
    assert "Traceback" in caplog.text, "whoever mends it needs to know where"

    migration = next((schema.MIGRATIONS / "versions").glob(f"{second}_*"))
    migration.write_text(migration.read_text().replace("DELETE FROM nowhere", "SELECT 1"))
    open_and_close(file)
    assert version(file) == second
    assert "python" not in [row[1] for row in ask(file, "PRAGMA table_info(jobs)")]


def test_an_error_without_words_is_said_by_its_name(file, tmp_path, monkeypatch):
    restore(file)
    add_migrations(tmp_path, monkeypatch, fails="assert False")
    with pytest.raises(SchemaError, match=r"\(AssertionError\)"):
        open_and_close(file)


def test_a_refusal_does_not_show_the_password_of_a_database(monkeypatch):
    class PostgreSQL:
        """What a refusal reads of an engine: no driver for it is here."""

        url = make_url("postgresql://us:secret@host/database")
        dialect = postgresql.dialect()

    class Connection:
        engine = PostgreSQL()

    monkeypatch.setattr(schema, "version_of", lambda connection: "9999")
    with pytest.raises(SchemaError, match="host/database") as said:
        schema._bring_up_to_date(Connection())
    assert "secret" not in str(said.value)


def test_without_room_for_a_copy_nothing_is_migrated(file):
    restore(file)
    before = content(file)
    # Whatever the reason, the copy cannot be written.
    file.with_name(f"workspace.db.before-{NEWEST}.new").mkdir()
    with pytest.raises(SchemaError, match="left as they were"):
        open_and_close(file)
    assert content(file) == before


def test_a_table_made_anew_does_not_take_along_what_refers_to_it(file, tmp_path, monkeypatch):
    restore(file)
    versions = ask(file, "SELECT * FROM dataset_versions")
    add_migrations(
        tmp_path,
        monkeypatch,
        anew=(
            "with op.batch_alter_table('datasets', recreate='always') as datasets:\n"
            "    datasets.add_column(sa.Column('owner', sa.Text()))"
        ),
    )
    open_and_close(file)
    assert ask(file, "SELECT * FROM dataset_versions") == versions != []


def test_a_migration_may_not_leave_references_to_nothing(file, tmp_path, monkeypatch):
    restore(file)
    before = content(file)
    add_migrations(tmp_path, monkeypatch, careless="op.execute('DELETE FROM datasets')")
    with pytest.raises(SchemaError, match="'dataset_versions' would refer to a row of 'datasets'"):
        open_and_close(file)
    assert content(file) == before


def test_a_newer_database_is_refused_and_left_alone(file):
    open_and_close(file)
    connection = sqlite3.connect(file)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    before = content(file)
    with pytest.raises(SchemaError) as said:
        open_and_close(file)
    assert content(file) == before
    assert not list(file.parent.glob("workspace.db.before-*"))
    sentence = str(said.value)
    assert "newer version" in sentence and "9999" in sentence and str(file) in sentence
    assert "Update the project" in sentence and "--root" in sentence and "\n" not in sentence
