"""Behaviour of compute targets over the store."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, Conflict, NotFound
from local_workspace.events import ComputeChanged, tell
from local_workspace.services.compute import quotas
from local_workspace.services.compute.parsing import (
    ClusterChanges,
    ClusterWanted,
    IdentityWanted,
    Scale,
)
from local_workspace.services.compute.vm_sizes import VmSize, find_vm_size
from local_workspace.settings import Settings
from local_workspace.store.tables.compute import ComputeOperationRow, ComputeRow
from local_workspace.workspace import LocalWorkspace

NODE_STATES = ("preparing", "running", "idle", "unusable", "leaving", "preempted")


@dataclass(frozen=True)
class Node:
    """One node of a cluster; `state` is one of NODE_STATES, `run_id` is what it works on."""

    node_id: str
    state: str = "idle"
    run_id: str | None = None

    def wire(self) -> dict[str, Any]:
        """As `AmlCompute.list_nodes` gives it. Nodes are processes of this machine: no ssh."""
        return {
            "nodeId": self.node_id,
            "nodeState": self.state,
            "runId": self.run_id,
            "port": None,
            "privateIpAddress": "127.0.0.1",
            "publicIpAddress": None,
        }


def find_compute(session: Session, name: str) -> ComputeRow | None:
    """The compute target called `name` in any spelling of case, or None."""
    return session.get(ComputeRow, name.lower())


def get_compute(session: Session, name: str) -> ComputeRow:
    """The compute target called `name` in any spelling of case.

    Raises NotFound (`ComputeNotFound`).
    """
    row = find_compute(session, name)
    if row is None:
        raise NotFound(
            f"Compute target '{name}' was not found in this workspace.", code="ComputeNotFound"
        )
    return row


def list_computes(session: Session) -> Sequence[ComputeRow]:
    """Every compute target, the oldest first."""
    return session.execute(select(ComputeRow).order_by(ComputeRow.created)).scalars().all()


def scale(row: ComputeRow) -> Scale:
    """The scale settings of a cluster."""
    return Scale(row.min_nodes, row.max_nodes, row.idle_seconds)


def vm_size(row: ComputeRow) -> VmSize:
    """The VM size of a cluster."""
    size = find_vm_size(row.properties["vmSize"])
    assert size is not None, "sizes are checked when a cluster is made"
    return size


def put_compute(
    session: Session, settings: Settings, name: str, wanted: ClusterWanted
) -> tuple[ComputeRow, ComputeOperationRow, bool]:
    """Make the cluster `name`, or change the scale, tags and description of the one there is.

    Returns the cluster, the operation, and whether the cluster is new. Raises BadRequest for what
    Azure refuses, and Conflict when it asks for another VM size than the existing cluster has.
    """
    row = find_compute(session, name)
    is_new = row is None
    asked = (wanted.size.name.upper(), wanted.priority)
    if row is None:
        now = utc_now()
        row = ComputeRow(
            key=name.lower(),
            name=name,
            compute_type="AmlCompute",
            location=wanted.location or settings.region,
            properties=wanted.properties,
            created=now,
            modified=now,
            allocation_changed=now,
            nodes=[],
        )
    elif (row.properties["vmSize"], row.properties["vmPriority"]) != asked:
        raise Conflict(
            f"The compute target '{row.name}' exists already, with VM size "
            f"{row.properties['vmSize']} and priority {row.properties['vmPriority']}, which cannot "
            "be changed. Delete it first, or choose another name.",
            code="ComputeExists",
        )
    changes = wanted.changes
    row.description = changes.description
    row.tags = changes.tags or {}
    if changes.identity is not None:
        row.identity = _identity(settings, changes.identity, row.identity)
    _set_scale(session, row, changes.scale())
    if is_new:
        session.add(row)
    tell(session, ComputeChanged(row.key))
    return row, _operation(session, row.name), is_new


def update_compute(
    session: Session, settings: Settings, name: str, changes: ClusterChanges
) -> tuple[ComputeRow, ComputeOperationRow]:
    """Change scale settings, tags, description or identity of the cluster `name`.

    Raises NotFound and BadRequest.
    """
    row = get_compute(session, name)
    if changes.tags is not None:
        row.tags = changes.tags
    if changes.description is not None:
        row.description = changes.description
    if changes.identity is not None:
        row.identity = _identity(settings, changes.identity, row.identity)
    _set_scale(session, row, changes.scale(scale(row)))
    tell(session, ComputeChanged(row.key))
    return row, _operation(session, row.name)


def delete_compute(session: Session, name: str, action: str) -> tuple[ComputeOperationRow, bool]:
    """Delete the cluster `name`; the operation, and whether there was one.

    The SDK asks how far the deletion is even of what was gone before. `action` is Azure's
    `underlyingResourceAction`. Raises BadRequest.
    """
    row = find_compute(session, name)
    if row is None:
        return _operation(session, name), False
    if action.lower() != "delete":
        raise BadRequest(f"An {row.compute_type} target cannot be detached. Delete it instead.")
    session.delete(row)
    tell(session, ComputeChanged(row.key))
    return _operation(session, row.name), True


def get_operation(session: Session, operation_id: str) -> ComputeOperationRow:
    """The operation with this id.

    Raises NotFound.
    """
    row = session.get(ComputeOperationRow, operation_id)
    if row is None:
        raise NotFound(f"There is no operation '{operation_id}' on a compute target.")
    return row


def set_nodes(
    session: Session, name: str, nodes: Iterable[Node], *, target: int | None = None
) -> ComputeRow:
    """Note which nodes the cluster `name` has right now, and how many it is heading for.

    With `target` None the cluster is where it wants to be (`Steady`); otherwise it is `Resizing`
    until it has `target` nodes that are not leaving. Raises NotFound.
    """
    row = get_compute(session, name)
    listed = list(nodes)
    for node in listed:
        if node.state not in NODE_STATES:
            raise ValueError(f"{node.state!r} is not a state of a node")
    staying = [node for node in listed if node.state != "leaving"]
    row.nodes = [node.wire() for node in listed]
    row.target_nodes = len(staying) if target is None else target
    steady = len(listed) == len(staying) == row.target_nodes and all(
        node.state != "preparing" for node in listed
    )
    state = "Steady" if steady else "Resizing"
    if state != row.allocation_state:
        row.allocation_state = state
        row.allocation_changed = utc_now()
    return row


def reset_nodes(workspace: LocalWorkspace) -> None:
    """Give every cluster its minimum of idle nodes: after a start nothing runs yet."""
    with workspace.database.write() as session:
        for row in list_computes(session):
            row.nodes = []
            _rest(row)


def _set_scale(session: Session, row: ComputeRow, wanted: Scale) -> None:
    quotas.check(session, vm_size(row), wanted.max_nodes, apart_from=row)
    row.min_nodes, row.max_nodes, row.idle_seconds = (
        wanted.min_nodes,
        wanted.max_nodes,
        wanted.idle_seconds,
    )
    row.modified = utc_now()
    _rest(row)


def _rest(row: ComputeRow) -> None:
    """Bring the idle nodes of `row` between its minimum and maximum; busy ones stay."""
    nodes = list(row.nodes)
    for node in [node for node in nodes if node["nodeState"] == "idle"]:
        if len(nodes) > row.max_nodes:
            nodes.remove(node)
    while len(nodes) < row.min_nodes:
        nodes.append(Node(f"tvm-{uuid.uuid4().hex}").wire())
    row.nodes = nodes
    row.target_nodes = len(nodes)
    if row.allocation_state != "Steady":
        row.allocation_state = "Steady"
        row.allocation_changed = utc_now()


def _operation(session: Session, name: str) -> ComputeOperationRow:
    """Everything is done by the time the client asks: the operation is over as it begins."""
    now = utc_now()
    row = ComputeOperationRow(
        operation_id=str(uuid.uuid4()),
        compute_name=name,
        status="Succeeded",
        started=now,
        ended=now,
    )
    session.add(row)
    return row


def _identity(
    settings: Settings, wanted: IdentityWanted, present: dict[str, Any] | None
) -> dict[str, Any]:
    """The identity after a change. A user-assigned identity set to null is taken away."""
    if wanted.kind == "None":
        return {"type": "None"}
    if wanted.kind == "SystemAssigned":
        return {
            "type": wanted.kind,
            "principalId": settings.principal_id,
            "tenantId": settings.tenant_id,
        }
    assigned = dict((present or {}).get("userAssignedIdentities") or {})
    for resource_id, is_wanted in wanted.assigned.items():
        if is_wanted:
            assigned[resource_id] = {
                "principalId": settings.principal_id,
                "clientId": settings.client_id,
            }
        else:
            assigned.pop(resource_id, None)
    if not assigned:
        return {"type": "None"}
    return {"type": wanted.kind, "userAssignedIdentities": assigned}
