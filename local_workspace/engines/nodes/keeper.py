"""The clusters of the workspace: started with their first job, scaled, shown, put to rest."""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.forkserver
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from local_workspace.engines.nodes.node import NODE_START_METHOD
from local_workspace.services.compute import Node, find_compute, list_computes, set_nodes
from local_workspace.store.tables.compute import ComputeRow
from local_workspace.workspace import LocalWorkspace

if TYPE_CHECKING:
    from local_workspace.engines.nodes.cluster import Cluster

_log = logging.getLogger(__name__)

# A cluster without nodes costs its scheduler only, but it costs that all the time.
REST_SECONDS = 60.0
# The last two because a node tells their versions when it joins.
_IMPORTED_BY_NODES = ("distributed", "numpy", "pandas")


class NodeKeeper:
    """Keeps as many nodes as jobs need and compute targets allow.

    Called by the engine's thread; starting and ending a cluster takes seconds and is done by
    `helpers`, after which `wake` is called.
    """

    def __init__(
        self, workspace: LocalWorkspace, helpers: Executor, wake: Callable[[], None]
    ) -> None:
        self._workspace = workspace
        self._helpers = helpers
        self._wake = wake
        self._clusters: dict[str, Cluster] = {}
        self._starting: set[str] = set()
        self._failures: dict[str, str] = {}
        self._start_one_by_one = threading.Lock()
        self._empty_since: dict[str, float] = {}
        self._shown: dict[str, Any] = {}

    @property
    def is_active(self) -> bool:
        """Whether there is a cluster to look after."""
        return bool(self._clusters or self._starting)

    def cluster(self, name: str) -> Cluster | None:
        """The cluster of a compute target, once it is up."""
        return self._clusters.get(name)

    def failure(self, name: str) -> str | None:
        """Why the cluster of a compute target could not be started, told once."""
        return self._failures.pop(name, None)

    def keep(self, needed: dict[str, int], soon: set[str]) -> dict[str, ComputeRow]:
        """Bring every cluster to the nodes that are `needed`; the compute targets there are.

        `soon` names those whose jobs are still being prepared.
        """
        if not needed and not soon and not self.is_active:
            return {}
        with self._workspace.database.read() as session:
            computes = {row.key: row for row in list_computes(session)}
        for name in set(self._clusters) - set(computes):
            self._put_away(name)
        for name in (set(needed) | soon) & set(computes):
            if name not in self._clusters and name not in self._starting:
                self._starting.add(name)
                self._helpers.submit(self._start, name)
        for name, cluster in list(self._clusters.items()):
            row = computes[name]
            target = cluster.scale(
                needed.get(name, 0), row.min_nodes, row.max_nodes, row.idle_seconds
            )
            self._show(name, cluster, target)
            if name in needed or name in soon or not cluster.is_empty:
                self._empty_since.pop(name, None)
            elif time.monotonic() - self._empty_since.setdefault(name, time.monotonic()) > (
                REST_SECONDS
            ):
                self._put_away(name)
        return computes

    def _start(self, name: str) -> None:
        try:
            with self._start_one_by_one:
                _prepare_node_processes()
                # Takes seconds: only who submits jobs to a cluster pays for it.
                from local_workspace.engines.nodes.cluster import Cluster

                cluster = Cluster(name, self._workspace.paths.runs / ".nodes" / name)
        except Exception as error:
            _log.exception("The nodes of %s could not be started", name)
            self._failures[name] = f"The nodes of '{name}' could not be started: {error}"
        else:
            self._clusters[name] = cluster
        self._starting.discard(name)
        self._wake()

    def _put_away(self, name: str) -> None:
        cluster = self._clusters.pop(name)
        self._shown.pop(name, None)
        self._empty_since.pop(name, None)
        self._helpers.submit(cluster.close)

    def _show(self, name: str, cluster: Cluster, target: int) -> None:
        nodes = [Node(node.node_id, node.state, node.run_id) for node in cluster.nodes()]
        if self._shown.get(name) == (nodes, target):
            return
        with self._workspace.database.write() as session:
            if find_compute(session, name) is not None:
                set_nodes(session, name, nodes, target=target)
        self._shown[name] = (nodes, target)

    def close(self) -> None:
        """End all nodes, and the processes on them."""
        for cluster in self._clusters.values():
            cluster.close()
        self._clusters.clear()


def _prepare_node_processes() -> None:
    """Have the process that makes nodes import what they need, while the cluster starts."""
    if NODE_START_METHOD == "forkserver":
        context = multiprocessing.get_context(NODE_START_METHOD)
        context.set_forkserver_preload(list(_IMPORTED_BY_NODES))
        multiprocessing.forkserver.ensure_running()
