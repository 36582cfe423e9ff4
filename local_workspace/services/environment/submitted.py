"""The environments that runs are submitted with, which are registered if they are not."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from local_workspace.services.environment import records
from local_workspace.services.environment.parsing import definition_of
from local_workspace.services.environment.wire import asset_id, environment_document
from local_workspace.store.tables.environment import EnvironmentRow, EnvironmentVersionRow
from local_workspace.workspace import LocalWorkspace

# What a definition says of the start of its container, which changes nothing inside.
_HOW_DOCKER_STARTS = ("enabled", "arguments", "sharedVolumes", "shmSize")


def registered(
    session: Session, workspace: LocalWorkspace, given: dict[str, Any], default_name: str
) -> dict[str, Any]:
    """The environment of a submitted run, with the name and version that it is registered under.

    `given` is a definition (the document of `Environment`), or the name of a registered one and
    perhaps its version. A definition that is not registered under its name is, as on Azure; one
    without a name gets `default_name`. Raises NotFound for an unknown name or version, BadRequest
    for what is no definition, for a name that cannot be, and for a curated environment that was
    changed.
    """
    name, version = given.get("name"), given.get("version")
    if name and not given.get("python"):
        return _by_name(workspace, records.get_environment(session, name, version), given)
    definition = definition_of(given)
    row = _find(session, name or default_name, version, definition)
    if row is None:
        if name:
            records.check_name(session, name)
        row = _register(session, name or default_name, version, definition)
    stated = {"name": row.name, "version": row.version, "assetId": asset_id(workspace, row)}
    return {**given, **stated}


def _by_name(
    workspace: LocalWorkspace, row: EnvironmentVersionRow, given: dict[str, Any]
) -> dict[str, Any]:
    """What is registered, started as it is `given`."""
    docker = given.get("docker") or {}
    starts = {key: docker[key] for key in _HOW_DOCKER_STARTS if key in docker}
    document = environment_document(workspace, row)
    return {**document, "docker": {**(document["docker"] or {}), **starts}}


def _find(
    session: Session, name: str, version: str | None, definition: dict[str, Any]
) -> EnvironmentVersionRow | None:
    """The version of `name` that has this content, `version` before others."""
    named = session.get(EnvironmentVersionRow, (name, version)) if version else None
    if named is not None and _content(named.definition) == _content(definition):
        return named
    row = session.get(EnvironmentRow, name)
    if row is not None and row.curated:
        latest = records.get_environment(session, name)
        return latest if _content(latest.definition) == _content(definition) else None
    return records.find_content(session, name, records.digest_of(definition), with_submitted=True)


def _register(
    session: Session, name: str, version: str | None, definition: dict[str, Any]
) -> EnvironmentVersionRow:
    """Register content that is new under this name, under `version` unless that is taken."""
    if version and session.get(EnvironmentVersionRow, (name, version)) is None:
        return records.register_environment(session, name, definition, version)
    return records.save_submitted(session, name, definition)


def _content(definition: dict[str, Any]) -> Any:
    """What matters of a definition: clients add sections and fields that say nothing."""
    docker = definition.get("docker") or {}
    inside = {key: docker[key] for key in docker if key not in _HOW_DOCKER_STARTS}
    return _without_nothing({**definition, "docker": inside})


def _without_nothing(value: Any) -> Any:
    """`value` without the fields, at whatever depth, that are null or empty."""
    if isinstance(value, dict):
        kept = {key: _without_nothing(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, {}, [])}
    return value
