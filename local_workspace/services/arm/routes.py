"""Routes of Azure Resource Manager."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from local_workspace.errors import BadRequest, NotFound, NotImplementedHere
from local_workspace.fields import json_object, object_of
from local_workspace.http import (
    WORKSPACE_SCOPE,
    JSONResponse,
    get_workspace,
    json_body,
    sdk,
    the_workspace,
)
from local_workspace.service import Service
from local_workspace.services.arm import providers, wire
from local_workspace.services.datastore import restore_keys
from local_workspace.store.tables.arm import ResourceRow
from local_workspace.workspace import LocalWorkspace

router = APIRouter()

_GROUP = "/subscriptions/{subscription_id}/resourceGroups/{resource_group}"
_WORKSPACES = "/providers/Microsoft.MachineLearningServices/workspaces"
_DEPLOYMENTS = "/providers/Microsoft.Resources/deployments/"
# The conditions that the SDK filters resources with, joined by `and`.
_CONDITION = re.compile(r"\s*(resourceGroup|resourceType)\s+eq\s+'([^']*)'\s*", re.IGNORECASE)
_EDITABLE = ("description", "friendlyName", "imageBuildCompute", "containerRegistry")


def _subscription(
    subscription_id: str, workspace: LocalWorkspace = Depends(the_workspace)
) -> LocalWorkspace:
    if subscription_id.lower() != workspace.settings.subscription_id.lower():
        raise NotFound(
            f"The subscription '{subscription_id}' could not be found.",
            code="SubscriptionNotFound",
        )
    return workspace


def _group(
    resource_group: str, workspace: LocalWorkspace = Depends(_subscription)
) -> LocalWorkspace:
    if resource_group.lower() != workspace.settings.resource_group.lower():
        raise NotFound(
            f"Resource group '{resource_group}' could not be found.", code="ResourceGroupNotFound"
        )
    return workspace


def editable_of(workspace: LocalWorkspace) -> dict[str, Any]:
    """Tags, description and the like of the workspace, as last changed."""
    with workspace.database.read() as session:
        row = session.get(ResourceRow, workspace.settings.scope.lower())
        return dict(row.editable) if row is not None else {}


@router.get("/subscriptions", openapi_extra=sdk("Workspace.from_config"))
def list_subscriptions(workspace: LocalWorkspace = Depends(the_workspace)) -> JSONResponse:
    """List the subscriptions of the signed-in identity."""
    return JSONResponse({"value": [wire.subscription(workspace)]})


@router.get("/subscriptions/{subscription_id}", openapi_extra=sdk("Workspace.from_config"))
def get_subscription(workspace: LocalWorkspace = Depends(_subscription)) -> JSONResponse:
    """Describe one subscription."""
    return JSONResponse(wire.subscription(workspace))


@router.get("/tenants", openapi_extra=sdk("Workspace.from_config"))
def list_tenants(workspace: LocalWorkspace = Depends(the_workspace)) -> JSONResponse:
    """List the tenants of the signed-in identity."""
    tenant_id = workspace.settings.tenant_id
    return JSONResponse({"value": [{"id": f"/tenants/{tenant_id}", "tenantId": tenant_id}]})


@router.get("/subscriptions/{subscription_id}/providers", openapi_extra=sdk("Workspace.create"))
def list_providers(workspace: LocalWorkspace = Depends(_subscription)) -> JSONResponse:
    """List the kinds of resources of a subscription."""
    return JSONResponse({"value": [providers.provider(workspace)]})


@router.get(
    "/subscriptions/{subscription_id}/providers/{namespace}",
    openapi_extra=sdk("Workspace.create(location=...)"),
)
def get_provider(
    namespace: str, workspace: LocalWorkspace = Depends(_subscription)
) -> JSONResponse:
    """Describe Azure ML's kinds of resources: locations (all of Azure's do) and versions."""
    if namespace.lower() != providers.NAMESPACE.lower():
        raise NotFound(
            f"The resource namespace '{namespace}' is invalid: the local workspace has "
            f"'{providers.NAMESPACE}' only.",
            code="InvalidResourceNamespace",
        )
    return JSONResponse(providers.provider(workspace))


@router.get(
    "/subscriptions/{subscription_id}/resourceGroups", openapi_extra=sdk("Workspace.create")
)
def list_resource_groups(workspace: LocalWorkspace = Depends(_subscription)) -> JSONResponse:
    """List the resource groups of a subscription."""
    return JSONResponse({"value": [wire.resource_group(workspace)]})


@router.get(_GROUP, openapi_extra=sdk("Workspace.create"))
def get_resource_group(workspace: LocalWorkspace = Depends(_group)) -> JSONResponse:
    """Describe a resource group."""
    return JSONResponse(wire.resource_group(workspace))


@router.get("/subscriptions/{subscription_id}/resources", openapi_extra=sdk("Workspace.list"))
def list_resources(
    workspace: LocalWorkspace = Depends(_subscription),
    condition: str = Query("", alias="$filter"),
) -> JSONResponse:
    """List the resources of a subscription, filtered by resource group and type."""
    resource = wire.workspace_resource(workspace, editable_of(workspace))
    actual = {
        "resourcegroup": workspace.settings.resource_group.lower(),
        "resourcetype": resource["type"].lower(),
    }
    matches = True
    for part in re.split(r"\s+and\s+", condition) if condition.strip() else []:
        found = _CONDITION.fullmatch(part)
        if found is None:
            raise BadRequest(
                f"The filter condition '{part}' is not understood: resources are filtered by "
                "resourceGroup and resourceType, each with `eq`.",
                code="InvalidFilterInQueryString",
            )
        matches = matches and actual[found[1].lower()] == found[2].lower()
    return JSONResponse({"value": [resource] if matches else []})


@router.get("/subscriptions/{subscription_id}" + _WORKSPACES, openapi_extra=sdk("Workspace.list"))
def list_workspaces(workspace: LocalWorkspace = Depends(_subscription)) -> JSONResponse:
    """List the workspaces of a subscription."""
    return JSONResponse({"value": [wire.workspace_resource(workspace, editable_of(workspace))]})


@router.get(_GROUP + _WORKSPACES, openapi_extra=sdk("Workspace.list"))
def list_workspaces_of_group(workspace: LocalWorkspace = Depends(_group)) -> JSONResponse:
    """List the workspaces of a resource group."""
    return JSONResponse({"value": [wire.workspace_resource(workspace, editable_of(workspace))]})


@router.get(WORKSPACE_SCOPE, openapi_extra=sdk("Workspace.from_config, Workspace.get"))
@router.get(
    "/rp/workspaces" + WORKSPACE_SCOPE, openapi_extra=sdk("Workspace.from_config, Workspace.get")
)
def get_one_workspace(workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Describe the workspace."""
    return JSONResponse(wire.workspace_resource(workspace, editable_of(workspace)))


