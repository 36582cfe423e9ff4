"""Datasets, datastores, compute targets and environments as the pages show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from local_workspace.services import environment as environments
from local_workspace.services import run_history
from local_workspace.services.compute import VmSize, find_vm_size, list_computes
from local_workspace.services.dataset import (
    Registered,
    find_dataset,
    get_registered,
    list_datasets,
    list_versions,
)
from local_workspace.services.datastore import list_datastores
from local_workspace.services.model_management import all_models
from local_workspace.store.tables.compute import ComputeRow
from local_workspace.store.tables.datastore import DatastoreRow
from local_workspace.store.tables.environment import EnvironmentVersionRow
from local_workspace.workspace import LocalWorkspace

ROWS_ON_A_PAGE = 50

Row = TypeVar("Row")


@dataclass(frozen=True)
class NamedPage:
    """Some rows by name, and the name behind which the next page begins (None: no more)."""

    rows: list[Any]
    following: str | None


@dataclass(frozen=True)
class DatasetPage:
    """One version of a dataset, and all of them."""

    shown: Registered
    versions: list[Registered]


@dataclass(frozen=True)
class DatastoreView:
    """A datastore, and its folder on this machine if its data lie here."""

    row: DatastoreRow
    folder: Path | None


@dataclass(frozen=True)
class ComputeView:
    """A cluster and the size of its nodes."""

    row: ComputeRow
    size: VmSize | None


@dataclass(frozen=True)
class EnvironmentPage:
    """A version of an environment; the packages as conda and pip would be asked for them."""

    row: EnvironmentVersionRow
    is_latest: bool
    conda: list[str]
    pip: list[str]
    channels: list[str]
    image: str | None
    is_user_managed: bool
    interpreter: str | None


def _page(rows: list[Row], name_of: Callable[[Row], str]) -> NamedPage:
    shown = rows[:ROWS_ON_A_PAGE]
    return NamedPage(shown, name_of(shown[-1]) if len(rows) > len(shown) else None)


def counts(session: Session) -> dict[str, str]:
    """How many there are of each kind of asset, by the address of its page: "7", or "50+"."""
    most = ROWS_ON_A_PAGE
    found: dict[str, Sequence[Any]] = {
        "experiments": run_history.query_experiments(session, top=most + 1).rows,
        "models": all_models(session),
        "datasets": list_datasets(session, limit=most + 1),
        "datastores": list_datastores(session, limit=most + 1),
        "compute": list_computes(session),
        "environments": environments.list_environments(session, limit=most + 1),
    }
    return {
        name: f"{most}+" if len(rows) > most else str(len(rows)) for name, rows in found.items()
    }


def datasets(session: Session, after: str | None) -> NamedPage:
    """A page of the datasets (Registered) in their latest versions, by name."""
    found = list_datasets(session, after, ROWS_ON_A_PAGE + 1)
    return _page(found, lambda registered: registered.dataset.name)


def dataset(session: Session, name: str, version: str | None) -> DatasetPage:
    """One dataset. Raises NotFound."""
    row = find_dataset(session, name)
    return DatasetPage(get_registered(session, row, version), list_versions(session, row)[::-1])


def datastores(session: Session, workspace: LocalWorkspace, after: str | None) -> NamedPage:
    """A page of the datastores (DatastoreView), by name."""
    found = list_datastores(session, after, ROWS_ON_A_PAGE + 1)
    page = _page(found, lambda row: row.name)
    return NamedPage([_datastore(workspace, row) for row in page.rows], page.following)


def _datastore(workspace: LocalWorkspace, row: DatastoreRow) -> DatastoreView:
    is_here = row.store_type == "AzureBlob" and row.account in workspace.storage_accounts()
    folder = workspace.paths.blobs / row.account / row.container if is_here else None
    return DatastoreView(row, folder)


def computes(session: Session) -> list[ComputeView]:
    """Every compute target, the oldest first."""
    return [
        ComputeView(row, find_vm_size(str(row.properties.get("vmSize", ""))))
        for row in list_computes(session)
    ]


def environment_list(session: Session, after: str | None) -> NamedPage:
    """A page of the environments in their latest versions, by name."""
    found = environments.list_environments(session, after, ROWS_ON_A_PAGE + 1)
    return _page(found, lambda row: row.name)


def environment(session: Session, name: str, version: str | None) -> EnvironmentPage:
    """One environment. Raises NotFound."""
    row = environments.get_environment(session, name, version)
    python = _section(row.definition, "python")
    conda = _section(python, "condaDependencies")
    dependencies = _list(conda, "dependencies")
    docker = _section(row.definition, "docker")
    return EnvironmentPage(
        row=row,
        is_latest=environments.get_environment(session, name).version == row.version,
        conda=[str(item) for item in dependencies if not isinstance(item, Mapping)],
        pip=[
            str(package)
            for item in dependencies
            if isinstance(item, Mapping)
            for package in _list(item, "pip")
        ],
        channels=[str(channel) for channel in _list(conda, "channels")],
        image=docker.get("baseImage"),
        is_user_managed=bool(python.get("userManagedDependencies")),
        interpreter=python.get("interpreterPath"),
    )


def _section(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []
