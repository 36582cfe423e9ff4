"""What a stop, a crash, a full disk and a refused write cost a job: never the job."""

import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from execution_helpers import wait_until

from local_workspace.engines import base
from local_workspace.engines.jobs import steps as jobs
from local_workspace.engines.jobs.logs import JobLogs
from local_workspace.engines.nodes import NodeOutcome, ProcessOutcome
from local_workspace.services import artifact
from local_workspace.store.blobs import BlobError

GOOD = NodeOutcome([ProcessOutcome(0, "exited", 0)])


def for_ever(_specification, _done):
    """A process that does not end while the server is there."""


def killed(bench, *runs):
    """What a server that is killed leaves behind, in place of one that was stopped."""
    with bench.records() as session:
        for run_id in runs:
            session.get(type(bench.row(run_id)), run_id).state = "running"


def text_of(bench, run_id, path):
    container = artifact.run_container(run_id)
    return artifact.read_artifact(bench.workspace, artifact.RUN_ORIGIN, container, path).decode()


def test_orderly_stops_are_no_losses(bench):
    bench.process = for_ever
    with bench.server():
        run = bench.submit("stopped")
        bench.begins(run, 1)
    for attempt in range(2, jobs.MAX_LOSSES + 2):
        with bench.server():
            bench.begins(run, attempt)
    assert (bench.row(run).state, bench.row(run).losses) == ("queued", 0)
    killed(bench, run)
    with bench.server():
        bench.begins(run, jobs.MAX_LOSSES + 2)
    assert bench.row(run).losses == 1


def test_a_server_that_is_killed_again_and_again_is_no_dead_end(bench):
    bench.process = for_ever
    with bench.server():
        run = bench.submit("killed")
        bench.begins(run, 1)
    for attempt in range(2, jobs.MAX_LOSSES + 1):
        killed(bench, run)
        with bench.server():
            bench.begins(run, attempt)
        assert bench.row(run).losses == attempt - 1
    killed(bench, run)
    with bench.server():
        assert bench.ends(run) == "Failed"
    message = bench.run(run).error["error"]["message"]
    assert message == "The local workspace was stopped while the run was on it, 3 times."


def test_a_stop_that_goes_wrong_for_one_job_gives_the_others_back(bench, monkeypatch):
    bench.process = for_ever
    note = JobLogs.note

    def refuse(logs, line):
        if logs.job.run_id == one:
            raise RuntimeError("no note")
        note(logs, line)

    with bench.server():
        one, other = bench.submit("one"), bench.submit("other")
        for run in (one, other):
            bench.begins(run, 1)
        monkeypatch.setattr(JobLogs, "note", refuse)
        # Nor can it be asked to end: its folder is a file.
        attempt = bench.workspace.paths.runs / one / "attempt-1"
        wait_until(lambda: (attempt / "process-0.json").exists())
        shutil.rmtree(attempt)
        attempt.touch()
    for run in (one, other):
        assert (bench.row(run).state, bench.row(run).losses) == ("queued", 0)


def test_a_process_that_starts_while_the_server_stops_is_asked_to_end(bench, monkeypatch):
    writing, go = threading.Event(), threading.Event()
    seen = []
    write = jobs.write_specifications

    def write_later(*arguments):
        writing.set()
        go.wait(60)
        return write(*arguments)

    def until_canceled(specification, _done):
        cancel = specification["folder_of_attempt"] / "cancel"
        seen.append(wait_until(cancel.exists, seconds=20))

    monkeypatch.setattr(jobs, "write_specifications", write_later)
    bench.process = until_canceled

    def stop(engine):
        writing.wait(60)
        # The loop goes on once the stop has asked all that ran to end.
        wait_until(lambda: engine.is_closing)
        go.set()

    with bench.server() as engine:
        run = bench.submit("late")
        writing.wait(60)
        threading.Thread(target=stop, args=[engine]).start()
    assert seen == [True]
    assert bench.row(run).state == "queued"


