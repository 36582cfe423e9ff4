"""Environments in the SDK's words."""

from __future__ import annotations

from typing import Any

from local_workspace.store.tables.environment import EnvironmentVersionRow
from local_workspace.workspace import LocalWorkspace


def asset_id(workspace: LocalWorkspace, row: EnvironmentVersionRow) -> str:
    """The id of a version of an environment."""
    settings = workspace.settings
    return (
        f"azureml://locations/{settings.region}/workspaces/{settings.workspace_id}"
        f"/environments/{row.name}/versions/{row.version}"
    )


def environment_document(workspace: LocalWorkspace, row: EnvironmentVersionRow) -> dict[str, Any]:
    """An environment as the SDK reads it (and as it stands in a run's definition)."""
    return {
        "name": row.name,
        "version": row.version,
        "assetId": asset_id(workspace, row),
        **row.definition,
    }
