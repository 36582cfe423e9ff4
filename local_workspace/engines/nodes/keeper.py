"""The clusters of the workspace: started with their first job, scaled, shown, put to rest."""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.forkserver
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_workspace.engines.nodes.node import NODE_START_METHOD
from local_workspace.services.compute import Node, find_compute, set_nodes
from local_workspace.store.tables.compute import ComputeRow
from local_workspace.workspace import LocalWorkspace

if TYPE_CHECKING:
    from local_workspace.engines.nodes.cluster import Cluster

_log = logging.getLogger(__name__)

# A cluster without nodes costs its scheduler only, but it costs that all the time.
REST_SECONDS = 60.0
# The last two because a node tells their versions when it joins.
_IMPORTED_BY_NODES = ("distributed", "numpy", "pandas")


@dataclass
class _Kept:
    """A cluster that is starting (`cluster` is None) or up."""

    cluster: Cluster | None = None
    failure: str | None = None
    empty_since: float | None = None
    shown: Any = field(default=None)


class NodeKeeper:
    """Keeps as many nodes as jobs need and compute targets allow.

    Called by the engine's thread; starting and ending a cluster takes seconds and is done beside
    it. `wake(key)` is called when the cluster of a compute target is up, or cannot be had.
    """

    def __init__(self, workspace: LocalWorkspace, wake: Callable[[str], None]) -> None:
        self._workspace = workspace
        self._wake = wake
        self._kept: dict[str, _Kept] = {}
        self._helpers = ThreadPoolExecutor(2, "clusters")
        self._start_one_by_one = threading.Lock()

    def is_active(self, key: str) -> bool:
        """Whether a compute target has a cluster to look after."""
        return key in self._kept

    def cluster(self, key: str) -> Cluster | None:
        """The cluster of a compute target, once it is up."""
        kept = self._kept.get(key)
        return kept.cluster if kept else None

    def failure(self, key: str) -> str | None:
        """Why the cluster of a compute target could not be started, told once."""
        kept = self._kept.get(key)
        if kept is None or kept.failure is None:
            return None
        del self._kept[key]
        return kept.failure

    def keep(self, row: ComputeRow, needed: int, *, is_wanted: bool) -> None:
        """Bring the cluster of a compute target to the nodes that are `needed`.

        `is_wanted`: there are jobs for it, if only such as are still being prepared.
        """
        key = row.key
        if key not in self._kept:
            if is_wanted:
                self._kept[key] = _Kept()
                self._helpers.submit(self._start, key)
            return
        kept = self._kept[key]
        if kept.cluster is None:
            return
        target = kept.cluster.scale(needed, row.min_nodes, row.max_nodes, row.idle_seconds)
        self._show(key, kept, kept.cluster, target)
        now = time.monotonic()
        if is_wanted or not kept.cluster.is_empty:
            kept.empty_since = None
        elif kept.empty_since is None:
            kept.empty_since = now
        elif now - kept.empty_since > REST_SECONDS:
            self.put_away(key)

    def put_away(self, key: str) -> None:
        """End the cluster of a compute target, if it has one."""
        kept = self._kept.pop(key, None)
        if kept is not None and kept.cluster is not None:
            self._helpers.submit(kept.cluster.close)

    def _start(self, key: str) -> None:
        try:
            with self._start_one_by_one:
                _prepare_node_processes()
                # Takes seconds: only who submits jobs to a cluster pays for it.
                from local_workspace.engines.nodes.cluster import Cluster

                cluster = Cluster(key, self._workspace.paths.runs / ".nodes" / key)
        except Exception as error:
            _log.exception("The nodes of %s could not be started", key)
            failure = f"The nodes of '{key}' could not be started: {error}"
            self._kept[key] = _Kept(failure=failure)
        else:
            kept = self._kept.get(key)
            if kept is None:
                # Its compute target was deleted meanwhile.
                cluster.close()
            else:
                kept.cluster = cluster
        self._wake(key)

    def _show(self, key: str, kept: _Kept, cluster: Cluster, target: int) -> None:
        nodes = [Node(node.node_id, node.state, node.run_id) for node in cluster.nodes()]
        if kept.shown == (nodes, target):
            return
        with self._workspace.database.write() as session:
            if find_compute(session, key) is not None:
                set_nodes(session, key, nodes, target=target)
        kept.shown = (nodes, target)

    def close(self) -> None:
        """End all nodes, and the processes on them."""
        # A cluster that is only starting is waited for: nothing of it may stay.
        self._helpers.shutdown(wait=True)
        for kept in self._kept.values():
            if kept.cluster is not None:
                kept.cluster.close()
        self._kept.clear()


def _prepare_node_processes() -> None:
    """Have the process that makes nodes import what they need, while the cluster starts."""
    if NODE_START_METHOD == "forkserver":
        context = multiprocessing.get_context(NODE_START_METHOD)
        context.set_forkserver_preload(list(_IMPORTED_BY_NODES))
        multiprocessing.forkserver.ensure_running()
