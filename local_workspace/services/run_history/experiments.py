"""Experiments: named series of runs."""

from __future__ import annotations

import re
import uuid
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, Conflict, NotFound
from local_workspace.odata import parse_filter
from local_workspace.odata_sql import Field, keys_field, text_field, time_field, to_sql
from local_workspace.services.run_history.changes import ExperimentChanges
from local_workspace.services.run_history.paging import Page, page_of
from local_workspace.store.tables.run_history import ExperimentRow, RunRow

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")

_FIELDS: dict[str, Field] = {
    "experimentid": text_field(ExperimentRow.experiment_id),
    "name": text_field(ExperimentRow.name),
    "description": text_field(ExperimentRow.description),
    "createdutc": time_field(ExperimentRow.created),
    "createdtime": time_field(ExperimentRow.created),
    "archivedtime": time_field(ExperimentRow.archived),
    "tags": keys_field(ExperimentRow.tags),
}
_SORT_KEYS: dict[str, Any] = {
    "experimentid": ExperimentRow.experiment_id,
    "name": ExperimentRow.name,
    "createdutc": ExperimentRow.created,
    "createdtime": ExperimentRow.created,
}


def check_experiment_name(name: str) -> None:
    """Raise BadRequest unless `name` can be the name of an experiment."""
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"'{name}' cannot be the name of an experiment: use 1 to 255 letters, digits, '_' and "
            "'-', and begin with a letter or a digit.",
            inner_code="InvalidExperimentName",
        )


def find_experiment(session: Session, name: str) -> ExperimentRow | None:
    """The active experiment of that name, else the one archived last; None when there is none."""
    query = (
        select(ExperimentRow)
        .where(ExperimentRow.name == name)
        .order_by(ExperimentRow.archived.is_not(None), ExperimentRow.archived.desc())
        .limit(1)
    )
    return session.scalars(query).first()


def ensure_experiment(session: Session, name: str) -> ExperimentRow:
    """The active experiment of that name, made when there is none or an archived one only.

    Raises BadRequest when the name cannot be one.
    """
    found = find_experiment(session, name)
    if found is not None and found.archived is None:
        return found
    check_experiment_name(name)
    now = utc_now()
    row = ExperimentRow(
        experiment_id=str(uuid.uuid4()),
        name=name,
        created=now,
        last_modified=now,
        tags={},
        last_run_number=0,
    )
    session.add(row)
    session.flush()
    return row


def get_experiment(session: Session, name: str) -> ExperimentRow:
    """The experiment of that name; an active one before an archived one. Raises NotFound."""
    found = find_experiment(session, name)
    if found is None:
        raise NotFound(f"Experiment '{name}' not found.", inner_code="ExperimentNotFound")
    return found


def get_experiment_by_id(session: Session, experiment_id: str) -> ExperimentRow:
    """The experiment with that id. Raises NotFound."""
    found = session.get(ExperimentRow, experiment_id)
    if found is None:
        raise NotFound(
            f"Experiment with id '{experiment_id}' not found.", inner_code="ExperimentNotFound"
        )
    return found


def next_run_number(session: Session, experiment_id: str, count: int = 1) -> int:
    """Count `count` more runs of an experiment; the number of the first of them."""
    session.execute(
        update(ExperimentRow)
        .where(ExperimentRow.experiment_id == experiment_id)
        .values(last_run_number=ExperimentRow.last_run_number + count)
        .execution_options(synchronize_session=False)
    )
    last = session.scalar(
        select(ExperimentRow.last_run_number).where(ExperimentRow.experiment_id == experiment_id)
    )
    return last - count + 1


def update_experiment(
    session: Session, experiment_id: str, changes: ExperimentChanges
) -> ExperimentRow:
    """Change an experiment.

    Raises NotFound, BadRequest for a bad name and Conflict for a name that an active experiment
    has, which the reactivation of an archived one may be about, too.
    """
    row = get_experiment_by_id(session, experiment_id)
    name = changes.name
    if name is not None and name != row.name:
        check_experiment_name(name)
        if _is_active(session, name):
            raise Conflict(f"There is an experiment named '{name}' already.")
        row.name = name
    if changes.description is not None:
        row.description = changes.description
    if changes.is_archived:
        row.archived = row.archived or utc_now()
    elif changes.is_archived is not None and row.archived is not None:
        if _is_active(session, row.name):
            raise Conflict(
                f"There is an active experiment named '{row.name}', so that the archived one of "
                "that name cannot be reactivated. Archive or delete the active one first.",
                inner_code="ActiveExperimentExists",
            )
        row.archived = None
    row.tags = {**row.tags, **changes.tags}
    row.last_modified = utc_now()
    session.flush()
    return row


def _is_active(session: Session, name: str) -> bool:
    found = find_experiment(session, name)
    return found is not None and found.archived is None


def delete_experiment_tags(session: Session, experiment_id: str, tags: list[str]) -> ExperimentRow:
    """Delete tags of an experiment; those it does not have are no error."""
    row = get_experiment_by_id(session, experiment_id)
    row.tags = {name: value for name, value in row.tags.items() if name not in tags}
    row.last_modified = utc_now()
    session.flush()
    return row


def delete_experiment(session: Session, experiment_id: str) -> ExperimentRow:
    """Delete an experiment without runs; the row as it was. Raises NotFound, Conflict."""
    row = get_experiment_by_id(session, experiment_id)
    has_runs = select(RunRow.run_id).where(RunRow.experiment_id == experiment_id).limit(1)
    if session.scalar(has_runs) is not None:
        raise Conflict(
            f"The experiment '{row.name}' has runs and cannot be deleted. Archive it instead.",
            inner_code="ExperimentNotEmpty",
        )
    session.delete(row)
    session.flush()
    return row


def query_experiments(
    session: Session,
    *,
    filter: str | None = None,
    order_by: str | list[str] | None = None,
    top: int | None = None,
    continuation: str | None = None,
    view_type: str | None = None,
) -> Page:
    """A page of ExperimentRow. `view_type` is ActiveOnly (default), ArchivedOnly or All."""
    query = select(ExperimentRow)
    view = (view_type or "ActiveOnly").lower()
    if view == "activeonly":
        query = query.where(ExperimentRow.archived.is_(None))
    elif view == "archivedonly":
        query = query.where(ExperimentRow.archived.is_not(None))
    elif view != "all":
        raise BadRequest(
            f"The view type '{view_type}' is not one of ActiveOnly, ArchivedOnly and All."
        )
    if filter:
        query = query.where(to_sql(parse_filter(filter), _FIELDS))
    return page_of(
        session,
        query,
        keys=_SORT_KEYS,
        unique=ExperimentRow.experiment_id,
        order=order_by or "CreatedUtc desc",
        top=top,
        continuation=continuation,
    )
