"""Steps of the jobs engine that go wrong: nothing is dropped, nothing waits for a restart."""

import json
import shutil
import time

import pytest
from execution_helpers import GATE, error_of, text_of, wait_for, wait_until

from local_workspace.engines import base
from local_workspace.engines.jobs import engine as jobs
from local_workspace.engines.jobs.attempt import Attempt, News
from local_workspace.engines.jobs.specifications import write_specifications
from local_workspace.engines.nodes import NodeOutcome, ProcessOutcome, WarmProcesses
from local_workspace.errors import StorageFull
from local_workspace.services import execution, run_history
from local_workspace.startup import running

RUN = "steps_1_00000000"
GOOD = NodeOutcome([ProcessOutcome(0, "exited", 0)])


@pytest.fixture
def engine(workspace, monkeypatch):
    """The jobs engine of a workspace whose local runs end as soon as they begin."""
    monkeypatch.setattr(base, "FIRST_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(base, "LONGEST_DELAY_SECONDS", 0.05)
    monkeypatch.setattr(jobs, "_run_here", lambda _paths, done: done(0, GOOD))
    with running(workspace):
        yield workspace.engines.jobs


def submit(workspace, folder):
    """A local run, as the SDK submits and starts it."""
    definition = {
        "Configuration": {
            "script": "train.py",
            "target": "local",
            "environment": {"name": "own", "python": {"userManagedDependencies": True}},
        }
    }
    execution.submit_run(workspace, "steps", RUN, definition)
    job_folder = workspace.paths.runs / RUN
    job_folder.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    (job_folder / "environment.json").write_text(json.dumps({}))
    (job_folder / "start").write_text(f"{folder}\n")


def status(workspace):
    with workspace.database.read() as session:
        return run_history.get_run(session, RUN).status


def ended(workspace):
    return wait_until(
        lambda: (found := status(workspace)) in run_history.TERMINAL_STATUSES and found
    )


def test_a_job_that_ends_while_the_disk_is_full_ends_well_when_there_is_room(
    engine, workspace, tmp_path, monkeypatch
):
    tries = []
    keep_files = jobs.keep_files

    def full_at_first(*arguments):
        tries.append(status(workspace))
        # More often than a fault may come before its job fails.
        if len(tries) <= 2 * base.MAX_TRIES:
            raise StorageFull("no room")
        keep_files(*arguments)

    monkeypatch.setattr(jobs, "keep_files", full_at_first)
    submit(workspace, tmp_path / "project")
    assert ended(workspace) == "Completed"
    assert set(tries) == {"Finalizing"}


def test_a_step_that_fails_twice_is_done_in_the_end(engine, workspace, tmp_path, monkeypatch):
    failures = []
    write = jobs.write_specifications

    def fails_twice(*arguments):
        if len(failures) < 2:
            failures.append(1)
            raise RuntimeError("not yet")
        return write(*arguments)

    monkeypatch.setattr(jobs, "write_specifications", fails_twice)
    submit(workspace, tmp_path / "project")
    assert ended(workspace) == "Completed"
    assert len(failures) == 2


def test_a_step_that_always_fails_fails_its_run_with_the_reason(
    engine, workspace, tmp_path, monkeypatch
):
    def broken(*_arguments):
        raise RuntimeError("broken for good")

    monkeypatch.setattr(jobs, "write_specifications", broken)
    submit(workspace, tmp_path / "project")
    assert ended(workspace) == "Failed"
    with workspace.database.read() as session:
        error = run_history.get_run(session, RUN).error["error"]
    assert "broken for good" in error["message"]


def test_what_is_not_committed_has_not_happened(engine, workspace, tmp_path, monkeypatch):
    refused = []
    change = jobs.change_job

    def refuses_once(session, run_id, **changes):
        row = change(session, run_id, **changes)
        if changes.get("state") == "running" and not refused:
            refused.append(1)
            raise RuntimeError("the commit fails")
        return row

    monkeypatch.setattr(jobs, "change_job", refuses_once)
    submit(workspace, tmp_path / "project")
    assert ended(workspace) == "Completed"
    with workspace.database.read() as session:
        assert execution.find_job(session, RUN).attempts == 1


def test_late_news_of_an_earlier_attempt_does_not_count():
    news = News(attempt=2)
    news.tell(1, 0, NodeOutcome(is_lost=True))
    assert news.so_far() == {}
    news.tell(2, 0, GOOD)
    assert news.so_far() == {0: GOOD}


def test_the_time_of_a_run_counts_only_while_it_runs(workspace, monkeypatch):
    job = execution.Job(RUN, "steps", "cluster", compute="cpu", script="a.py", max_seconds=100)
    with workspace.database.write() as session:
        run_history.upsert_run(session, "steps", RUN, {})
    monkeypatch.setattr(WarmProcesses, "ensure", lambda *_arguments: None)
    attempt = Attempt(3, workspace.paths.root / "python", ran_seconds=30.0)
    before = time.time()
    [[path]] = write_specifications(workspace, job, attempt, WarmProcesses())
    deadline = json.loads(path.read_text())["deadline"]
    assert before + 70 <= deadline <= time.time() + 70


def test_orderly_stops_cost_no_attempt_and_a_lost_folder_is_no_dead_end(lab, tmp_path):
    began = str(tmp_path / "began")
    run = lab.submit(
        GATE + "open(sys.argv[1] + os.environ['AZUREML_RUN_ATTEMPT'], 'w').close()\n"
        "wait_for(sys.argv[2])",
        began,
        str(lab.gate()),
    )
    for attempt in range(1, jobs.MAX_LOSSES + 1):
        wait_until((tmp_path / f"began{attempt}").exists)
        lab.server.restart()
    wait_until((tmp_path / f"began{jobs.MAX_LOSSES + 1}").exists)
    # Then it is killed, and what it had is gone.
    lab.server.kill()
    shutil.rmtree(lab.server.paths.runs / run.id)
    lab.gate().touch()
    lab.server.start(lab.server.settings.port)
    assert wait_for(run) == "Completed"
    log = text_of(run, "user_logs/std_log.txt", tmp_path)
    assert log.count("The local workspace was stopped while the run was on it") == (
        jobs.MAX_LOSSES + 1
    )


def test_a_file_of_the_outputs_folder_replaces_one_that_was_uploaded(lab, tmp_path):
    run = lab.submit(
        "from azureml.core import Run\n"
        "open('early.txt', 'w').write('uploaded')\n"
        "Run.get_context().upload_file('outputs/x.txt', 'early.txt')\n"
        "open('outputs/x.txt', 'w').write('of the folder')\n"
    )
    assert wait_for(run) == "Completed"
    assert text_of(run, "outputs/x.txt", tmp_path) == "of the folder"


def test_a_run_whose_environment_cannot_be_had_says_so(lab):
    run = lab.submit("print(1)")
    assert wait_for(run) == "Completed"
    configuration = lab.configuration("print(2)")
    configuration.run_config.environment.python.interpreter_path = "/no/such/python"
    failed = lab.experiment().submit(configuration)
    wait_for(failed, "Failed")
    assert "/no/such/python" in error_of(failed)["message"]
