"""What breaks while runs run: nodes, processes, the server. A run ends, or says why it cannot."""

import json
import os
import signal

import pytest
from azureml.core.runconfig import MpiConfiguration
from execution_helpers import (
    GATE,
    PackageIndex,
    error_of,
    is_alive,
    text_of,
    wait_for,
    wait_until,
)

LOG = "user_logs/std_log.txt"
# Ends in any attempt but the first.
SECOND_TIME = GATE + (
    "print('attempt', os.environ['AZUREML_RUN_ATTEMPT'])\n"
    "open('outputs/seen.txt', 'a').write(os.environ['AZUREML_RUN_ATTEMPT'])\n"
    "open(sys.argv[1], 'w').close()\n"
    "wait_for(sys.argv[1] if os.environ['AZUREML_RUN_ATTEMPT'] != '1' else 'never')"
)
# Goes on when it is asked to end.
DEAF = GATE + (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "open(sys.argv[1], 'w').close(); wait_for('never')"
)


@pytest.fixture
def lab(lab, local_workspace):
    yield lab
    local_workspace.start(local_workspace.settings.port)


def processes_of(lab, run, attempt=1, rank=0):
    """The process of a node and that of the job on it, once they are there."""
    folder = lab.server.paths.runs / run.id / f"attempt-{attempt}"
    note = folder / f"node-{rank}.json"
    found = json.loads(wait_until(lambda: note.exists() and note.read_text()))
    return found["node"], found["process"]


def test_a_node_that_dies_costs_one_attempt(lab, tmp_path):
    run = lab.submit(SECOND_TIME, str(tmp_path / "began"))
    wait_until((tmp_path / "began").exists)
    node, process = processes_of(lab, run)
    os.kill(node, signal.SIGKILL)
    assert wait_for(run) == "Completed"
    assert not is_alive(process)
    log = text_of(run, LOG, tmp_path)
    reason = "A node of the cluster was lost while the run was on it (attempt 1). It is run again."
    assert log.splitlines() == ["attempt 1", reason, "attempt 2"]
    assert reason in text_of(run, "azureml-logs/20_image_build_log.txt", tmp_path)
    # Its files are those of the snapshot again.
    assert text_of(run, "outputs/seen.txt", tmp_path) == "2"
    assert lab.states_of(run) == [
        *("Preparing", "Queued", "Running"),
        *("Queued", "Preparing", "Queued", "Running"),
        *("Finalizing", "Completed"),
    ]


def test_a_job_on_two_nodes_is_run_again_when_one_of_them_dies(lab, tmp_path):
    script = SECOND_TIME.replace("sys.argv[1]", "sys.argv[1] + os.environ['RANK']")
    mpi = MpiConfiguration(node_count=2)
    run = lab.submit(script, str(tmp_path / "began"), distributed_job_config=mpi)
    for rank in range(2):
        wait_until((tmp_path / f"began{rank}").exists)
    other = processes_of(lab, run, rank=0)[1]
    os.kill(processes_of(lab, run, rank=1)[0], signal.SIGKILL)
    assert wait_for(run) == "Completed"
    assert not is_alive(other)
    for rank in range(2):
        assert "attempt 2" in text_of(run, f"user_logs/std_log_process_{rank}.txt", tmp_path)


def test_a_job_that_kills_every_node_is_given_up(lab):
    script = GATE + (
        "import json, signal\n"
        "wait_for('../node-0.json')\n"
        "os.kill(json.load(open('../node-0.json'))['node'], signal.SIGKILL)\n"
        "wait_for('never')"
    )
    run = lab.submit(script)
    assert wait_for(run) == "Failed"
    assert "was lost while the run was on it, 3 times" in error_of(run)["message"]
    assert wait_for(lab.submit("print('the cluster goes on')")) == "Completed"


def test_a_process_that_is_killed_fails_its_run(lab, tmp_path):
    run = lab.submit(GATE + "open(sys.argv[1], 'w').close(); wait_for('never')", str(lab.gate()))
    wait_until(lab.gate().exists)
    os.kill(processes_of(lab, run)[1], signal.SIGKILL)
    assert wait_for(run) == "Failed"
    assert "killed by signal 9 (SIGKILL)" in error_of(run)["message"]
    assert LOG in error_of(run)["message"]


def test_nothing_of_an_ended_run_stays_in_the_folder_of_runs(lab):
    run = lab.submit("print(1)")
    assert wait_for(run) == "Completed"
    wait_until(lambda: not (lab.server.paths.runs / run.id).exists())


def test_no_run_is_lost_when_the_server_is_killed(lab, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with PackageIndex(tmp_path / "wheels") as index:
        index.add("faulty_package", "1.0")
        index.hold()
        running = lab.submit(SECOND_TIME, str(tmp_path / "began"))
        local = lab.submit(SECOND_TIME, str(tmp_path / "local"), target="local")
        canceled = lab.submit(DEAF, str(tmp_path / "deaf"))
        for name in ("began", "local", "deaf"):
            wait_until((tmp_path / name).exists)
        queued = lab.submit("print('from the queue')")
        wait_for(queued, "Queued")
        script = "import faulty_package; print('built')"
        building = lab.submit(script, environment=index.environment("faulty-package"))
        wait_until(lambda: index.asked("faulty-package"))
        processes = [processes_of(lab, run)[1] for run in (running, local, canceled)]
        left = lab.server.paths.runs / "left_1_00000000"
        left.mkdir()
        canceled.cancel()
        wait_for(canceled, "CancelRequested")

        lab.server.kill()
        wait_until(lambda: not any(is_alive(pid) for pid in processes))
        index.go()
        lab.server.start(lab.server.settings.port)

        for run in (running, local, queued, building):
            assert wait_for(run) == "Completed"
        assert wait_for(canceled) == "Canceled"
    reason = "The local workspace was stopped while the run was on it (attempt 1). It is run again."
    for run in (running, local):
        log = text_of(run, LOG, tmp_path)
        assert log.splitlines() == ["attempt 1", reason, "attempt 2"]
    assert "from the queue" in text_of(queued, LOG, tmp_path)
    assert "built" in text_of(building, LOG, tmp_path)
    assert "Running" in lab.states_of(canceled)
    wait_until(lambda: not left.exists())


def test_a_run_is_run_again_after_a_restart(lab, tmp_path):
    run = lab.submit(SECOND_TIME, str(tmp_path / "began"))
    wait_until((tmp_path / "began").exists)
    process = processes_of(lab, run)[1]
    lab.server.stop()
    wait_until(lambda: not is_alive(process))
    lab.server.start(lab.server.settings.port)
    assert wait_for(run) == "Completed"
    assert "attempt 2" in text_of(run, LOG, tmp_path)


def test_outputs_are_kept_after_a_crash_in_the_midst_of_it(lab):
    script = """
    import os
    os.makedirs("outputs/many")
    for number in range(700):
        open(f"outputs/many/{number}", "w").close()
    """
    run = lab.submit(script)
    wait_for(run, "Finalizing")
    lab.server.kill()
    lab.server.start(lab.server.settings.port)
    assert wait_for(run) == "Completed"
    assert sum(name.startswith("outputs/many/") for name in run.get_file_names()) == 700
    assert lab.states_of(run).count("Running") == 1
