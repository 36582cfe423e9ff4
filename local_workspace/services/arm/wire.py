"""Shapes of Azure Resource Manager."""

from __future__ import annotations

from typing import Any

from local_workspace.workspace import LocalWorkspace


def subscription(workspace: LocalWorkspace) -> dict[str, Any]:
    """The one subscription there is."""
    subscription_id = workspace.settings.subscription_id
    return {
        "id": f"/subscriptions/{subscription_id}",
        "subscriptionId": subscription_id,
        "tenantId": workspace.settings.tenant_id,
        "displayName": "Local workspace",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Local_2020-01-01",
            "quotaId": "Local_2020-01-01",
            "spendingLimit": "Off",
        },
        "authorizationSource": "RoleBased",
    }


def resource_group(workspace: LocalWorkspace) -> dict[str, Any]:
    """The resource group of the workspace."""
    settings = workspace.settings
    return {
        "id": f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}",
        "name": settings.resource_group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": settings.region,
        "properties": {"provisioningState": "Succeeded"},
    }


def workspace_resource(workspace: LocalWorkspace, editable: dict[str, Any]) -> dict[str, Any]:
    """The workspace as a resource; `editable` is what a user may change (tags, description)."""
    settings = workspace.settings
    group = f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
    providers = f"{group}/providers"
    return {
        "id": settings.scope,
        "name": settings.workspace_name,
        "type": "Microsoft.MachineLearningServices/workspaces",
        "location": settings.region,
        "tags": editable.get("tags", {}),
        "etag": None,
        "kind": "Default",
        "sku": {"name": "Basic", "tier": "Basic"},
        "identity": {
            "type": "SystemAssigned",
            "principalId": settings.principal_id,
            "tenantId": settings.tenant_id,
        },
        "properties": {
            "workspaceId": settings.workspace_id,
            "friendlyName": editable.get("friendlyName", settings.workspace_name),
            "description": editable.get("description", ""),
            "creationTime": settings.created,
            "provisioningState": "Succeeded",
            "storageAccount": (
                f"{providers}/Microsoft.Storage/storageAccounts/{settings.storage_account}"
            ),
            "keyVault": f"{providers}/Microsoft.KeyVault/vaults/local-vault",
            "applicationInsights": f"{providers}/Microsoft.insights/components/local-insights",
            "containerRegistry": editable.get("containerRegistry"),
            "imageBuildCompute": editable.get("imageBuildCompute"),
            "hbiWorkspace": False,
            "allowPublicAccessWhenBehindVnet": False,
            "discoveryUrl": workspace.discovery_url,
            "sdkTelemetryAppInsightsKey": None,
            "privateEndpointConnections": [],
            "v1LegacyMode": True,
        },
    }