@router.patch(WORKSPACE_SCOPE, openapi_extra=sdk("Workspace.update, Workspace.add_tags"))
def update_workspace(
    workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Change description, friendly name, tags or the image build compute."""
    properties = object_of(json_object(body), "properties")
    changes = {name: properties[name] for name in _EDITABLE if properties.get(name) is not None}
    if body.get("tags") is not None:
        changes["tags"] = object_of(body, "tags")
    with workspace.database.write() as session:
        key = workspace.settings.scope.lower()
        row = session.get(ResourceRow, key)
        if row is None:
            row = ResourceRow(resource_id=key, editable={})
            session.add(row)
        row.editable = {**row.editable, **changes}
        editable = dict(row.editable)
    return JSONResponse(wire.workspace_resource(workspace, editable))


@router.post(WORKSPACE_SCOPE + "/resynckeys", openapi_extra=sdk("Workspace.sync_keys"))
def sync_keys(workspace: LocalWorkspace = Depends(get_workspace)) -> Response:
    """Give the workspace's own datastores the key of its storage account again."""
    with workspace.database.write() as session:
        restore_keys(session)
    return Response(status_code=200)


@router.get(
    "/subscriptions/{subscription_id}" + _DEPLOYMENTS, openapi_extra=sdk("Workspace.create")
)
def list_deployments(_workspace: LocalWorkspace = Depends(_subscription)) -> JSONResponse:
    """List the deployments of a subscription: there are none."""
    return JSONResponse({"value": []})


# What Workspace.create may send for a name, or a resource group, that is not there.
@router.put(WORKSPACE_SCOPE, openapi_extra=sdk("not available: Workspace.create of another name"))
@router.put(_GROUP, openapi_extra=sdk("not available: Workspace.create of another name"))
@router.put(
    _GROUP + _DEPLOYMENTS + "{name}",
    openapi_extra=sdk("not available: Workspace.create of another name"),
)
def create_workspace(workspace: LocalWorkspace = Depends(the_workspace)) -> JSONResponse:
    """Answer that a workspace is made by `python -m local_workspace start --root DIR`."""
    settings = workspace.settings
    raise NotImplementedHere(
        "A local workspace is a folder, and Workspace.create makes no further ones. "
        "`python -m local_workspace start --root DIR --port 0` makes one in the folder DIR; "
        "`python -m local_workspace config --root DIR` and `python -m local_workspace env --root "
        "DIR` print the config.json and the .env that lead to it. The workspace that answers here "
        f"is '{settings.workspace_name}' in the resource group '{settings.resource_group}': "
        "Workspace.create with these names and exist_ok=True gives it."
    )


@router.delete(WORKSPACE_SCOPE, openapi_extra=sdk("not available: Workspace.delete"))
def delete_workspace() -> JSONResponse:
    """Answer that a workspace is deleted by `python -m local_workspace reset`."""
    raise NotImplementedHere(
        "Workspace.delete is not available here, so that no script can take its own ground away. "
        "Delete all state with `python -m local_workspace reset`."
    )


SERVICE = Service(
    name="arm",
    title="Workspace (Azure Resource Manager)",
    router=router,
    prefixes=("providers", "rp", "subscriptions", "tenants"),
    not_yet=(
        ("Workspace connections, private endpoints, role assignments", "`Workspace.*`"),
        ("SDK v2 and CLI v2", "`azure.ai.ml`"),
    ),
)
