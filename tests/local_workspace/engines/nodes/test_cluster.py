"""Which node of a cluster gets a job."""

import os
import threading

import pytest
from distributed.core import Status
from execution_helpers import wait_until

from local_workspace.engines.nodes.cluster import Cluster


class Ends:
    """The ends of jobs, as a cluster tells them."""

    def __init__(self):
        self.outcomes = []
        self._changed = threading.Condition()

    def done(self, node, outcome):
        with self._changed:
            self.outcomes.append((node, outcome))
            self._changed.notify_all()

    def wait(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.outcomes) >= count, timeout=60)
        return self.outcomes


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster("two", tmp_path_factory.mktemp("two"))
    cluster.scale(2, 0, 2, 600)
    wait_until(lambda: cluster.free_nodes == 2)
    yield cluster
    cluster.close()


def gated(folder, name):
    """A specification that a node reads to its end only when `open_gate` has written it."""
    path = folder / name
    os.mkfifo(path)
    return path


def open_gate(path):
    path.write_text("no specification", encoding="utf-8")


def test_a_node_that_is_not_ready_or_has_a_job_is_not_free(cluster, tmp_path):
    first, second = cluster._cluster.scheduler.workers.values()
    first.status = Status.paused
    try:
        assert cluster._free() == [second.address]
    finally:
        first.status = Status.running

    ends = Ends()
    gates = [gated(tmp_path, "a"), gated(tmp_path, "b")]
    cluster.submit("run_a", 1, [[gates[0]]], ends.done)
    assert cluster.free_nodes == 1
    assert cluster.scale(0, 0, 2, 600) == 2
    cluster.submit("run_b", 1, [[gates[1]]], ends.done)
    assert cluster.free_nodes == 0
    wait_until(lambda: sorted(str(node.run_id) for node in cluster.nodes()) == ["run_a", "run_b"])
    for gate in gates:
        open_gate(gate)
    assert {outcome.failure.split(":")[0] for _, outcome in ends.wait(2)} == {"JSONDecodeError"}
    wait_until(lambda: cluster.free_nodes == 2)


def test_a_job_whose_node_went_before_it_began_is_lost(cluster, tmp_path, monkeypatch):
    ends = Ends()
    monkeypatch.setattr(cluster, "_free", lambda: ["tls://127.0.0.1:9"])
    cluster.submit("run_c", 1, [[tmp_path / "c"], [tmp_path / "d"]], ends.done)
    # The second node was never there.
    ((node, outcome),) = ends.wait(1)
    assert node == 1
    assert outcome.is_lost
    cluster.scale(2, 0, 2, 600)
    assert sorted(node for node, outcome in ends.wait(2) if outcome.is_lost) == [0, 1]
    monkeypatch.undo()
    assert cluster.free_nodes == 2
