"""How the processes of a job lie on its nodes, and what they are told of each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_workspace.errors import BadRequest, NotImplementedHere

_ADDRESS = "127.0.0.1"
_MPI = ("openmpi", "intelmpi")
_PYTORCH = ("nccl", "gloo")
_TENSORFLOW = "parameterserver"


@dataclass(frozen=True)
class Layout:
    """`per_node` processes on each of `nodes` nodes; their ranks run through node by node.

    `parameter_servers` of the nodes, the last ones, are those of TensorFlow.
    """

    nodes: int = 1
    per_node: int = 1
    communicator: str = "none"
    parameter_servers: int = 0

    @property
    def processes(self) -> int:
        """How many processes there are altogether."""
        return self.nodes * self.per_node

    def node_of(self, rank: int) -> int:
        """The node of a process."""
        return rank // self.per_node

    def ranks_of(self, node: int) -> range:
        """The processes of a node."""
        return range(node * self.per_node, (node + 1) * self.per_node)

    def log_name(self, rank: int) -> str:
        """The log of a process, named as on Azure."""
        if self.processes == 1:
            return "std_log.txt"
        return f"std_log_process_{rank:0{len(str(self.processes - 1))}d}.txt"


def layout_of(configuration: dict[str, Any]) -> Layout:
    """The layout that a run configuration asks for, in the words of the SDK's RunConfiguration.

    Raises BadRequest for counts that cannot be, NotImplementedHere for other communicators.
    """
    communicator = str(configuration.get("communicator") or "none").lower()
    nodes = _count(configuration, "nodeCount")
    if communicator == "none":
        return Layout(nodes)
    if communicator in _MPI:
        mpi = configuration.get("mpi") or {}
        return Layout(
            max(nodes, _count(mpi, "nodeCount")), _count(mpi, "processCountPerNode"), communicator
        )
    if communicator in _PYTORCH:
        pytorch = configuration.get("pytorch") or {}
        nodes = max(nodes, _count(pytorch, "nodeCount"))
        processes = _count(pytorch, "processCount", nodes)
        if processes % nodes:
            raise BadRequest(
                f"'process_count' of PyTorchConfiguration is {processes}: it must be a multiple of "
                f"'node_count', which is {nodes}."
            )
        return Layout(nodes, processes // nodes, communicator)
    if communicator == _TENSORFLOW:
        tensorflow = configuration.get("tensorflow") or {}
        workers = _count(tensorflow, "workerCount")
        servers = _count(tensorflow, "parameterServerCount", 0, least=0)
        return Layout(workers + servers, 1, communicator, servers)
    raise NotImplementedHere(
        f"The communicator '{configuration['communicator']}' is not offered by the local "
        "workspace: it knows MpiConfiguration, PyTorchConfiguration and TensorflowConfiguration."
    )


def _count(section: dict[str, Any], name: str, default: int = 1, *, least: int = 1) -> int:
    value = section.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadRequest(f"'{name}' must be a whole number of at least {least}, not {value!r}.")
    return value


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
