"""Routes of the compute service: in the resource manager and below `/rp/workspaces`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from local_workspace.errors import NotFound
from local_workspace.http import (
    WORKSPACE_SCOPE,
    JSONResponse,
    get_workspace,
    json_body,
    sdk,
    the_workspace,
)
from local_workspace.service import Service
from local_workspace.services.compute import quotas, records, wire
from local_workspace.services.compute.parsing import (
    check_kind,
    cluster_changes,
    cluster_wanted,
)
from local_workspace.services.compute.vm_sizes import vm_sizes
from local_workspace.store.tables.compute import ComputeOperationRow
from local_workspace.workspace import LocalWorkspace

router = APIRouter()

_RP = "/rp/workspaces" + WORKSPACE_SCOPE
_LOCATION = (
    "/subscriptions/{subscription_id}/providers/Microsoft.MachineLearningServices"
    "/locations/{location}"
)


def _subscription(
    subscription_id: str, workspace: LocalWorkspace = Depends(the_workspace)
) -> LocalWorkspace:
    if subscription_id.lower() != workspace.settings.subscription_id.lower():
        raise NotFound(
            f"The subscription '{subscription_id}' could not be found.",
            code="SubscriptionNotFound",
        )
    return workspace


def _location(location: str, workspace: LocalWorkspace = Depends(_subscription)) -> LocalWorkspace:
    if location.lower() != workspace.settings.region.lower():
        raise NotFound(
            f"There is no location '{location}' here: the local workspace has one location, "
            f"'{workspace.settings.region}'. Leave out the parameter 'location'.",
            code="LocationNotAvailable",
        )
    return workspace


def _later(workspace: LocalWorkspace, row: ComputeOperationRow) -> dict[str, str]:
    """The header without which the SDK takes the answer for an error."""
    return {"Azure-AsyncOperation": wire.operation_url(workspace, row)}


@router.get(WORKSPACE_SCOPE + "/computes", openapi_extra=sdk("Workspace.compute_targets"))
@router.get(_RP + "/computes", openapi_extra=sdk("Workspace.compute_targets, ComputeTarget.list"))
def list_computes(workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """List the compute targets."""
    with workspace.database.read() as session:
        rows = records.list_computes(session)
    return JSONResponse({"value": [wire.compute_resource(workspace, row) for row in rows]})


@router.get(WORKSPACE_SCOPE + "/computes/{name}", openapi_extra=sdk("ComputeTarget"))
@router.get(_RP + "/computes/{name}", openapi_extra=sdk("ComputeTarget, AmlCompute.get_status"))
def get_compute(name: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Describe a compute target, its nodes counted by state."""
    with workspace.database.read() as session:
        row = records.get_compute(session, name)
    return JSONResponse(wire.compute_resource(workspace, row))


@router.put(WORKSPACE_SCOPE + "/computes/{name}", openapi_extra=sdk("ComputeTarget.create"))
def put_compute(
    name: str, workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Make an AmlCompute cluster, or change the scale of the one there is."""
    wanted = cluster_wanted(name, body)
    with workspace.database.write() as session:
        row, operation, is_new = records.put_compute(session, workspace.settings, name, wanted)
    return JSONResponse(
        wire.compute_resource(workspace, row),
        status_code=201 if is_new else 200,
        headers=_later(workspace, operation),
    )


@router.post(
    WORKSPACE_SCOPE + "/checkComputeNameAvailability",
    dependencies=[Depends(get_workspace)],
    openapi_extra=sdk("not available: ComputeInstance.create"),
)
def check_instance_name() -> JSONResponse:
    """Answer that there are no compute instances: only those have their names checked first."""
    check_kind("ComputeInstance")
    return JSONResponse({})


@router.patch(WORKSPACE_SCOPE + "/computes/{name}", openapi_extra=sdk("AmlCompute.update"))
def update_compute(
    name: str, workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Change node limits, idle time, tags or identity of a cluster."""
    changes = cluster_changes(body)
    with workspace.database.write() as session:
        row, operation = records.update_compute(session, workspace.settings, name, changes)
    return JSONResponse(wire.compute_resource(workspace, row), headers=_later(workspace, operation))


@router.delete(WORKSPACE_SCOPE + "/computes/{name}", openapi_extra=sdk("AmlCompute.delete"))
def delete_compute(
    name: str,
    underlyingResourceAction: str = "Delete",  # noqa: N803  (the name on the wire)
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Delete a cluster; there may be none of that name."""
    with workspace.database.write() as session:
        operation, was_there = records.delete_compute(session, name, underlyingResourceAction)
    return Response(status_code=202 if was_there else 204, headers=_later(workspace, operation))


@router.post(
    WORKSPACE_SCOPE + "/computes/{name}/listNodes", openapi_extra=sdk("AmlCompute.list_nodes")
)
def list_nodes(name: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """List the nodes of a cluster, each with its state and its run."""
    with workspace.database.read() as session:
        row = records.get_compute(session, name)
    return JSONResponse({"computeType": row.compute_type, "nodes": row.nodes})


@router.get(
    _LOCATION + "/computeOperationsStatus/{operation_id}",
    openapi_extra=sdk("ComputeTarget.wait_for_completion"),
)
def get_operation(
    operation_id: str, workspace: LocalWorkspace = Depends(_location)
) -> JSONResponse:
    """Say how far a creation, update or deletion is."""
    with workspace.database.read() as session:
        row = records.get_operation(session, operation_id)
    return JSONResponse(wire.operation(row))


@router.get(
    _LOCATION + "/vmSizes",
    dependencies=[Depends(_subscription)],
    openapi_extra=sdk("AmlCompute.supported_vmsizes"),
)
def list_vm_sizes() -> JSONResponse:
    """List the VM sizes of Azure with vCPUs, memory, GPUs and temporary disk (any location)."""
    return JSONResponse({"amlCompute": [size.wire() for size in vm_sizes().values()]})


@router.get(_LOCATION + "/usages", openapi_extra=sdk("AmlCompute.list_usages"))
def list_usages(
    expandChildren: str = "False",  # noqa: N803  (the name on the wire)
    workspace: LocalWorkspace = Depends(_location),
) -> JSONResponse:
    """List the vCPUs in use, in total, by family and by cluster."""
    with workspace.database.read() as session:
        expand = expandChildren.lower() == "true"
        return JSONResponse({"value": quotas.usages(session, workspace.settings, expand)})


@router.get(_LOCATION + "/quotas", openapi_extra=sdk("AmlCompute.list_quotas"))
def list_quotas(workspace: LocalWorkspace = Depends(_location)) -> JSONResponse:
    """List the limit on vCPUs of every family of VM sizes."""
    with workspace.database.read() as session:
        return JSONResponse({"value": quotas.quotas(session, workspace.settings)})


@router.post(_LOCATION + "/updateQuotas", openapi_extra=sdk("AmlCompute.update_quotas"))
def update_quotas(
    workspace: LocalWorkspace = Depends(_location), body: Any = Depends(json_body)
) -> JSONResponse:
    """Set the limit on vCPUs of a family of VM sizes."""
    with workspace.database.write() as session:
        return JSONResponse({"value": quotas.update_quotas(session, workspace.settings, body)})


SERVICE = Service(
    name="compute",
    title="Compute",
    # Its routes lie below those of the resource manager.
    router=router,
    prepare=records.reset_nodes,
    not_yet=(("Compute instances, AKS, attached compute", "`ComputeInstance`, `AksCompute`"),),
)
