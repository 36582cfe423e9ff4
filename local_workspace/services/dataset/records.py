"""Behaviour of datasets over the store."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, Conflict, NotFound
from local_workspace.services.dataset.parsing import Definition
from local_workspace.store.database import Database
from local_workspace.store.tables.dataset import DatasetRow, DatasetVersionRow, SavedDatasetRow

PAGE_SIZE = 100

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.\-]{0,254}")
_REGISTRATION_ATTEMPTS = 20


@dataclass(frozen=True)
class Registered:
    """A version of a registered dataset with its definition."""

    dataset: DatasetRow
    version: DatasetVersionRow
    saved: SavedDatasetRow


def ensure_saved(session: Session, definition: Definition) -> SavedDatasetRow:
    """Save a definition without registering it.

    The same definition keeps its id until it is registered: what is registered has a saved id of
    its own.
    """
    query = (
        select(SavedDatasetRow)
        .outerjoin(DatasetVersionRow, DatasetVersionRow.saved_id == SavedDatasetRow.saved_id)
        .where(
            SavedDatasetRow.digest == definition.digest,
            DatasetVersionRow.saved_id.is_(None),
        )
        .order_by(SavedDatasetRow.created)
    )
    return session.execute(query).scalars().first() or _save(session, definition)


def get_saved(session: Session, saved_id: str) -> SavedDatasetRow:
    """A saved definition. Raises NotFound."""
    row = session.get(SavedDatasetRow, saved_id)
    if row is None:
        raise NotFound(
            f"There is no dataset with the id '{saved_id}' in this workspace.",
            code="UserError",
            inner_code="DatasetNotFound",
        )
    return row


def register_dataset(
    database: Database,
    name: Any,
    definition: Definition,
    *,
    description: str | None = None,
    tags: dict[str, str] | None = None,
    is_visible: bool = True,
    saved_id: str | None = None,
    exist_ok: bool = False,
    new_version: bool = False,
) -> Registered:
    """Register a definition under a name.

    A name that exists is an error unless `exist_ok`. Then `new_version` makes the next version,
    except that the definition of the latest version stays that version. Several clients may
    register at once: each gets its version. Description and tags that are given replace those of
    the name. Raises BadRequest, and Conflict when the name exists.
    """
    name = _checked_name(name)
    _check_tags(tags)
    changes = {"description": description, "tags": tags}
    for attempt in range(1, _REGISTRATION_ATTEMPTS + 1):
        try:
            with database.write() as session:
                return _register(
                    session, name, definition, changes, is_visible, saved_id, exist_ok, new_version
                )
        except IntegrityError:
            # Two clients took the same name or number at once, which a database with several
            # writers allows up to here: the second one sees the first one's now.
            if attempt == _REGISTRATION_ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _register(
    session: Session,
    name: str,
    definition: Definition,
    changes: dict[str, Any],
    is_visible: bool,
    saved_id: str | None,
    exist_ok: bool,
    new_version: bool,
) -> Registered:
    now = utc_now()
    row = session.execute(
        select(DatasetRow).where(DatasetRow.name == name).with_for_update()
    ).scalar_one_or_none()
    if row is not None and not exist_ok:
        raise Conflict(
            f"There is already a dataset registered under the name '{name}'. Pass "
            "create_new_version=True to register a new version.",
            code="UserError",
            inner_code="DatasetAlreadyExists",
        )
    if row is None:
        saved = _saved_for_registration(session, definition, saved_id)
        row = DatasetRow(
            dataset_id=str(uuid.uuid4()),
            name=name,
            tags={},
            is_visible=is_visible,
            etag=str(uuid.uuid4()),
            latest_version=0,
            created=now,
            modified=now,
        )
        session.add(row)
        session.flush()
        version = _add_version(session, row, saved)
    else:
        latest = get_registered(session, row)
        saved, version = latest.saved, latest.version
        if new_version and saved.digest != definition.digest:
            saved = _saved_for_registration(session, definition, saved_id)
            version = _add_version(session, row, saved)
    _change(row, changes)
    session.flush()
    return Registered(row, version, saved)


def find_dataset(session: Session, name: str) -> DatasetRow:
    """A registered dataset by name. Raises NotFound."""
    row = session.execute(select(DatasetRow).where(DatasetRow.name == name)).scalar_one_or_none()
    if row is None:
        raise _not_found(f"There is no dataset registered as '{name}' in this workspace.")
    return row


def get_dataset(session: Session, dataset_id: str) -> DatasetRow:
    """A registered dataset by its registration id. Raises NotFound."""
    row = session.get(DatasetRow, dataset_id)
    if row is None:
        raise _not_found(f"There is no registered dataset with the id '{dataset_id}'.")
    return row


def get_registered(session: Session, dataset: DatasetRow, version: str | None = None) -> Registered:
    """A version of a dataset, the latest one if none is named. Raises NotFound."""
    number = dataset.latest_version if version in (None, "", "latest") else version
    row = None
    if str(number).isdecimal() and len(str(number)) < 10:
        row = session.get(DatasetVersionRow, (dataset.dataset_id, int(number)))
    if row is None:
        raise _not_found(
            f"The dataset '{dataset.name}' has no version '{version}'. Its latest is "
            f"{dataset.latest_version}."
        )
    return Registered(dataset, row, get_saved(session, row.saved_id))


def registration_of(session: Session, saved_id: str) -> Registered | None:
    """The name and version under which a saved definition is registered, if it is."""
    version = session.execute(
        select(DatasetVersionRow).where(DatasetVersionRow.saved_id == saved_id)
    ).scalar_one_or_none()
    if version is None:
        return None
    dataset = get_dataset(session, version.dataset_id)
    return Registered(dataset, version, get_saved(session, saved_id))


def list_datasets(
    session: Session,
    after: str | None = None,
    limit: int = PAGE_SIZE,
    *,
    names: list[str] | None = None,
    search: str | None = None,
    include_invisible: bool = False,
) -> list[Registered]:
    """The latest version of every name, by name; `after` is the last name of the page before."""
    query = (
        select(DatasetRow, DatasetVersionRow, SavedDatasetRow)
        .join(
            DatasetVersionRow,
            (DatasetVersionRow.dataset_id == DatasetRow.dataset_id)
            & (DatasetVersionRow.version == DatasetRow.latest_version),
        )
        .join(SavedDatasetRow, SavedDatasetRow.saved_id == DatasetVersionRow.saved_id)
        .order_by(DatasetRow.name)
        .limit(limit)
    )
    if after:
        query = query.where(DatasetRow.name > after)
    if names:
        query = query.where(DatasetRow.name.in_(names))
    if search:
        query = query.where(DatasetRow.name.contains(search, autoescape=True))
    if not include_invisible:
        query = query.where(DatasetRow.is_visible)
    return [Registered(*row) for row in session.execute(query)]


def list_versions(session: Session, dataset: DatasetRow) -> list[Registered]:
    """All versions of a dataset, the first one first."""
    query = (
        select(DatasetVersionRow, SavedDatasetRow)
        .join(SavedDatasetRow, SavedDatasetRow.saved_id == DatasetVersionRow.saved_id)
        .where(DatasetVersionRow.dataset_id == dataset.dataset_id)
        .order_by(DatasetVersionRow.version)
    )
    return [Registered(dataset, version, saved) for version, saved in session.execute(query)]


def update_dataset(
    session: Session,
    dataset_id: str,
    *,
    description: str | None,
    tags: dict[str, str] | None,
    is_visible: bool | None,
) -> DatasetRow:
    """Change description, tags and visibility; what is None stays. Raises NotFound, BadRequest."""
    _check_tags(tags)
    row = get_dataset(session, dataset_id)
    _change(row, {"description": description, "tags": tags, "is_visible": is_visible})
    return row


def unregister_dataset(session: Session, name: str) -> None:
    """Forget a name with all its versions. The saved definitions, and the data, stay.

    Raises NotFound.
    """
    row = find_dataset(session, name)
    for registered in list_versions(session, row):
        session.delete(registered.version)
    session.flush()
    session.delete(row)


def _not_found(message: str) -> NotFound:
    return NotFound(message, code="UserError", inner_code="DatasetNotFound")


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest(
            f"The dataset name '{name}' is invalid. It must start with a letter or digit, can "
            "contain letters, digits, spaces, '-', '_' and '.', and has at most 255 characters.",
            code="UserError",
            inner_code="InvalidDatasetName",
        )
    return name


def _check_tags(tags: Any) -> None:
    if tags is not None and not (
        isinstance(tags, dict) and all(isinstance(value, str) for value in tags.values())
    ):
        raise BadRequest("The tags of a dataset must be an object of texts.")


def _change(row: DatasetRow, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if value is not None:
            setattr(row, name, value)
    row.modified = utc_now()
    row.etag = str(uuid.uuid4())


def _save(session: Session, definition: Definition) -> SavedDatasetRow:
    row = SavedDatasetRow(
        saved_id=str(uuid.uuid4()),
        dataset_type=definition.dataset_type,
        dataflow=definition.dataflow,
        rs_dataflow=definition.rs_dataflow,
        properties=definition.properties,
        digest=definition.digest,
        created=utc_now(),
    )
    session.add(row)
    session.flush()
    return row


def _saved_for_registration(
    session: Session, definition: Definition, saved_id: str | None
) -> SavedDatasetRow:
    """The saved definition to register: that of `saved_id`, or a new one."""
    if saved_id is None:
        return _save(session, definition)
    saved = get_saved(session, saved_id)
    registered = registration_of(session, saved_id)
    if registered is not None:
        # The SDK takes name and version out of the first sentence.
        raise BadRequest(
            "An identical dataset has been registered as "
            f"{registered.dataset.name}:{registered.version.version} (name:version). Pass "
            "create_new_version=True to register it once more."
        )
    if saved.digest != definition.digest:
        # A client that goes on from a saved dataset may send its id with other steps.
        return _save(session, definition)
    return saved


def _add_version(session: Session, row: DatasetRow, saved: SavedDatasetRow) -> DatasetVersionRow:
    row.latest_version += 1
    version = DatasetVersionRow(
        dataset_id=row.dataset_id,
        version=row.latest_version,
        saved_id=saved.saved_id,
        created=utc_now(),
    )
    session.add(version)
    session.flush()
    return version
