"""Shapes of the compute service."""

from __future__ import annotations

from collections import Counter
from typing import Any

from local_workspace.clock import iso
from local_workspace.services.compute.records import NODE_STATES
from local_workspace.store.tables.compute import ComputeOperationRow, ComputeRow
from local_workspace.workspace import LocalWorkspace


def compute_resource(workspace: LocalWorkspace, row: ComputeRow) -> dict[str, Any]:
    """A cluster as a resource; the SDK reads each of these fields."""
    states = Counter(node["nodeState"] for node in row.nodes)
    resource = {
        "id": f"{workspace.settings.scope}/computes/{row.name}",
        "name": row.name,
        "type": "Microsoft.MachineLearningServices/workspaces/computes",
        "location": workspace.settings.region,
        "tags": row.tags,
        "properties": {
            "computeType": row.compute_type,
            "computeLocation": row.location,
            "description": row.description,
            "resourceId": None,
            "createdOn": iso(row.created),
            "modifiedOn": iso(row.modified),
            "provisioningState": "Succeeded",
            "provisioningErrors": None,
            "isAttachedCompute": False,
            "properties": {
                **row.properties,
                "osType": "Linux",
                "isolatedNetwork": False,
                "scaleSettings": {
                    "minNodeCount": row.min_nodes,
                    "maxNodeCount": row.max_nodes,
                    "nodeIdleTimeBeforeScaleDown": f"PT{row.idle_seconds}S",
                },
                "currentNodeCount": len(row.nodes),
                "targetNodeCount": row.target_nodes,
                "nodeStateCounts": {f"{state}NodeCount": states[state] for state in NODE_STATES},
                "allocationState": row.allocation_state,
                "allocationStateTransitionTime": iso(row.allocation_changed),
                "errors": None,
            },
        },
    }
    if row.identity is not None:
        resource["identity"] = row.identity
    return resource


def operation_url(workspace: LocalWorkspace, row: ComputeOperationRow) -> str:
    """Where a client asks how far an operation is."""
    settings = workspace.settings
    return (
        f"{workspace.origin}/subscriptions/{settings.subscription_id}/providers"
        f"/Microsoft.MachineLearningServices/locations/{settings.region}"
        f"/computeOperationsStatus/{row.operation_id}?api-version=2020-02-02&service=new"
    )


def operation(row: ComputeOperationRow) -> dict[str, Any]:
    """How far an operation is."""
    answer = {
        "id": row.operation_id,
        "name": row.operation_id,
        "status": row.status,
        "startTime": iso(row.started),
        "endTime": iso(row.ended),
    }
    if row.error is not None:
        answer["error"] = row.error
    return answer
