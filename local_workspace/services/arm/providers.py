"""The resource provider of Azure ML: which kinds of resources there are, and where."""

from __future__ import annotations

from typing import Any

from local_workspace.workspace import LocalWorkspace

NAMESPACE = "Microsoft.MachineLearningServices"

# Where Azure has workspaces. The SDK refuses a location that is not among those of the provider,
# also when the workspace is there already: code that names one of Azure's has to get that far.
_LOCATIONS = (
    "Australia East",
    "Australia Southeast",
    "Brazil South",
    "Canada Central",
    "Canada East",
    "Central India",
    "Central US",
    "East Asia",
    "East US",
    "East US 2",
    "France Central",
    "Germany West Central",
    "Italy North",
    "Japan East",
    "Japan West",
    "Korea Central",
    "North Central US",
    "North Europe",
    "Norway East",
    "Poland Central",
    "Qatar Central",
    "South Africa North",
    "South Central US",
    "South India",
    "Southeast Asia",
    "Spain Central",
    "Sweden Central",
    "Switzerland North",
    "Switzerland West",
    "UAE North",
    "UK South",
    "UK West",
    "West Central US",
    "West Europe",
    "West US",
    "West US 2",
    "West US 3",
)
_TYPES = (
    "workspaces",
    "workspaces/computes",
    "locations",
    "locations/computeOperationsStatus",
    "locations/quotas",
    "locations/updateQuotas",
    "locations/usages",
    "locations/vmSizes",
)
# Newest first. Whatever version a client names, it gets the same answers.
_VERSIONS = ("2021-04-01", "2021-01-01", "2020-08-01", "2020-06-01", "2020-03-01", "2020-01-01")


def provider(workspace: LocalWorkspace) -> dict[str, Any]:
    """The provider on the wire."""
    settings = workspace.settings
    locations = [settings.region, *_LOCATIONS]
    return {
        "id": f"/subscriptions/{settings.subscription_id}/providers/{NAMESPACE}",
        "namespace": NAMESPACE,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": "Registered",
        "resourceTypes": [
            {
                "resourceType": name,
                "locations": locations,
                "apiVersions": list(_VERSIONS),
                "capabilities": "None",
            }
            for name in _TYPES
        ],
    }
