"""The logs of jobs: carried on piece by piece, whatever a script does to the artifact."""

import shutil

import pytest
from execution_helpers import GATE, text_of, wait_for, wait_until

from local_workspace.engines.jobs.folders import job_folder, log_path
from local_workspace.engines.jobs.logs import LOOK_BYTES, JobLogs
from local_workspace.services import artifact
from local_workspace.services.execution import Job

LOG = "user_logs/std_log.txt"
CONTAINER = artifact.run_container("logs_1_00000000")


@pytest.fixture
def job(workspace):
    job = Job("logs_1_00000000", "logs", "cluster", compute="cpu", script="train.py")
    job_folder(workspace, job.run_id).mkdir(parents=True)
    return job


def content(workspace):
    return artifact.read_artifact(workspace, artifact.RUN_ORIGIN, CONTAINER, LOG)


def test_a_look_carries_no_more_than_its_budget(workspace, job):
    written = b"y\n" * LOOK_BYTES
    log_path(workspace, job, 0).write_bytes(written)
    logs = JobLogs(workspace, job)
    assert logs.carry_on()
    assert content(workspace) == written[:LOOK_BYTES]
    assert logs.carry_on()
    assert content(workspace) == written
    assert not logs.carry_on()


def test_the_end_of_a_job_carries_all(workspace, job):
    written = b"0123456789abcdef" * (LOOK_BYTES // 5)
    log_path(workspace, job, 0).write_bytes(written)
    assert not JobLogs(workspace, job).carry_on(None)
    assert content(workspace) == written


def test_after_a_crash_a_log_goes_on_where_it_was(workspace, job):
    path = log_path(workspace, job, 0)
    path.write_bytes(b"before\n")
    JobLogs(workspace, job).carry_on()
    path.write_bytes(b"before\nafter\n")
    JobLogs(workspace, job).carry_on()
    assert content(workspace) == b"before\nafter\n"


def test_a_file_put_over_a_log_stays_and_the_log_goes_on_below_it(workspace, job):
    path = log_path(workspace, job, 0)
    path.write_bytes(b"one\n")
    logs = JobLogs(workspace, job)
    logs.carry_on()
    mine = b"mine, which is longer than what was logged\n"
    artifact.write_artifact(workspace, artifact.RUN_ORIGIN, CONTAINER, LOG, mine)
    path.write_bytes(b"one\ntwo\n")
    logs.carry_on()
    assert content(workspace) == mine + b"two\n"
    # Also after a crash, when only the files know how far it was.
    path.write_bytes(b"one\ntwo\nthree\n")
    JobLogs(workspace, job).carry_on()
    assert content(workspace) == mine + b"two\nthree\n"


def test_a_log_whose_file_was_lost_begins_below_what_is_there(workspace, job):
    path = log_path(workspace, job, 0)
    path.write_bytes(b"a long line of the first attempt\n")
    JobLogs(workspace, job).carry_on()
    path.write_bytes(b"again\n")
    JobLogs(workspace, job).carry_on()
    assert content(workspace) == b"a long line of the first attempt\nagain\n"


def test_a_log_whose_file_was_lost_may_be_longer_than_what_is_there(workspace, job):
    path = log_path(workspace, job, 0)
    path.write_bytes(b"first\n")
    JobLogs(workspace, job).carry_on()
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    path.write_bytes(b"it is run again\n")
    JobLogs(workspace, job).carry_on()
    assert content(workspace) == b"first\nit is run again\n"


def test_a_file_put_there_before_anything_was_printed_hides_nothing(workspace, job):
    artifact.write_artifact(workspace, artifact.RUN_ORIGIN, CONTAINER, LOG, b"mine\n")
    log_path(workspace, job, 0).write_bytes(b"printed\n")
    JobLogs(workspace, job).carry_on()
    assert content(workspace) == b"mine\nprinted\n"


def test_a_file_put_over_a_log_before_a_crash_hides_nothing(workspace, job):
    path = log_path(workspace, job, 0)
    path.write_bytes(b"one\n")
    JobLogs(workspace, job).carry_on()
    artifact.write_artifact(workspace, artifact.RUN_ORIGIN, CONTAINER, LOG, b"mine\n")
    path.write_bytes(b"one\ntwo\n")
    JobLogs(workspace, job).carry_on()
    # How far it was is not known any more: what was replaced is there once more.
    assert content(workspace) == b"mine\none\ntwo\n"


def test_a_job_that_uploads_its_own_log_ends_well(lab, tmp_path):
    run = lab.submit(
        "from azureml.core import Run\n"
        "open('mine.txt', 'w').write('mine\\n')\n"
        "open('outputs/kept.txt', 'w').write('kept')\n"
        "Run.get_context().upload_file('user_logs/std_log.txt', 'mine.txt')\n"
        "print('last', flush=True)\n"
    )
    assert wait_for(run) == "Completed"
    assert text_of(run, LOG, tmp_path) == "mine\nlast\n"
    assert text_of(run, "outputs/kept.txt", tmp_path) == "kept"
    wait_until(lambda: not (lab.server.paths.runs / run.id).exists())
    later = lab.submit("print('a later log')")
    assert wait_for(later) == "Completed"
    assert text_of(later, LOG, tmp_path) == "a later log\n"


def test_a_job_that_prints_without_end_holds_up_nobody(lab):
    endless = lab.submit(
        GATE + "open(sys.argv[1], 'w').close()\nwhile True: sys.stdout.write('y\\n' * 100_000)",
        str(lab.gate()),
    )
    wait_until(lab.gate().exists)
    assert wait_for(lab.submit("print('another one')")) == "Completed"
    endless.cancel()
    assert wait_for(endless) == "Canceled"
