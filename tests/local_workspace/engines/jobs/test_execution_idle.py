"""What the engine costs while nothing runs, and what it listens on while something does."""

import http.client
import textwrap

import psutil
import pytest
from execution_helpers import GATE, wait_for, wait_until
from repository import REPOSITORY

from local_workspace import process
from local_workspace.engines.nodes import keeper as nodes
from local_workspace.services.compute.parsing import cluster_wanted
from local_workspace.services.compute.records import get_compute, put_compute


def test_nothing_of_dask_is_loaded_before_the_first_job_on_a_cluster(local_workspace, tmp_path):
    code = f"""
    import sys, threading
    from pathlib import Path
    from local_workspace import startup
    from local_workspace.paths import Paths
    from local_workspace.settings import Settings

    paths = Paths(Path({str(tmp_path)!r}))
    paths.root.mkdir(exist_ok=True)
    with startup.running(startup.build(paths, Settings(), 1).workspace):
        print(sorted(name for name in ("dask", "distributed", "tornado") if name in sys.modules))
        print([thread.name for thread in threading.enumerate()])
    """
    done = local_workspace.python("-c", textwrap.dedent(code), cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[]", "['MainThread']"]


@pytest.fixture
def keeper(workspace):
    """Keeps the nodes of a workspace with the cluster "idle", which gives nodes back at once."""
    scale = {"minNodeCount": 0, "maxNodeCount": 2, "nodeIdleTimeBeforeScaleDown": "PT1S"}
    inner = {"vmSize": "STANDARD_DS11_V2", "scaleSettings": scale}
    body = {"properties": {"computeType": "AmlCompute", "properties": inner}}
    with workspace.database.write() as session:
        put_compute(session, workspace.settings, "idle", cluster_wanted("idle", body))
    keeper = nodes.NodeKeeper(workspace, lambda _key: None)
    keeper.workspace = workspace
    yield keeper
    keeper.close()


def keep(keeper, needed, *, is_wanted):
    """One look at the cluster."""
    with keeper.workspace.database.read() as session:
        row = get_compute(session, "idle")
    keeper.keep(row, needed, is_wanted=is_wanted)


def nodes_of(keeper):
    with keeper.workspace.database.read() as session:
        return [node["nodeState"] for node in get_compute(session, "idle").nodes]


def test_a_cluster_is_put_away_when_it_has_been_empty_for_long(keeper, monkeypatch):
    monkeypatch.setattr(nodes, "REST_SECONDS", 0)

    def free():
        keep(keeper, 2, is_wanted=True)
        cluster = keeper.cluster("idle")
        return cluster is not None and cluster.free_nodes == 2

    wait_until(free)
    keep(keeper, 2, is_wanted=True)
    assert nodes_of(keeper) == ["idle", "idle"]
    assert keeper.is_active("idle")

    def is_put_away():
        keep(keeper, 0, is_wanted=False)
        return not keeper.is_active("idle")

    wait_until(is_put_away)
    assert nodes_of(keeper) == []
    assert keeper.cluster("idle") is None


def test_idle_nodes_above_a_new_maximum_go_at_once(keeper):
    def nodes_for(needed, count):
        keep(keeper, needed, is_wanted=bool(needed))
        cluster = keeper.cluster("idle")
        return cluster is not None and cluster.free_nodes == count

    wait_until(lambda: nodes_for(2, 2))
    with keeper.workspace.database.write() as session:
        get_compute(session, "idle").idle_seconds = 600
    keep(keeper, 0, is_wanted=False)
    assert len(keeper.cluster("idle").nodes()) == 2
    with keeper.workspace.database.write() as session:
        get_compute(session, "idle").max_nodes = 1
    wait_until(lambda: nodes_for(0, 1))
    keep(keeper, 0, is_wanted=False)
    assert nodes_of(keeper) == ["idle"]


def test_a_cluster_that_is_needed_soon_is_not_put_away(keeper, monkeypatch):
    monkeypatch.setattr(nodes, "REST_SECONDS", 0)

    def is_up():
        keep(keeper, 0, is_wanted=True)
        return keeper.cluster("idle")

    wait_until(is_up)
    keep(keeper, 0, is_wanted=True)
    assert keeper.cluster("idle") is not None
    assert keeper.cluster("idle").is_empty


def test_why_a_cluster_cannot_be_started_is_told(keeper, monkeypatch):
    monkeypatch.setattr(nodes, "_prepare_node_processes", lambda: 1 / 0)
    keep(keeper, 1, is_wanted=True)
    message = wait_until(lambda: keeper.failure("idle"))
    assert message == "The nodes of 'idle' could not be started: division by zero"


def test_nodes_listen_on_this_machine_only_and_show_no_pages(local_workspace, lab):
    run = lab.submit(GATE + "wait_for('never')")
    wait_for(run, "Running")
    state = psutil.Process(_pid_of(local_workspace))
    listening = [
        connection.laddr
        for one in [state, *state.children(recursive=True)]
        for connection in one.connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    run.cancel()
    assert {address.ip for address in listening} == {"127.0.0.1"}
    ports = {address.port for address in listening} - {local_workspace.settings.port}
    assert ports
    for port in ports:
        assert _page(port) in (None, 404)
    wait_for(run)


def _pid_of(server):
    return process.read_state(server.paths).pid


def _page(port):
    """The status of the page that a port shows without TLS; None when it speaks something else."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/status")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
