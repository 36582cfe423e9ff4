"""The nodes of a cluster: how many there are, what they work on, jobs that take several."""

import json
import re
import sys
from collections import Counter

import pytest
from azureml.core.runconfig import (
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from execution_helpers import (
    GATE,
    error_of,
    is_alive,
    json_of,
    own_environment,
    text_of,
    wait_for,
    wait_until,
)

from local_workspace.engines.jobs.ranks import rank_variables
from local_workspace.engines.nodes import node
from local_workspace.errors import BadRequest, NotImplementedHere
from local_workspace.services.execution.parsing import layout_of

SAY_VARIABLES = """
import json, os, sys
rank = os.environ.get("RANK") or json.loads(os.environ["TF_CONFIG"])["task"]["index"]
kind = "rank" if "RANK" in os.environ else json.loads(os.environ["TF_CONFIG"])["task"]["type"]
with open(f"outputs/{kind}{rank}.json", "w") as file:
    json.dump({**os.environ, "cwd": os.getcwd()}, file)
print("this is", kind, rank)
"""


def counts(cluster):
    """Nodes in all and busy nodes, as Azure counts them."""
    status = cluster.get_status()
    return status.current_node_count, status.node_state_counts.running_node_count


def test_jobs_wait_for_nodes_and_nodes_go_when_they_are_idle(lab):
    cluster = lab.cluster("grows", max_nodes=1, idle_seconds_before_scaledown=1)
    try:
        assert counts(cluster) == (0, 0)
        gate = lab.gate()
        first = lab.submit(GATE + "wait_for(sys.argv[1])", str(gate), target=cluster)
        wait_for(first, "Running")
        second = lab.submit(GATE + "wait_for(sys.argv[1])", str(gate), target=cluster)
        wait_for(second, "Queued")

        (node,) = wait_until(cluster.list_nodes)
        assert node["runId"] == first.id
        assert node["nodeState"] == "running"
        wait_until(lambda: counts(cluster) == (1, 1))
        assert second.get_status() == "Queued"

        gate.touch()
        assert wait_for(first) == wait_for(second) == "Completed"
        wait_until(lambda: counts(cluster) == (0, 0))
        assert cluster.list_nodes() == []
        assert cluster.get_status().allocation_state == "Steady"
    finally:
        cluster.delete()


def test_two_nodes_take_two_jobs_and_the_minimum_stays(lab):
    cluster = lab.cluster("stays", min_nodes=1, max_nodes=2, idle_seconds_before_scaledown=1)
    try:
        gate = str(lab.gate())
        runs = [lab.submit(GATE + "wait_for(sys.argv[1])", gate, target=cluster) for _ in "12"]
        for run in runs:
            wait_for(run, "Running")
        ids = {run.id for run in runs}
        wait_until(lambda: {node["runId"] for node in cluster.list_nodes()} == ids)
        lab.gate().touch()
        for run in runs:
            assert wait_for(run) == "Completed"
        wait_until(lambda: counts(cluster) == (1, 0))
        assert [node["nodeState"] for node in cluster.list_nodes()] == ["idle"]
    finally:
        cluster.delete()


def test_mpi_starts_processes_on_every_node(lab, tmp_path):
    mpi = MpiConfiguration(process_count_per_node=2, node_count=2)
    run = lab.submit(SAY_VARIABLES, distributed_job_config=mpi)
    assert wait_for(run) == "Completed"
    said = [json_of(run, f"outputs/rank{rank}.json", tmp_path) for rank in range(4)]
    for rank, one in enumerate(said):
        assert one["OMPI_COMM_WORLD_RANK"] == one["RANK"] == str(rank)
        assert one["OMPI_COMM_WORLD_SIZE"] == one["WORLD_SIZE"] == "4"
        assert one["OMPI_COMM_WORLD_LOCAL_RANK"] == one["LOCAL_RANK"] == str(rank % 2)
        assert one["OMPI_COMM_WORLD_LOCAL_SIZE"] == "2"
        assert one["NODE_RANK"] == str(rank // 2)
        assert one["AZUREML_NODE_COUNT"] == "2"
        log = text_of(run, f"user_logs/std_log_process_{rank}.txt", tmp_path)
        assert f"this is rank {rank}" in log
    assert said[0]["cwd"] == said[1]["cwd"] != said[2]["cwd"] == said[3]["cwd"]
    assert len({(one["MASTER_ADDR"], one["MASTER_PORT"]) for one in said}) == 1


def test_pytorch_spreads_its_processes_over_the_nodes(lab, tmp_path):
    pytorch = PyTorchConfiguration("Gloo", process_count=4, node_count=2)
    run = lab.submit(SAY_VARIABLES, distributed_job_config=pytorch)
    assert wait_for(run) == "Completed"
    said = [json_of(run, f"outputs/rank{rank}.json", tmp_path) for rank in range(4)]
    assert [one["LOCAL_RANK"] for one in said] == ["0", "1", "0", "1"]
    assert [one["NODE_RANK"] for one in said] == ["0", "0", "1", "1"]
    assert {one["WORLD_SIZE"] for one in said} == {"4"}
    assert "OMPI_COMM_WORLD_RANK" not in said[0]


def test_parameter_servers_serve_until_the_workers_are_done(lab, tmp_path):
    script = GATE + SAY_VARIABLES + "wait_for(sys.argv[1] if kind == 'worker' else 'never')"
    tensorflow = TensorflowConfiguration(worker_count=1, parameter_server_count=1)
    gate = lab.gate()
    run = lab.submit(script, str(gate), distributed_job_config=tensorflow)
    wait_for(run, "Running")
    gate.touch()
    assert wait_for(run) == "Completed"
    worker = json.loads(json_of(run, "outputs/worker0.json", tmp_path)["TF_CONFIG"])
    server = json.loads(json_of(run, "outputs/ps0.json", tmp_path)["TF_CONFIG"])
    assert worker["cluster"] == server["cluster"]
    assert server["task"] == {"type": "ps", "index": 0}


def test_an_ordinary_job_is_not_told_of_ranks(lab, tmp_path):
    run = lab.submit(command="env > outputs/variables.txt")
    wait_for(run)
    said = text_of(run, "outputs/variables.txt", tmp_path)
    assert "AZUREML_NODE_COUNT=1" in said
    assert not {"RANK", "WORLD_SIZE", "MASTER_ADDR", "OMPI_COMM_WORLD_RANK"} & {
        line.split("=")[0] for line in said.splitlines()
    }


def test_when_one_process_fails_the_others_are_ended(lab):
    script = GATE + "assert os.environ['RANK'] != '2', 'rank two fails'; wait_for('never')"
    mpi = MpiConfiguration(process_count_per_node=2, node_count=2)
    run = lab.submit(script, distributed_job_config=mpi)
    assert wait_for(run) == "Failed"
    assert "AssertionError: rank two fails" in error_of(run)["message"]


def test_a_process_that_fails_while_it_is_looked_at_is_the_reason(tmp_path):
    class Process:
        """Fails right after it has been seen running; the other one never ends by itself."""

        deadline = None
        exit_handle = None

        def __init__(self, fails):
            self.fails, self.seen, self.killed, self.reason = fails, 0, False, "exited"

        def has_ended(self):
            self.seen += 1
            return self.killed or (self.fails and self.seen > 1)

        def has_failed(self):
            return self.killed or self.fails

        def ask_to_end(self):
            self.killed = True

        def wait(self, seconds):
            assert self.killed

        let_go = see_off = ask_to_end

    failing, waiting = Process(True), Process(False)
    node._watch([waiting, failing], tmp_path / "cancel")
    assert (failing.reason, waiting.reason) == ("exited", "canceled")


def test_a_process_that_cannot_be_noted_does_not_run_on(tmp_path, monkeypatch):
    started = []

    def full(path, content):
        started.append(json.loads(content)["process"])
        raise OSError("the disk is full")

    monkeypatch.setattr(node, "write_whole", full)
    specification = {
        "rank": 0,
        "python": sys.executable,
        "folder": str(tmp_path),
        "log": str(tmp_path / "log"),
        "log_limit": 1000,
        "result": str(tmp_path / "result"),
        "script": "",
        "command": "sleep 600",
        "inputs": [],
        "outputs": [],
        "environment": {},
    }
    (tmp_path / "process-0.json").write_text(json.dumps(specification))
    with pytest.raises(OSError, match="the disk is full"):
        node.run_node([str(tmp_path / "process-0.json")])
    assert not is_alive(*started)


def test_jobs_start_in_the_order_of_their_submission(lab):
    """Twenty of them, behind one that holds all nodes."""
    gate = lab.gate()
    mpi = MpiConfiguration(node_count=2)
    first = lab.submit(GATE + "wait_for(sys.argv[1])", str(gate), distributed_job_config=mpi)
    wait_for(first, "Running")
    experiment = lab.experiment("twenty")
    configuration = lab.configuration(command="true")

    runs = [experiment.submit(configuration) for _ in range(20)]
    assert wait_for(runs[-1], "Queued") == "Queued"
    gate.touch()
    assert wait_for(first) == "Completed"
    for run in runs:
        assert wait_for(run) == "Completed"
    assert Counter(run.status for run in experiment.get_runs()) == {"Completed": 20}
    started = re.findall(r"Run (twenty_\S+): Running", lab.server_log())
    assert started == [run.id for run in runs]


def test_a_cluster_that_is_deleted_ends_its_jobs(lab):
    cluster = lab.cluster("deleted", max_nodes=1)
    script = GATE + "wait_for('never')"
    running = lab.submit(script, target=cluster)
    wait_for(running, "Running")
    queued = lab.submit(script, target=cluster)
    wait_for(queued, "Queued")
    cluster.delete()
    for run in (running, queued):
        assert wait_for(run) == "Failed"
        assert error_of(run)["message"] == "The compute target 'deleted' was deleted."


def test_a_cluster_that_shrinks_fails_the_job_that_does_not_fit_any_more(lab):
    cluster = lab.cluster("shrinks", max_nodes=2)
    try:
        gate = str(lab.gate())
        running = lab.submit(GATE + "wait_for(sys.argv[1])", gate, target=cluster)
        wait_for(running, "Running")
        mpi = MpiConfiguration(node_count=2)
        wide = lab.submit("print(1)", target=cluster, distributed_job_config=mpi)
        wait_for(wide, "Queued")
        cluster.update(max_nodes=1)
        assert wait_for(wide) == "Failed"
        assert "asks for 2 nodes" in error_of(wide)["message"]
        lab.gate().touch()
        assert wait_for(running) == "Completed"
    finally:
        cluster.delete()


@pytest.mark.parametrize(
    ("configuration", "error", "message"),
    [
        ({"nodeCount": 0}, BadRequest, "'nodeCount' must be a whole number of at least 1, not 0"),
        ({"nodeCount": "2"}, BadRequest, "not '2'"),
        (
            {"communicator": "Nccl", "pytorch": {"nodeCount": 2, "processCount": 3}},
            BadRequest,
            "must be a multiple of 'node_count', which is 2",
        ),
        ({"communicator": "ParallelTask"}, NotImplementedHere, "'ParallelTask' is not offered"),
    ],
)
def test_layouts_that_cannot_be(configuration, error, message):
    with pytest.raises(error, match=message):
        layout_of(configuration)


def test_logs_of_many_processes_sort_by_rank():
    layout = layout_of({"communicator": "OpenMpi", "mpi": {"processCountPerNode": 12}})
    names = [layout.log_name(rank) for rank in range(12)]
    assert names == sorted(names) and names[0] == "std_log_process_00.txt"
    variables = rank_variables(layout, lambda count: [5000] * count)
    assert [one["RANK"] for one in variables] == [str(rank) for rank in range(12)]


def test_a_user_managed_environment_runs_on_the_given_interpreter(lab, tmp_path):
    environment = own_environment()
    environment.python.interpreter_path = sys.executable
    run = lab.submit("import sys; print('runs on', sys.executable)", environment=environment)
    wait_for(run)
    assert f"runs on {sys.executable}" in text_of(run, "user_logs/std_log.txt", tmp_path)
