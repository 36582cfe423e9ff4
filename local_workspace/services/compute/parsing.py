"""What clients ask of a cluster, by the rules of Azure: its name, its size, its scale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import isodate

from local_workspace.errors import BadRequest, NotImplementedHere
from local_workspace.fields import parse_json, shown, text_of
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


@dataclass(frozen=True)
class IdentityWanted:
    """`kind` is None, SystemAssigned or UserAssigned; `assigned` tells which ids come or go."""

    kind: str
    assigned: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterChanges:
    """What a request says of a cluster; what it does not say is None."""

    description: str | None
    tags: dict[str, str] | None
    identity: IdentityWanted | None
    settings: Mapping[str, Any]

    def scale(self, present: Scale | None = None) -> Scale:
        """The scale settings; what is left out stays as at `present`.

        Raises BadRequest when they contradict each other.
        """
        return _scale_of(self.settings, present)


@dataclass(frozen=True)
class ClusterWanted:
    """A cluster that is to be there; `properties` are kept of it for as long as it lives."""

    size: VmSize
    priority: str
    location: str | None
    properties: dict[str, Any]
    changes: ClusterChanges


def cluster_changes(body: Any) -> ClusterChanges:
    """The changes in the body of an update.

    `AmlCompute.remove_identity` encodes its body twice. Raises BadRequest.
    """
    if isinstance(body, str):
        body = parse_json(body)
    body, outer, inner = _parts(body)
    identity = body.get("identity")
    return ClusterChanges(
        description=text_of(outer, "description"),
        tags=None if body.get("tags") is None else _tags(body["tags"]),
        identity=None if identity is None else _identity(identity),
        settings=inner,
    )


def cluster_wanted(name: str, body: Any) -> ClusterWanted:
    """The cluster that a request wants to have under `name`.

    Raises BadRequest, and NotImplementedHere for other kinds of compute.
    """
    body, outer, inner = _parts(body)
    check_kind(outer.get("computeType"))
    check_name(name)
    size, priority = _vm_size_of(inner), _priority_of(inner)
    properties = {
        "vmSize": size.name.upper(),
        "vmPriority": priority,
        "subnet": inner.get("subnet"),
        "enableNodePublicIp": inner.get("enableNodePublicIp", True),
        # No node has an ssh server, whatever was asked for.
        "remoteLoginPortPublicAccess": "Disabled",
        **_administrator(inner.get("userAccountCredentials")),
    }
    location = text_of(outer, "computeLocation") or None
    return ClusterWanted(size, priority, location, properties, cluster_changes(body))


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
    if isinstance(compute_type, str) and compute_type in _OTHER_KINDS:
        raise NotImplementedHere(
            f"The local workspace does not provide {_OTHER_KINDS[compute_type]}. For jobs create "
            "an AmlCompute cluster, whose nodes are processes of this machine."
        )
    raise BadRequest(f"There is no kind of compute called {shown(compute_type)}.")


def _vm_size_of(settings: Mapping[str, Any]) -> VmSize:
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


def _priority_of(settings: Mapping[str, Any]) -> str:
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


def _scale_of(settings: Mapping[str, Any], present: Scale | None = None) -> Scale:
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


def _parts(body: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A body, its `properties`, and the `properties` of those."""
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object with 'properties'.")
    outer = body.get("properties") or {}
    inner = outer.get("properties") or {} if isinstance(outer, dict) else None
    if not isinstance(outer, dict) or not isinstance(inner, dict):
        raise BadRequest("'properties' and 'properties.properties' must be JSON objects.")
    return body, outer, inner


def _tags(tags: Any) -> dict[str, str]:
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise BadRequest("'tags' must be a JSON object whose values are texts.")
    return tags


def _administrator(credentials: Any) -> dict[str, Any]:
    """The administrator's name and public key; a password is not kept."""
    if not isinstance(credentials, dict):
        return {}
    kept = {
        name: credentials[name]
        for name in ("adminUserName", "adminUserSshPublicKey")
        if credentials.get(name)
    }
    return {"userAccountCredentials": kept}


def _identity(wanted: Any) -> IdentityWanted:
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind not in ("None", "SystemAssigned", "UserAssigned"):
        raise BadRequest(
            f"'identity.type' must be 'SystemAssigned', 'UserAssigned' or 'None', not {kind!r}."
        )
    assigned = wanted.get("userAssignedIdentities") or {}
    if not isinstance(assigned, dict):
        raise BadRequest("'identity.userAssignedIdentities' must be a JSON object.")
    return IdentityWanted(kind, {name: value is not None for name, value in assigned.items()})
