"""Shapes of the model management service, and what its queries and patches mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from local_workspace.clock import iso, utc_now
from local_workspace.errors import BadRequest
from local_workspace.services.model_management.assets import (
    artifact_place,
    get_asset,
    has_entries,
    text_or_none,
)
from local_workspace.services.model_management.records import add_version
from local_workspace.services.run_history import text_map
from local_workspace.store.tables.model_management import ModelVersionRow

_ASSET_URL = "aml://asset/"


def model_dto(row: ModelVersionRow) -> dict[str, Any]:
    """A version of a model on the wire, where every version is a model with the id `name:1`."""
    return {
        "id": f"{row.name}:{row.version}",
        "name": row.name,
        "framework": row.framework,
        "frameworkVersion": row.framework_version,
        "version": row.version,
        "datasets": row.datasets,
        "url": f"{_ASSET_URL}{row.asset_id}",
        "mimeType": row.mime_type,
        "description": row.description,
        "createdTime": iso(row.created),
        "modifiedTime": iso(row.last_modified),
        "unpack": row.unpack,
        "parentModelId": None,
        "runId": row.run_id,
        "experimentName": row.experiment_name,
        "kvTags": row.tags,
        "tags": [],
        "properties": row.properties,
        "derivedModelIds": [],
        "sampleInputData": row.sample_input,
        "sampleOutputData": row.sample_output,
        "resourceRequirements": row.resources,
        "createdBy": row.created_by,
    }


def register(session: Session, document: Any, created_by: dict[str, Any]) -> ModelVersionRow:
    """Register the model that the SDK describes. Raises BadRequest, and NotFound for its asset."""
    if not isinstance(document, dict):
        raise BadRequest("The body must be a JSON object that describes a model.")
    url = str(document.get("url") or "")
    if not url.startswith(_ASSET_URL):
        raise BadRequest(
            f"The 'url' of a model names an asset ({_ASSET_URL}...), not {url!r}. Model.register "
            "and Run.register_model make one."
        )
    asset = get_asset(session, url[len(_ASSET_URL) :])
    return add_version(
        session,
        document.get("name"),
        artifact_place(asset.artifacts[0]),
        asset_id=asset.asset_id,
        description=text_or_none(document, "description"),
        tags=text_map(document.get("kvTags") or {}, "kvTags"),
        properties=text_map(document.get("properties") or {}, "properties"),
        run_id=text_or_none(document, "runId"),
        experiment_name=text_or_none(document, "experimentName"),
        mime_type=text_or_none(document, "mimeType") or "application/json",
        # The SDK says Custom when nothing is said.
        framework=text_or_none(document, "framework") or "Custom",
        framework_version=text_or_none(document, "frameworkVersion"),
        unpack=bool(document.get("unpack")),
        datasets=_datasets(document.get("datasets")),
        sample_input=text_or_none(document, "sampleInputData"),
        sample_output=text_or_none(document, "sampleOutputData"),
        resources=_resources(document.get("resourceRequirements")),
        created_by=created_by,
    )


def patch(row: ModelVersionRow, operations: Any) -> None:
    """Apply the SDK's JSON patch. Raises BadRequest; properties are added to, never changed."""
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        raise BadRequest("The body must be a list of operations with 'op', 'path' and 'value'.")
    for operation in operations:
        path, value = operation.get("path"), operation.get("value")
        if path == "/kvTags":
            row.tags = text_map(value or {}, "kvTags")
        elif path == "/description":
            row.description = text_or_none(operation, "value")
        elif path == "/properties":
            row.properties = _with_properties(row, text_map(value or {}, "properties"))
        elif path == "/datasets":
            added = (one for one in _datasets(value) if one not in row.datasets)
            row.datasets = [*row.datasets, *added]
        elif path == "/sampleInputData":
            row.sample_input = text_or_none(operation, "value")
        elif path == "/sampleOutputData":
            row.sample_output = text_or_none(operation, "value")
        elif path == "/resourceRequirements":
            row.resources = _resources(value)
        else:
            raise BadRequest(f"The part '{path}' of a model cannot be changed.")
    row.last_modified = utc_now()


def _datasets(value: Any) -> list[dict[str, str]]:
    # One entry that is none of these would spoil every list of models it is in.
    given = [] if value is None else value
    if not isinstance(given, list):
        raise BadRequest("The 'datasets' of a model must be a list.")
    for one in given:
        if not isinstance(one, dict) or not all(
            isinstance(one.get(key), str) for key in ("name", "id")
        ):
            raise BadRequest(f"{one!r} is not a dataset of a model: it needs a 'name' and an 'id'.")
    return given


def _resources(value: Any) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise BadRequest("The 'resourceRequirements' of a model must be a JSON object.")
    return value


def _with_properties(row: ModelVersionRow, given: dict[str, str | None]) -> dict[str, str | None]:
    for name, value in given.items():
        if name in row.properties and row.properties[name] != value:
            raise BadRequest(
                f"The property '{name}' of the model '{row.name}:{row.version}' cannot be changed: "
                "properties are immutable. Use a tag for what changes."
            )
    return {**row.properties, **given}


def matcher(
    tags: str | None, properties: str | None, dataset_id: str | None
) -> Callable[[ModelVersionRow], bool] | None:
    """What a query asks of versions beyond their columns: `tags` is `key,key=value`, all of them.

    None when it asks nothing.
    """
    if not (tags or properties or dataset_id):
        return None

    def matches(row: ModelVersionRow) -> bool:
        if not has_entries(row.tags, tags) or not has_entries(row.properties, properties):
            return False
        return not dataset_id or dataset_id in {one.get("id") for one in row.datasets}

    return matches
