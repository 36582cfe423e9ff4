"""Compute targets: AmlCompute clusters, their nodes, VM sizes, usages and quotas."""

from local_workspace.services.compute.records import (
    Node,
    find_compute,
    get_compute,
    list_computes,
    reset_nodes,
    set_nodes,
)
from local_workspace.services.compute.vm_sizes import VmSize, find_vm_size

__all__ = [
    "Node",
    "VmSize",
    "find_compute",
    "find_vm_size",
    "get_compute",
    "list_computes",
    "reset_nodes",
    "set_nodes",
]
