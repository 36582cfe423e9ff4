"""Cancellation: in every state, twice, and what it leaves behind."""

from azureml.core import Run
from azureml.core.runconfig import MpiConfiguration
from execution_helpers import (
    GATE,
    PackageIndex,
    is_alive,
    text_of,
    wait_for,
    wait_until,
)

FOREVER = GATE + "print('it runs'); wait_for('never')"


def test_while_it_runs_its_processes_end_and_its_files_are_kept(lab, tmp_path):
    script = """
    import os, subprocess, sys, time
    child = subprocess.Popen(["sleep", "600"])
    open("outputs/kept.txt", "w").write("kept")
    open(sys.argv[1] + ".new", "w").write(f"{os.getpid()} {child.pid}")
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    time.sleep(600)
    """
    run = lab.submit(script, str(tmp_path / "pids"))
    wait_until((tmp_path / "pids").exists)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert all(is_alive(pid) for pid in pids)

    run.cancel()

    assert wait_for(run) == "Canceled"
    wait_until(lambda: not any(is_alive(pid) for pid in pids))
    assert lab.states_of(run) == [
        "Preparing",
        "Queued",
        "Running",
        "CancelRequested",
        "Canceled",
    ]
    assert text_of(run, "outputs/kept.txt", tmp_path) == "kept"
    details = run.get_details()
    assert details["endTimeUtc"] >= details["startTimeUtc"]
    assert "error" not in details


def test_a_process_that_does_not_listen_is_killed(lab, tmp_path):
    script = GATE + (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open(sys.argv[1], 'w').close(); wait_for('never')"
    )
    run = lab.submit(script, str(tmp_path / "deaf"))
    wait_until((tmp_path / "deaf").exists)
    run.cancel()
    assert wait_for(run) == "Canceled"


def test_a_process_can_clean_up_when_it_is_asked_to_end(lab, tmp_path):
    script = GATE + (
        "import signal\n"
        "def end(*_):\n"
        "    open('outputs/checkpoint.txt', 'w').write('saved'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "open(sys.argv[1], 'w').close(); wait_for('never')"
    )
    run = lab.submit(script, str(tmp_path / "ready"))
    wait_until((tmp_path / "ready").exists)
    run.cancel()
    assert wait_for(run) == "Canceled"
    assert text_of(run, "outputs/checkpoint.txt", tmp_path) == "saved"


def test_all_processes_of_a_job_end(lab, tmp_path):
    mpi = MpiConfiguration(process_count_per_node=2, node_count=2)
    script = GATE + "open(sys.argv[1] + os.environ['RANK'], 'w').write(str(os.getpid()))\n"
    run = lab.submit(
        script + "wait_for('never')", str(tmp_path / "rank"), distributed_job_config=mpi
    )
    files = [tmp_path / f"rank{rank}" for rank in range(4)]
    pids = [int(wait_until(lambda file=file: file.exists() and file.read_text())) for file in files]
    run.cancel()
    assert wait_for(run) == "Canceled"
    wait_until(lambda: not any(is_alive(pid) for pid in pids))


def test_in_the_queue_and_twice(lab, caller):
    gate = lab.gate()
    mpi = MpiConfiguration(node_count=2)
    first = lab.submit(GATE + "wait_for(sys.argv[1])", str(gate), distributed_job_config=mpi)
    wait_for(first, "Running")
    queued = lab.submit("print('never printed')")
    wait_for(queued, "Queued")
    queued.cancel()
    assert wait_for(queued) == "Canceled"
    assert "Running" not in lab.states_of(queued)

    queued.cancel()
    Run.get(lab.ws, queued.id).cancel()
    assert queued.get_status() == "Canceled"

    gate.touch()
    assert wait_for(first) == "Completed"
    first.cancel()
    assert first.get_status() == "Completed"
    assert first.get_details()["status"] == "Completed"
    execution = caller("/execution/v1.0{scope}/experiments/" + first.experiment.name)
    assert execution("POST", f"/runId/{first.id}/cancel").json() == {"runId": first.id}


def test_while_its_environment_is_built(lab):
    with PackageIndex(lab.folder / "wheels") as index:
        index.add("held_package", "1.0")
        index.hold()
        run = lab.submit("print(1)", environment=index.environment("held-package"))
        wait_until(lambda: index.asked("held-package"))
        assert run.get_status() == "Preparing"
        run.cancel()
        assert wait_for(run) == "Canceled"
        assert "Queued" not in lab.states_of(run)


def test_while_its_files_are_kept(lab):
    """Once the script is over: what has not been kept by then is left."""
    script = """
    import os
    os.makedirs("outputs/many")
    for number in range(1500):
        open(f"outputs/many/{number}", "w").close()
    """
    run = lab.submit(script)
    wait_for(run, "Finalizing")
    run.cancel()
    assert wait_for(run) == "Canceled"
    assert lab.states_of(run)[-3:] == ["Finalizing", "CancelRequested", "Canceled"]
    assert len(run.get_file_names()) < 1500


def test_before_it_was_even_prepared(lab):
    """Right behind the submission: whatever state that finds."""
    for _ in range(5):
        run = lab.submit(FOREVER)
        run.cancel()
        assert wait_for(run) == "Canceled"


def test_waiting_for_a_canceled_run_returns(lab):
    run = lab.submit(FOREVER)
    wait_for(run, "Running")
    run.cancel()
    # For the SDK a run whose cancellation is requested does not run any more.
    run.wait_for_completion(show_output=True)
    assert wait_for(run) == "Canceled"


def test_what_was_not_submitted_is_canceled_by_an_event(lab):
    run = lab.experiment().start_logging(snapshot_directory=None)
    run.cancel()
    assert wait_for(run) == "Canceled"
