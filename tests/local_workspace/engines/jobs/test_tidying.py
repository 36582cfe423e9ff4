"""What ended runs leave behind goes: folders at once, logs by their age."""

from dataclasses import replace
from datetime import timedelta

import pytest
from execution_helpers import wait_until

from local_workspace.clock import utc_now
from local_workspace.engines.base import MAX_TRIES
from local_workspace.engines.jobs import engine as jobs
from local_workspace.engines.jobs import tidying
from local_workspace.services import artifact, run_history
from local_workspace.settings import Settings
from local_workspace.store.tables.execution import JobRow

LOGS = [
    "azureml-logs/20_image_build_log.txt",
    "logs/mine.txt",
    "system_logs/lifecycler.log",
    "user_logs/std_log.txt",
]


def add_job(workspace, run_id, days=None):
    """A run with logs and an output that ended so many days ago; None: it still runs."""
    with workspace.database.write() as session:
        run_history.upsert_run(session, "tidying", run_id)
        ended = None if days is None else utc_now() - timedelta(days=days)
        state = "running" if days is None else "done"
        session.add(
            JobRow(run_id=run_id, kind="cluster", state=state, submitted=utc_now(), ended=ended)
        )
    container = artifact.run_container(run_id)
    for name in [*LOGS, "outputs/model.txt"]:
        artifact.append_artifact(workspace, artifact.RUN_ORIGIN, container, name, b"text\n")


def files_of(workspace, run_id):
    container = artifact.run_container(run_id)
    found = artifact.list_artifacts(workspace, artifact.RUN_ORIGIN, container)
    return sorted(one.path for one in found)


@pytest.mark.parametrize(("keep_days", "gone"), [(90, ["old"]), (30, ["middle", "old"]), (0, [])])
def test_logs_go_by_the_age_of_their_runs_and_outputs_stay(workspace, keep_days, gone):
    workspace.settings = replace(Settings(), keep_logs_days=keep_days)
    for run_id, days in {"old": 91, "middle": 89, "young": 1, "running": None}.items():
        add_job(workspace, run_id, days)
    tidying.tidy(workspace)
    for run_id in ("old", "middle", "young", "running"):
        logs = [] if run_id in gone else LOGS
        assert files_of(workspace, run_id) == sorted([*logs, "outputs/model.txt"])


def test_what_is_cleared_away_is_not_looked_for_again(workspace):
    assert not tidying.is_needed(workspace)
    add_job(workspace, "old", 91)
    assert tidying.is_needed(workspace)
    tidying.tidy(workspace)
    assert not tidying.is_needed(workspace)
    # As when a person puts a file there.
    container = artifact.run_container("old")
    artifact.append_artifact(workspace, artifact.RUN_ORIGIN, container, LOGS[0], b"mine\n")
    tidying.tidy(workspace)
    assert LOGS[0] in files_of(workspace, "old")


def test_folders_that_are_left_over_go_and_those_in_use_stay(workspace):
    add_job(workspace, "ended", 1)
    add_job(workspace, "running")
    for name in ("ended", "running", "unknown", ".nodes"):
        folder = workspace.paths.runs / name / "attempt-1"
        folder.mkdir(parents=True)
        (folder / "file").touch()
    assert tidying.is_needed(workspace)
    tidying.tidy(workspace)
    assert sorted(one.name for one in workspace.paths.runs.iterdir()) == [".nodes", "running"]


def test_the_engine_tidies_when_it_starts_and_again_when_it_could_not(bench, monkeypatch):
    tries = []
    tidy = tidying.tidy

    def fails_at_first(workspace):
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("not yet")
        tidy(workspace)

    monkeypatch.setattr(jobs.tidying, "tidy", fails_at_first)
    with bench.server(lambda workspace: add_job(workspace, "old", 91)):
        wait_until(lambda: files_of(bench.workspace, "old") == ["outputs/model.txt"])


def test_what_cannot_be_tidied_is_left_for_an_hour(bench, monkeypatch):
    tries = []

    def broken(_workspace):
        tries.append(1)
        raise RuntimeError("never")

    monkeypatch.setattr(jobs.tidying, "tidy", broken)
    with bench.server(lambda workspace: add_job(workspace, "old", 91)) as engine:
        wait_until(lambda: len(tries) >= MAX_TRIES)
        # A job ends, which would have it tidied.
        assert bench.ends(bench.submit("job")) == "Completed"
        wait_until(lambda: not engine._held)
    assert len(tries) == MAX_TRIES
