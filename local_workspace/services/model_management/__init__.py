"""The one registry of models, behind `Model` of the SDK and MLflow's registry."""

from local_workspace.services.model_management.assets import create_asset, get_asset
from local_workspace.services.model_management.records import (
    STAGES,
    add_version,
    all_models,
    all_versions,
    delete_model,
    delete_version,
    ensure_model,
    get_model,
    get_version,
    latest_versions,
    new_model,
    rename_model,
    set_alias,
    set_stage,
)

__all__ = [
    "STAGES",
    "add_version",
    "all_models",
    "all_versions",
    "create_asset",
    "delete_model",
    "delete_version",
    "ensure_model",
    "get_asset",
    "get_model",
    "get_version",
    "latest_versions",
    "new_model",
    "rename_model",
    "set_alias",
    "set_stage",
]
