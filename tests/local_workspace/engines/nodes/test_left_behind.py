"""Nothing that a job has started outlives it, in whatever session that is, however it ends."""

import json
import os
import sys

import pytest
from execution_helpers import DAEMONS, GATE, Lab, is_alive, wait_for, wait_until

# Elsewhere nobody adopts orphans, and there are no warm processes.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="for Linux")

# Says how it was started and whom it has started, and waits for a gate; in its first attempt.
SCRIPT = f"""\
import json, sys
is_warm = "azureml.core" in sys.modules
{GATE}
if os.environ["AZUREML_RUN_ATTEMPT"] != "1":
    sys.exit()
{DAEMONS}
with open("started", "w") as file:
    json.dump({{"is_warm": is_warm, "pids": [os.getpid(), apart.pid, orphan]}}, file)
os.rename("started", sys.argv[1])
wait_for(sys.argv[2])
"""


@pytest.fixture
def lab(local_workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield Lab(local_workspace, tmp_path)
    local_workspace.start(local_workspace.settings.port)


def wait_until_warm(lab, target):
    """Have a warm process that takes requests of the runs on `target`."""
    gate = lab.gate(f"warm-{target}")
    run = lab.submit(GATE + "wait_for(sys.argv[1])", str(gate), target=target)
    wait_for(run, "Running")
    path = lab.server.paths.runs / run.id / "attempt-1" / "process-0.json"
    address = json.loads(path.read_text())["warm"]
    wait_until(lambda: os.path.exists(address), seconds=120)
    gate.touch()
    wait_for(run)


def start(lab, *kinds):
    """Runs of `kinds` (target, start), and the processes of each."""
    found = {}
    for target, kind in kinds:
        project = lab.project(SCRIPT)
        if kind == "warm":
            wait_until_warm(lab, target)
        else:
            # Hides a module that a warm process has imported already.
            lab.folder.joinpath(project, "yaml.py").touch()
        started = lab.gate(f"started-{target}-{kind}")
        paths = str(started), str(lab.gate())
        run = lab.submit(SCRIPT, *paths, target=target, source_directory=project)
        wait_until(started.exists)
        said = json.loads(started.read_text())
        assert said["is_warm"] == (kind == "warm")
        assert all(is_alive(pid) for pid in said["pids"])
        found[run] = said["pids"]
    return found


def none_is_left(runs):
    """Whether all that the runs had started has ended."""
    return not any(is_alive(pid) for pids in runs.values() for pid in pids)


CLUSTER_WARM, CLUSTER_PLAIN = (None, "warm"), (None, "plain")
LOCAL_WARM, LOCAL_PLAIN = ("local", "warm"), ("local", "plain")


def test_when_the_job_ends(lab):
    runs = start(lab, CLUSTER_WARM, CLUSTER_PLAIN, LOCAL_WARM, LOCAL_PLAIN)
    lab.gate().touch()
    assert {wait_for(run) for run in runs} == {"Completed"}
    assert none_is_left(runs)


def test_when_the_job_is_canceled(lab):
    runs = start(lab, CLUSTER_WARM, CLUSTER_PLAIN, LOCAL_WARM, LOCAL_PLAIN)
    for run in runs:
        run.cancel()
    assert {wait_for(run) for run in runs} == {"Canceled"}
    # The SDK itself says at once that a local run is canceled.
    wait_until(lambda: none_is_left(runs))


def test_when_the_server_stops(lab):
    runs = start(lab, CLUSTER_WARM, LOCAL_PLAIN)
    lab.server.stop()
    wait_until(lambda: none_is_left(runs))


def test_when_the_server_is_killed(lab):
    runs = start(lab, CLUSTER_PLAIN, LOCAL_WARM)
    lab.server.kill()
    wait_until(lambda: none_is_left(runs))
