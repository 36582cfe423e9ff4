"""Assets: what the SDK makes of uploaded files before it registers them as a model."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from local_workspace.clock import iso, utc_now
from local_workspace.errors import BadRequest, NotFound
from local_workspace.services.artifact import artifact_path
from local_workspace.services.run_history import text_map
from local_workspace.store.tables.model_management import AssetRow


def text_or_none(document: dict[str, Any], key: str) -> str | None:
    """The text that `document` has under `key`, if any. Raises BadRequest for anything else."""
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"'{key}' must be text, not {value!r}.")
    return value


def create_asset(session: Session, document: dict[str, Any]) -> AssetRow:
    """Keep an asset: `name` and `artifacts`, a list of prefixes or ids. Raises BadRequest."""
    name, artifacts = document.get("name"), document.get("artifacts")
    if not isinstance(name, str) or not name:
        raise BadRequest("An asset has a 'name'.")
    if not isinstance(artifacts, list) or not artifacts:
        raise BadRequest("An asset has 'artifacts', each with a 'prefix' or an 'id'.")
    for artifact in artifacts:
        artifact_place(artifact)
    row = AssetRow(
        asset_id=uuid.uuid4().hex,
        name=name,
        artifacts=artifacts,
        run_id=text_or_none(document, "runid"),
        tags=text_map(document.get("kvTags") or {}, "kvTags"),
        properties=text_map(document.get("properties") or {}, "properties"),
        meta=document.get("meta"),
        created=utc_now(),
    )
    session.add(row)
    session.flush()
    return row


def get_asset(session: Session, asset_id: str) -> AssetRow:
    """The asset with that id. Raises NotFound."""
    row = session.get(AssetRow, asset_id)
    if row is None:
        raise NotFound(f"Asset with id '{asset_id}' not found.", inner_code="AssetNotFound")
    return row


def list_assets(
    session: Session,
    *,
    name: str | None = None,
    run_id: str | None = None,
    tags: str | None = None,
    properties: str | None = None,
) -> list[AssetRow]:
    """Assets, newest first; for `tags` and `properties` see `has_entries`."""
    query = select(AssetRow).order_by(AssetRow.created.desc(), AssetRow.asset_id)
    if name:
        query = query.where(AssetRow.name == name)
    if run_id:
        query = query.where(AssetRow.run_id == run_id)
    return [
        row
        for row in session.execute(query).scalars()
        if has_entries(row.tags, tags) and has_entries(row.properties, properties)
    ]


def has_entries(present: dict[str, str | None], wanted: str | None) -> bool:
    """Whether `present` has all of `wanted`, which is written `key,key=value`."""
    for part in filter(None, (wanted or "").split(",")):
        name, equals, value = part.partition("=")
        if name not in present or (equals and present[name] != value):
            return False
    return True


def artifact_place(artifact: Any) -> tuple[str, str, str]:
    """Origin, container and path of an asset's artifact. Raises BadRequest."""
    text = (artifact.get("prefix") or artifact.get("id")) if isinstance(artifact, dict) else None
    parts = str(text or "").split("/", 2)
    if len(parts) != 3 or not all(parts):
        raise BadRequest(
            f"{artifact!r} is not an artifact of an asset: it needs a 'prefix' or an 'id' of the "
            "form origin/container/path."
        )
    return parts[0], parts[1], artifact_path(parts[2])


def asset_dto(row: AssetRow) -> dict[str, Any]:
    """`row` on the wire."""
    return {
        "id": row.asset_id,
        "name": row.name,
        "type": None,
        "description": None,
        "artifacts": row.artifacts,
        "kvTags": row.tags,
        "properties": row.properties,
        "runid": row.run_id,
        "meta": row.meta,
        "createdTime": iso(row.created),
    }
