"""An AmlCompute cluster: a cluster of Dask `distributed` whose workers are the nodes.

Imported with the first job only: `distributed` is large.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster, get_worker
from distributed.client import Future
from distributed.core import Status
from distributed.scheduler import KilledWorker
from distributed.security import Security

from local_workspace.engines.nodes.node import NODE_START_METHOD, run_node
from local_workspace.engines.nodes.outcomes import NodeOutcome, NodeState, ProcessOutcome

_RESOURCE = "node"

dask.config.set(
    {
        # A lost node ends what ran on it: whether that is run again is decided here, not by Dask.
        "distributed.scheduler.allowed-failures": 0,
        # Dask's servers for people answer without asking who is there: they get no pages.
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        # A node is busy with one thing: there is nothing to measure, steal or even out.
        "distributed.scheduler.work-stealing": False,
        "distributed.worker.profile.enabled": False,
        "distributed.admin.system-monitor.interval": "10s",
        "distributed.admin.tick.interval": "1s",
        "distributed.admin.tick.limit": "1h",
        "distributed.worker.multiprocessing-method": NODE_START_METHOD,
    }
)
logging.getLogger("distributed").setLevel(logging.ERROR)


class Cluster:
    """The nodes of one compute target. All methods are called by the engine's thread."""

    def __init__(self, name: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._ids = uuid.uuid4().hex
        # The addresses of the nodes that are given to a job, by its tasks.
        self._taken: dict[str, str] = {}
        self._futures: dict[str, Future] = {}
        self._idle_since: dict[Any, float] = {}
        self._cluster = LocalCluster(
            name=f"{name}-{self._ids}",
            n_workers=0,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            worker_dashboard_address="127.0.0.1:0",
            resources={_RESOURCE: 1},
            memory_limit=0,
            local_directory=str(folder),
            security=Security.temporary(),
            silence_logs=logging.CRITICAL,
        )
        # The nodes have no dashboard either; the class takes its address for a wish to have one.
        self._cluster.new_spec["options"]["dashboard"] = False
        self._client = Client(self._cluster, set_as_default=False)

    @property
    def free_nodes(self) -> int:
        """How many nodes are there and have no work."""
        return len(self._free())

    def _free(self) -> list[str]:
        """The addresses of the nodes that work and are given to nobody.

        Dask itself gives a task to any node that *has* what it needs, also while another task uses
        it, and to none that has only just come.
        """
        taken = set(self._taken.values())
        wanted = set(self._cluster.worker_spec)
        return [
            worker.address
            for worker in list(self._cluster.scheduler.workers.values())
            if worker.status == Status.running
            and worker.name in wanted
            and worker.address not in taken
        ]

    @property
    def is_empty(self) -> bool:
        """Whether there are no nodes and none is on its way."""
        return not self._cluster.worker_spec and not self._cluster.scheduler.workers

    def nodes(self) -> list[NodeState]:
        """The nodes there are and those on their way."""
        workers = {worker.name: worker for worker in self._cluster.scheduler.workers.values()}
        found = []
        for name in sorted(set(self._cluster.worker_spec) | set(workers)):
            node_id = f"tvmps_{uuid.uuid5(uuid.UUID(self._ids), str(name)).hex}_d"
            if name not in workers:
                found.append(NodeState(node_id, "preparing", None))
                continue
            runs = [str(task.key).split("|")[0] for task in list(workers[name].processing)]
            if name not in self._cluster.worker_spec:
                state = "leaving"
            else:
                state = "running" if runs else "idle"
            found.append(NodeState(node_id, state, runs[0] if runs else None))
        return found

    def scale(self, needed: int, minimum: int, maximum: int, idle_seconds: float) -> int:
        """Have `needed` nodes within the limits; give back those idle for `idle_seconds`.

        Idle nodes above `maximum` go at once. Returns the number of nodes that the cluster is
        heading for.
        """
        self._end_what_waits_for_nodes_that_went()
        wanted = max(minimum, min(needed, maximum))
        spec = self._cluster.worker_spec
        ripe = self._idle_for(idle_seconds)[: max(len(spec) - wanted, 0)]
        above = self._idle_for(0)[: max(len(spec) - maximum, 0)]
        if wanted > len(spec):
            self._cluster.scale(wanted)
        elif ripe or above:
            self._cluster.sync(self._cluster.scale_down, max(ripe, above, key=len))
        return len(spec)

    def _idle_for(self, seconds: float) -> list[Any]:
        """The names of the nodes that have had nothing to do for so long; none while jobs wait."""
        now = time.monotonic()
        workers = list(self._cluster.scheduler.workers.values())
        taken = set(self._taken.values())
        idle = [worker.name for worker in workers if worker.address not in taken]
        self._idle_since = {name: self._idle_since.get(name, now) for name in idle}
        return [name for name in idle if now - self._idle_since[name] >= seconds]

    def submit(
        self,
        run_id: str,
        attempt: int,
        specifications: list[list[Path]],
        done: Callable[[int, NodeOutcome], None],
    ) -> None:
        """Run a job on as many nodes as there are lists of specifications, one process for each.

        `done(node, outcome)` comes for every node, most often from another thread.
        """
        free = self._free()
        for node, paths in enumerate(specifications):
            if node >= len(free):
                # It went since it was granted.
                done(node, NodeOutcome(is_lost=True))
                continue
            key = f"{run_id}|{attempt}|{node}"
            self._taken[key] = free[node]
            future = self._client.submit(
                _run_on_node,
                [str(path) for path in paths],
                key=key,
                pure=False,
                retries=0,
                resources={_RESOURCE: 1},
                workers=[free[node]],
            )
            self._futures[key] = future
            future.add_done_callback(self._callback(key, node, done))

    def _end_what_waits_for_nodes_that_went(self) -> None:
        """A task whose node went before it began would wait for it for ever."""
        there = set(self._cluster.scheduler.workers)
        for key, address in list(self._taken.items()):
            future = self._futures.get(key)
            if address not in there and future is not None and not future.done():
                future.cancel()

    def _callback(
        self, key: str, node: int, done: Callable[[int, NodeOutcome], None]
    ) -> Callable[[Future], None]:
        def ended(future: Future) -> None:
            outcome, worker = _outcome_of(future)
            if worker is not None:
                self._idle_since.pop(worker, None)
            self._taken.pop(key, None)
            self._futures.pop(key, None)
            done(node, outcome)
            future.release()

        return ended

    def close(self) -> None:
        """End all nodes, and the processes on them."""
        self._client.close(timeout=2)
        self._cluster.close(timeout=5)


def _run_on_node(specification_paths: list[str]) -> tuple[Any, list[dict[str, Any]]]:
    """Runs in the worker: which worker it is, and how the processes ended."""
    return get_worker().name, run_node(specification_paths)


def _outcome_of(future: Future) -> tuple[NodeOutcome, Any]:
    error = None if future.cancelled() else future.exception()
    if future.cancelled() or isinstance(error, KilledWorker):
        return NodeOutcome(is_lost=True), None
    if error is not None:
        return NodeOutcome(failure=f"{type(error).__name__}: {error}"), None
    worker, processes = future.result()
    return NodeOutcome([ProcessOutcome(**process) for process in processes]), worker
