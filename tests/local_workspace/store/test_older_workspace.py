"""Workspaces of other versions of the program, as a user meets them at start."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from older_workspaces import content, restore_workspace

from lesson_runner.__main__ import main
from local_workspace import process
from local_workspace.paths import DEFAULT_ROOT, Paths
from local_workspace.process import ServerLock
from local_workspace.pytest_plugin import LocalWorkspaceServer
from local_workspace.store import schema

REPOSITORY = Path(__file__).resolve().parents[3]
ENDED = "diabetes_1795674599_ad80c60e"
# Submitted when the server was killed.
WAITING = "diabetes_1795674617_713ddba6"
# What the waiting run executes, and what the dataset reads.
FILES = {
    "localworkspace/snapshots/6f57c16bb93d428e9c383adf066d58f1/00000-train.py": (
        "from azureml.core import Run\nRun.get_context().log('late', 7)\n"
    ),
    "localworkspace/azureml-blobstore-3279c5ff-c1b0-4a14-8448-0b62490d33fb/patients/patients.csv": (
        "PatientID,Age\n1,21\n2,43\n"
    ),
}
READ = f"""
import json, sys
from azureml.core import Dataset, Experiment, Model, Run, Workspace
ws = Workspace(**json.loads(sys.argv[1]))
ended, waiting = Run.get(ws, {ENDED!r}), Run.get(ws, {WAITING!r})
waiting.wait_for_completion()
patients = Dataset.get_by_name(ws, "patients")
print("READ", json.dumps({{
    "runs": [run.id for run in Experiment(ws, "diabetes").get_runs()],
    "status": ended.get_status(),
    "tags": ended.get_tags(),
    "metrics": ended.get_metrics(),
    "script": ended.get_details()["runDefinition"]["script"],
    "late": waiting.get_metrics(),
    "dataset": [patients.version, patients.description],
    "ages": patients.to_pandas_dataframe()["Age"].tolist(),
    "model": Model(ws, "tree").tags,
    "computes": list(ws.compute_targets),
}}))
"""


def start(root):
    """`python -m local_workspace start` as a user types it."""
    return subprocess.run(
        [sys.executable, "-m", "local_workspace", "start", "--root", str(root), "--port", "0"],
        cwd=REPOSITORY,
        text=True,
        capture_output=True,
        check=False,
    )


def change(database, script):
    connection = sqlite3.connect(database)
    connection.executescript(script)
    connection.close()


@pytest.fixture
def root(tmp_path):
    """The root of a workspace that is stopped after the test."""
    folder = tmp_path / DEFAULT_ROOT
    yield folder
    process.stop(Paths(folder))


def test_a_workspace_without_version_goes_on(root, tmp_path):
    server = LocalWorkspaceServer(restore_workspace(root, files=FILES).root)
    server.start(0)
    said = server.python("-c", READ, json.dumps(server.config), cwd=tmp_path)
    found = [line for line in said.stdout.splitlines() if line.startswith("READ ")]
    assert found, said.stdout + said.stderr
    seen = json.loads(found[0].removeprefix("READ "))
    assert {ENDED, WAITING} < set(seen["runs"]) and len(seen["runs"]) == 3
    assert seen["status"] == "Completed" and seen["script"] == "train.py"
    assert seen["tags"]["model"] == "tree" and seen["model"] == {"kind": "tree"}
    assert seen["metrics"] == {
        "loss": [1.0, 0.5, 1 / 3],
        "accuracy": 0.9,
        "curve": {"x": 1, "y": 2},
    }
    assert seen["dataset"] == [1, "two patients"] and seen["ages"] == [21, 43]
    assert seen["computes"] == ["cpu"]
    assert seen["late"] == {"late": 7}, "a run that waited in the old queue is run"
    assert f"from version none to {schema.revisions()[-1]}" in server.paths.server_log.read_text()


def test_a_newer_workspace_is_refused_with_a_sentence(root, capsys):
    paths = restore_workspace(root)
    change(
        paths.database,
        "CREATE TABLE alembic_version (version_num TEXT);"
        "INSERT INTO alembic_version VALUES ('9999');",
    )
    before = content(paths.database)
    refused = start(root)
    assert refused.returncode == 1
    assert "made by a newer version of this project" in refused.stderr
    assert "Update the project" in refused.stderr and "--root" in refused.stderr
    assert refused.stderr.count("\n") == 1 and "Traceback" not in refused.stderr

    # And so says `python run.py`.
    (root.parent / "01_lesson.py").write_text('"""A title.\n\nNeeds: nothing\n"""\n')
    assert main([], root.parent) == 1
    assert "made by a newer version of this project" in capsys.readouterr().err
    assert content(paths.database) == before


def test_a_migration_that_fails_is_said_and_leaves_the_workspace(root):
    paths = restore_workspace(root)
    # No program ever made such a table: the index on this column cannot be made.
    change(
        paths.database,
        "DROP INDEX ix_runs_by_start; DROP INDEX ix_runs_by_start_anywhere;"
        "DROP INDEX ix_runs_by_parent; ALTER TABLE runs DROP COLUMN start_time;",
    )
    before = content(paths.database)
    failed = start(root)
    assert failed.returncode == 1
    assert "could not be brought from version none" in failed.stderr
    assert "start_time" in failed.stderr and "server.log" in failed.stderr
    assert failed.stderr.count("\n") == 1 and "Traceback" not in failed.stderr
    assert content(paths.database) == before


def test_settings_of_a_newer_workspace_are_no_reason_to_delete_it(root):
    paths = restore_workspace(root)
    settings = json.loads(paths.settings.read_text())
    paths.settings.write_text(json.dumps({**settings, "colour": "blue"}))
    refused = start(root)
    assert refused.returncode == 1
    assert "newer version of this project (it sets colour)" in refused.stderr
    assert "reset" not in refused.stderr


def test_who_does_not_hold_the_lock_migrates_nothing(root):
    paths = restore_workspace(root)
    before = content(paths.database)
    lock = ServerLock(paths)
    assert lock.acquire()
    try:
        second = subprocess.run(
            [sys.executable, "-m", "local_workspace", "start", "--foreground", "--root", str(root)],
            cwd=REPOSITORY,
            capture_output=True,
            check=False,
        )
    finally:
        lock.release()
    assert second.returncode == process.ALREADY_RUNNING
    assert content(paths.database) == before
