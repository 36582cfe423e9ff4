"""The nodes of clusters, and what runs the processes of a job on one of them."""

from local_workspace.engines.nodes.keeper import NodeKeeper
from local_workspace.engines.nodes.node import CANCEL_FILE, run_node
from local_workspace.engines.nodes.outcomes import NodeOutcome, ProcessOutcome
from local_workspace.engines.nodes.warm_processes import WarmProcesses

__all__ = [
    "CANCEL_FILE",
    "NodeKeeper",
    "NodeOutcome",
    "ProcessOutcome",
    "WarmProcesses",
    "run_node",
]
