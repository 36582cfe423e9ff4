"""Registered models as the pages show them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from local_workspace.errors import NotFound
from local_workspace.services import artifact
from local_workspace.services.model_management import (
    all_models,
    all_versions,
    get_model,
    get_version,
    latest_versions,
)
from local_workspace.store.tables.model_management import ModelRow, ModelVersionRow
from local_workspace.workspace import LocalWorkspace

_FILES = 500


@dataclass(frozen=True)
class ModelPage:
    """One version of a model with its files, and all versions; `shown` is None without any."""

    model: ModelRow
    shown: ModelVersionRow | None
    versions: list[ModelVersionRow]
    aliases: dict[int, list[str]]
    files: list[artifact.Artifact]
    more_files: bool


def models(session: Session) -> list[tuple[ModelRow, ModelVersionRow | None]]:
    """Every model by name, with its latest version."""
    by_stage = latest_versions(session)
    latest = {name: max(rows, key=lambda row: row.version) for name, rows in by_stage.items()}
    return [(model, latest.get(model.name)) for model in all_models(session)]


def model(session: Session, workspace: LocalWorkspace, name: str, version: str | None) -> ModelPage:
    """One model: the version asked for, or its latest. Raises NotFound."""
    row = get_model(session, name)
    versions = sorted(all_versions(session, name=name), key=lambda one: -one.version)
    shown = versions[0] if versions else None
    if version is not None:
        shown = get_version(session, name, version)
    listed = files_of(workspace, shown) if shown is not None else []
    aliases: dict[int, list[str]] = {}
    for alias, number in row.aliases.items():
        aliases.setdefault(int(number), []).append(alias)
    return ModelPage(row, shown, versions, aliases, listed[:_FILES], len(listed) > _FILES)


def files_of(workspace: LocalWorkspace, version: ModelVersionRow) -> list[artifact.Artifact]:
    """The files of a version, up to 1,000."""
    found, _ = artifact.page_of_artifacts(
        workspace, version.origin, version.container, version.path
    )
    return [item for item in found if is_file_of(version, item.path)]


def check_file(version: ModelVersionRow, path: str) -> None:
    """Raise NotFound unless `path` is that of a file of the version, if it is there at all."""
    if not is_file_of(version, artifact.artifact_path(path)):
        raise NotFound(f"'{path}' is no file of the model '{version.name}:{version.version}'.")


def is_file_of(version: ModelVersionRow, path: str) -> bool:
    """Whether `path` is that of the version's file, or below that of its folder."""
    return path == version.path or path.startswith(f"{version.path}/")
