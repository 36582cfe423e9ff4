"""An AmlCompute cluster: a cluster of Dask `distributed` whose workers are the nodes.

Imported with the first job only: `distributed` is large.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.client import Future
from distributed.scheduler import KilledWorker
from distributed.security import Security

from local_workspace.engine.node import run_process

RESOURCE = "node"

# A lost node ends what ran on it: whether that is run again is decided here, not by Dask.
dask.config.set({"distributed.scheduler.allowed-failures": 0})


@dataclass
class ProcessResult:
    """How one process of a job ended; `lost` says that its node did."""

    lost: bool
    reason: str
    exit_code: int


@dataclass(frozen=True)
class NodeState:
    """One living node: its id and the run it works on."""

    node_id: str
    run_id: str | None


@dataclass
class Cluster:
    """The nodes of one compute target. All methods are called by the engine's thread."""

    name: str
    folder: Path
    _busy: int = 0
    _wanted: int = 0
    _idle_since: dict[Any, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._cluster = LocalCluster(
            name=f"{self.name}-{id(self)}",
            n_workers=0,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            resources={RESOURCE: 1},
            memory_limit=0,
            local_directory=str(self.folder),
            security=Security.temporary(),
            silence_logs=50,
        )
        self._client = Client(self._cluster, set_as_default=False)

    @property
    def free_nodes(self) -> int:
        """How many nodes are there and have no work."""
        return len(self._cluster.scheduler.workers) - self._busy

    def nodes(self) -> list[NodeState]:
        """The nodes there are."""
        found = []
        for worker in list(self._cluster.scheduler.workers.values()):
            runs = [str(task.key).rsplit("|", 2)[0] for task in list(worker.processing)]
            found.append(NodeState(f"tvm-{self.name}-{worker.name}", runs[0] if runs else None))
        return found

    def scale(self, needed: int, minimum: int, maximum: int, idle_seconds: float) -> int:
        """Have `needed` nodes within the limits; give back those idle for `idle_seconds`.

        Returns the number of nodes that the cluster is heading for.
        """
        wanted = max(minimum, min(needed, maximum))
        if wanted > len(self._cluster.worker_spec):
            self._cluster.scale(wanted)
        elif wanted < len(self._cluster.worker_spec):
            self._give_back(len(self._cluster.worker_spec) - wanted, idle_seconds)
        return len(self._cluster.worker_spec)

    def _give_back(self, surplus: int, idle_seconds: float) -> None:
        now = time.monotonic()
        workers = list(self._cluster.scheduler.workers.values())
        idle = [worker.name for worker in workers if not worker.processing]
        self._idle_since = {name: self._idle_since.get(name, now) for name in idle}
        ripe = [name for name in idle if now - self._idle_since[name] >= idle_seconds]
        if ripe and self._busy + len(ripe[:surplus]) <= len(workers):
            self._cluster.sync(self._cluster.scale_down, ripe[:surplus])

    def submit(
        self,
        run_id: str,
        attempt: int,
        specifications: list[Path],
        done: Callable[[int, ProcessResult], None],
    ) -> None:
        """Run one process on each of as many nodes; `done(rank, result)` comes for every one."""
        for rank, path in enumerate(specifications):
            self._busy += 1
            future = self._client.submit(
                run_process,
                str(path),
                key=f"{run_id}|{attempt}|{rank}",
                pure=False,
                retries=0,
                resources={RESOURCE: 1},
            )
            future.add_done_callback(self._callback(rank, done))

    def _callback(
        self, rank: int, done: Callable[[int, ProcessResult], None]
    ) -> Callable[[Future], None]:
        def ended(future: Future) -> None:
            self._busy -= 1
            self._idle_since.clear()
            done(rank, _result_of(future))
            future.release()

        return ended

    def close(self) -> None:
        """End all nodes, and the processes on them."""
        self._client.close(timeout=2)
        self._cluster.close(timeout=5)


def _result_of(future: Future) -> ProcessResult:
    if future.cancelled():
        return ProcessResult(True, "lost", 0)
    error = future.exception()
    if isinstance(error, KilledWorker):
        return ProcessResult(True, "lost", 0)
    if error is not None:
        return ProcessResult(False, f"{type(error).__name__}: {error}", 1)
    result = future.result()
    return ProcessResult(False, result["reason"], result["exit_code"])
