"""What Azure asks of a cluster: its name, its size, its scale."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import isodate

from local_workspace.errors import BadRequest, NotImplementedHere
from local_workspace.services.compute.vm_sizes import VmSize, find_vm_size

# What the SDK documents for a configuration without a size.
DEFAULT_VM_SIZE = "Standard_NC6"
# What Azure takes when no idle time is given.
DEFAULT_IDLE_SECONDS = 120

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,14}[A-Za-z0-9]")
_RESERVED = frozenset({"amlcompute", "local", "containerinstance"})
_PRIORITIES = {"dedicated": "Dedicated", "lowpriority": "LowPriority"}
_OTHER_KINDS = {
    "AKS": "AKS clusters",
    "ComputeInstance": "compute instances: your own machine is the place to work interactively",
    "VirtualMachine": "remote virtual machines (RemoteCompute, DSVM)",
    "Kubernetes": "Kubernetes clusters",
    "Databricks": "Azure Databricks",
    "DataFactory": "Azure Data Factory",
    "DataLakeAnalytics": "Azure Data Lake Analytics",
    "HDInsight": "Azure HDInsight",
    "SynapseSpark": "Azure Synapse Spark pools",
    "Batch": "Azure Batch",
    "Kusto": "Azure Data Explorer",
}


@dataclass(frozen=True)
class Scale:
    """How many nodes a cluster may have, and the idle seconds before one goes."""

    min_nodes: int
    max_nodes: int
    idle_seconds: int


def check_name(name: str) -> None:
    """Raise BadRequest unless `name` may be the name of a compute target."""
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"Compute name '{name}' is invalid. It can include letters, digits and dashes. It must "
            "start with a letter, end with a letter or digit, and be between 2 and 16 characters "
            "in length.",
            code="InvalidComputeName",
        )
    if name.lower() in _RESERVED:
        raise BadRequest(
            f"Please specify a different target name. {name} is a reserved name.",
            code="InvalidComputeName",
        )


def check_kind(compute_type: Any) -> None:
    """Raise unless `compute_type` is AmlCompute: NotImplementedHere for Azure's other kinds."""
    if compute_type == "AmlCompute":
        return
    if compute_type in _OTHER_KINDS:
        raise NotImplementedHere(
            f"The local workspace does not provide {_OTHER_KINDS[compute_type]}. For jobs create "
            "an AmlCompute cluster, whose nodes are processes of this machine."
        )
    raise BadRequest(f"There is no kind of compute called {compute_type!r}.")


def vm_size_of(settings: dict[str, Any]) -> VmSize:
    """The size that `settings` ask for.

    Raises BadRequest when Azure has none of that name.
    """
    name = settings.get("vmSize") or DEFAULT_VM_SIZE
    size = find_vm_size(name) if isinstance(name, str) else None
    if size is None:
        raise BadRequest(
            f"The VM size '{name}' is not supported. AmlCompute.supported_vmsizes(workspace) lists "
            "the sizes that are.",
            code="InvalidVmSize",
        )
    return size


def priority_of(settings: dict[str, Any]) -> str:
    """`Dedicated` or `LowPriority`.

    Raises BadRequest for anything else.
    """
    given = settings.get("vmPriority") or "dedicated"
    priority = _PRIORITIES.get(str(given).lower())
    if priority is None:
        raise BadRequest(
            f"The VM priority '{given}' is not supported. Use 'dedicated' or 'lowpriority'."
        )
    return priority


def scale_of(settings: dict[str, Any], present: Scale | None = None) -> Scale:
    """The scale settings of a request; what it leaves out stays as at `present`.

    Raises BadRequest when they contradict each other.
    """
    given = settings.get("scaleSettings") or {}
    if not isinstance(given, dict):
        raise BadRequest("'scaleSettings' must be a JSON object.")
    min_nodes = _count(given, "minNodeCount", present.min_nodes if present else 0)
    max_nodes = _count(given, "maxNodeCount", present.max_nodes if present else None)
    if max_nodes < min_nodes:
        raise BadRequest(
            f"The maximum node count ({max_nodes}) must be greater than or equal to the minimum "
            f"node count ({min_nodes}).",
            code="InvalidScaleSettings",
        )
    idle = given.get("nodeIdleTimeBeforeScaleDown")
    if not idle:
        return Scale(
            min_nodes, max_nodes, present.idle_seconds if present else DEFAULT_IDLE_SECONDS
        )
    return Scale(min_nodes, max_nodes, _seconds(idle))


def _count(given: dict[str, Any], name: str, default: int | None) -> int:
    value = given.get(name)
    if value is None:
        value = default
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        shown = "missing" if value is None else repr(value)
        raise BadRequest(
            f"'scaleSettings.{name}' must be a whole number, 0 or more; it is {shown}.",
            code="InvalidScaleSettings",
        )
    return value


def _seconds(duration: Any) -> int:
    try:
        return int(isodate.parse_duration(duration).total_seconds())
    except (isodate.ISO8601Error, TypeError, ValueError, AttributeError) as error:
        raise BadRequest(
            "'scaleSettings.nodeIdleTimeBeforeScaleDown' must be a duration of ISO 8601 such as "
            f"PT1800S; it is {duration!r}.",
            code="InvalidScaleSettings",
        ) from error
