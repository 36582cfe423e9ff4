"""What the processes of a job on several nodes are told of each other."""

from __future__ import annotations

import json
from collections.abc import Callable

from local_workspace.services.execution import Layout

_ADDRESS = "127.0.0.1"
_PYTORCH = ("nccl", "gloo")
_TENSORFLOW = "parameterserver"


def rank_variables(layout: Layout, free_ports: Callable[[int], list[int]]) -> list[dict[str, str]]:
    """For each process the variables that distributed frameworks look for.

    `free_ports(n)` gives ports to meet at. Names: those of Azure Batch, Open MPI, torch.distributed
    and TensorFlow, as Azure ML documents them in "Distributed GPU training guide".
    """
    common = {"AZUREML_NODE_COUNT": str(layout.nodes)}
    if layout.processes == 1 and layout.communicator == "none":
        return [common]
    if layout.communicator == _TENSORFLOW:
        return _tensorflow_variables(layout, common, free_ports(layout.nodes))
    (port,) = free_ports(1)
    common |= {
        "AZ_BATCH_NODE_LIST": ";".join([_ADDRESS] * layout.nodes),
        "AZ_BATCH_HOST_LIST": ",".join([_ADDRESS] * layout.nodes),
        "AZ_BATCH_MASTER_NODE": f"{_ADDRESS}:{port}",
        "AZ_BATCHAI_MPI_MASTER_NODE": _ADDRESS,
        "MASTER_ADDR": _ADDRESS,
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(layout.processes),
    }
    return [_variables_of(layout, rank, common) for rank in range(layout.processes)]


def _variables_of(layout: Layout, rank: int, common: dict[str, str]) -> dict[str, str]:
    node, local = layout.node_of(rank), rank % layout.per_node
    variables = {
        **common,
        "AZ_BATCH_IS_CURRENT_NODE_MASTER": "true" if node == 0 else "false",
        "AZUREML_PROCESS_NAME": f"rank_{rank}",
        "NODE_RANK": str(node),
        "RANK": str(rank),
        "LOCAL_RANK": str(local),
    }
    if layout.communicator not in _PYTORCH:
        variables |= {
            "OMPI_COMM_WORLD_RANK": str(rank),
            "OMPI_COMM_WORLD_SIZE": str(layout.processes),
            "OMPI_COMM_WORLD_LOCAL_RANK": str(local),
            "OMPI_COMM_WORLD_LOCAL_SIZE": str(layout.per_node),
            "OMPI_COMM_WORLD_NODE_RANK": str(local),
            "OMPI_UNIVERSE_SIZE": str(layout.processes),
        }
    return variables


def _tensorflow_variables(
    layout: Layout, common: dict[str, str], ports: list[int]
) -> list[dict[str, str]]:
    workers = layout.nodes - layout.parameter_servers
    addresses = [f"{_ADDRESS}:{port}" for port in ports]
    cluster = {"worker": addresses[:workers], "ps": addresses[workers:]}
    found = []
    for rank in range(layout.nodes):
        kind, index = ("worker", rank) if rank < workers else ("ps", rank - workers)
        task = {"type": kind, "index": index}
        found.append(
            {
                **common,
                "TF_CONFIG": json.dumps({"cluster": cluster, "task": task, "environment": "cloud"}),
                "AZUREML_PROCESS_NAME": f"{kind}_{index}",
            }
        )
    return found
