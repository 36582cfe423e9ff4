"""Who of the jobs that wait for a compute target gets nodes, and how many nodes it needs."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from local_workspace.engines.nodes import NodeKeeper
from local_workspace.services.compute import find_compute
from local_workspace.services.execution import jobs_on
from local_workspace.workspace import LocalWorkspace

# While jobs wait for nodes or run on them, and while there are nodes and no jobs.
_TICK_SECONDS = 0.25
_IDLE_TICK_SECONDS = 1.0


class ClusterQueues:
    """The queues of the compute targets; used by the engine's thread only."""

    def __init__(self, workspace: LocalWorkspace, nodes: NodeKeeper) -> None:
        self._workspace = workspace
        self._nodes = nodes
        # Nodes that are given to a job which has not started on them yet, by run.
        self._granted: dict[str, tuple[str, int]] = {}

    def is_granted(self, run_id: str) -> bool:
        """Whether a job may start on nodes of its compute target."""
        return run_id in self._granted

    def drop(self, run_id: str) -> None:
        """A job has taken its nodes, or needs none any more."""
        self._granted.pop(run_id, None)

    def waiting(self, key: str) -> list[str]:
        """The jobs of a compute target that are not at their end."""
        with self._workspace.database.read() as session:
            return [row.run_id for row in jobs_on(session, key) if row.state != "ending"]

    def look(self, key: str) -> tuple[list[str], dict[str, Any], float | None]:
        """Bring a compute target to the nodes that its jobs need, and give them out.

        Returns the runs that got nodes, the errors of those that never will, and after how many
        seconds to look again (None: when a job comes).
        """
        with self._workspace.database.read() as session:
            compute = find_compute(session, key)
            jobs = [row for row in jobs_on(session, key) if row.state != "ending"]
        if compute is None:
            self._nodes.put_away(key)
            message = f"The compute target '{key}' was deleted."
            return [], {row.run_id: message for row in jobs}, None
        needed = sum(row.node_count for row in jobs if row.state != "submitted")
        self._nodes.keep(compute, needed, is_wanted=bool(jobs))
        queued = [row for row in jobs if row.state == "queued"]
        doomed: dict[str, Any] = {}
        broken = self._nodes.failure(key)
        for row in queued:
            if broken is not None:
                doomed[row.run_id] = {"code": "ServiceError", "message": broken}
            elif row.node_count > compute.max_nodes:
                doomed[row.run_id] = (
                    f"The run asks for {row.node_count} nodes, and the compute target "
                    f"'{compute.name}' has at most {compute.max_nodes} now."
                )
        granted = self._give_out(key, [row for row in queued if row.run_id not in doomed])
        if jobs:
            return granted, doomed, _TICK_SECONDS
        return granted, doomed, _IDLE_TICK_SECONDS if self._nodes.is_active(key) else None

    def _give_out(self, key: str, queued: list[Row]) -> list[str]:
        """Nodes for jobs, the oldest first; one that needs many nodes holds up the others."""
        cluster = self._nodes.cluster(key)
        if cluster is None:
            return []
        free = cluster.free_nodes - sum(n for of, n in self._granted.values() if of == key)
        granted = []
        for row in queued:
            if row.run_id in self._granted:
                continue
            if row.node_count > free:
                break
            free -= row.node_count
            self._granted[row.run_id] = (key, row.node_count)
            granted.append(row.run_id)
        return granted