def test_the_time_that_the_server_was_off_does_not_count(bench, monkeypatch):
    now = [1000.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], time=time.time)
    monkeypatch.setattr(jobs, "time", clock)
    deadlines = []

    def note_deadline(specification, _done):
        deadlines.append(specification["deadline"] - time.time())

    bench.process = note_deadline
    with bench.server():
        run = bench.submit("limited", max_seconds=100)
        bench.begins(run, 1)
        wait_until(lambda: deadlines)
        now[0] += 7
    assert bench.row(run).ran_seconds == 7
    now[0] += 10_000
    with bench.server():
        wait_until(lambda: len(deadlines) == 2)
        # It is written down from time to time: a server that is killed knows nothing of it.
        now[0] += 11
        wait_until(lambda: bench.row(run).ran_seconds == 18)
        now[0] += 2
    assert bench.row(run).ran_seconds == 20
    assert 99 < deadlines[0] <= 100
    assert 92 < deadlines[1] <= 93


def test_a_job_that_has_ended_while_its_folder_goes_is_run_again(bench, monkeypatch):
    keep = jobs.keep_files
    tries = []

    def lose_the_folder(workspace, job, attempt, stop):
        tries.append(attempt)
        if len(tries) == 1:
            shutil.rmtree(workspace.paths.runs / job.run_id / f"attempt-{attempt}")
            raise RuntimeError("the folder is gone")
        keep(workspace, job, attempt, stop)

    monkeypatch.setattr(jobs, "keep_files", lose_the_folder)
    with bench.server():
        run = bench.submit("lost")
        assert bench.ends(run) == "Completed"
    assert tries == [1, 2]


def test_a_local_run_whose_folder_is_deleted_while_the_server_is_off_ends(bench):
    bench.process = for_ever
    with bench.server():
        run = bench.submit("deleted")
        bench.begins(run, 1)
    killed(bench, run)
    shutil.rmtree(bench.workspace.paths.runs / run)
    with bench.server():
        assert bench.ends(run) == "Failed"
    assert "was deleted: submit it again" in bench.run(run).error["error"]["message"]


@pytest.mark.parametrize("method", ["put_file", "append"])
def test_what_a_full_disk_did_not_take_is_there_in_the_end(bench, monkeypatch, method):
    statuses = []

    def print_and_write(specification, done):
        Path(specification["log"]).write_text("printed\n")
        outputs = Path(specification["folder"]) / "outputs"
        outputs.mkdir()
        (outputs / "model.txt").write_text("kept")
        done(0, GOOD)

    bench.process = print_and_write
    with bench.server():
        keep = getattr(bench.workspace.blobs, method)

        def full_at_first(*arguments, **options):
            if len(statuses) < 2 * base.MAX_TRIES:
                statuses.append(bench.run(run).status)
                raise BlobError("InsufficientStorage")
            return keep(*arguments, **options)

        run = "full_1_00000000"
        monkeypatch.setattr(bench.workspace.blobs, method, full_at_first)
        assert bench.submit("full") == run
        assert bench.ends(run) == "Completed"
    assert len(statuses) == 2 * base.MAX_TRIES
    assert text_of(bench, run, "user_logs/std_log.txt") == "printed\n"
    assert text_of(bench, run, "outputs/model.txt") == "kept"


@pytest.mark.parametrize("which", [1, 2, 3, 4, 5])
def test_a_commit_that_fails_has_no_effect_but_that_it_is_tried_again(bench, monkeypatch, which):
    """Each of those that a local run needs: Preparing, Queued, Running, Finalizing, its end."""
    commits = []
    starts = []

    def start(specification, done):
        starts.append(specification["attempt"])
        done(0, GOOD)

    bench.process = start
    with bench.server():
        write = bench.workspace.database.write
        here = threading.current_thread()

        @contextmanager
        def refuse_one():
            with write() as session:
                yield session
                if threading.current_thread() is not here:
                    commits.append(1)
                    if len(commits) == which:
                        raise RuntimeError("the commit fails")

        monkeypatch.setattr(bench.workspace.database, "write", refuse_one)
        run = bench.submit("refused")
        assert bench.ends(run) == "Completed"
    assert len(commits) == 6
    assert starts == [1]
    assert (bench.row(run).attempts, bench.row(run).losses) == (1, 0)
