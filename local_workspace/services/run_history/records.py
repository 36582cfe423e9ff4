"""Runs: made, changed, started, ended."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from local_workspace.clock import as_utc, utc_now
from local_workspace.errors import BadRequest, Conflict, NotFound
from local_workspace.events import RunEnded, RunStatusChanged, tell
from local_workspace.services.run_history.changes import PLAIN, RunChanges, TextMap
from local_workspace.services.run_history.experiments import (
    ensure_experiment,
    get_experiment_by_id,
    next_run_number,
)
from local_workspace.store.tables.run_history import ExperimentRow, RunRow

# In the order in which a run goes through them; the SDK's RunStatus.
STATUSES = (
    "Unapproved",
    "NotStarted",
    "Provisioning",
    "Starting",
    "Preparing",
    "Queued",
    "Running",
    "Paused",
    "NotResponding",
    "CancelRequested",
    "Finalizing",
    "Completed",
    "Failed",
    "Canceled",
)
TERMINAL_STATUSES = frozenset({"Completed", "Failed", "Canceled"})

# Of one run. All of them are read and written with it.
MAX_WARNINGS = 100
_MORE_WARNINGS = "There are more warnings than are kept of a run."

_NO_CHANGES = RunChanges()
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}")


def new_run_id() -> str:
    """An id for a run that the client did not name."""
    return str(uuid.uuid4())


def get_run(session: Session, run_id: str) -> RunRow:
    """The run with that id. Raises NotFound."""
    row = session.get(RunRow, run_id)
    if row is None:
        raise run_not_found(run_id)
    return row


def find_run(session: Session, run_id: str) -> RunRow | None:
    """The run with that id, if there is one."""
    return session.get(RunRow, run_id)


def check_run(session: Session, run_id: str) -> None:
    """Raise NotFound unless there is such a run; much cheaper than to read it."""
    if session.scalar(select(RunRow.run_id).where(RunRow.run_id == run_id)) is None:
        raise run_not_found(run_id)


def run_not_found(run_id: str) -> NotFound:
    """The error for a run that does not exist."""
    return NotFound(f"Run with id '{run_id}' not found.", inner_code="RunNotFound")


def get_run_of(session: Session, experiment: ExperimentRow, run_id: str) -> RunRow:
    """The run with that id in `experiment`, or in another one of that name. Raises NotFound.

    A client that made a run in an archived experiment goes on asking for it there.
    """
    row = get_run(session, run_id)
    if not _is_of(session, row, experiment.name):
        raise NotFound(
            f"Run with id '{run_id}' not found in experiment '{experiment.name}'.",
            inner_code="RunNotFound",
        )
    return row


def upsert_run(
    session: Session,
    experiment: ExperimentRow | str,
    run_id: str,
    changes: RunChanges = _NO_CHANGES,
    created_by: dict[str, Any] | None = None,
    *,
    overwrite_properties: bool = False,
) -> RunRow:
    """Make the run, or change it.

    `experiment` is an experiment or its name. A new run belongs to the active one of that name,
    made when there is none, or to that of its parent. Raises BadRequest for what a run cannot have
    (among it another value for a property it has already, unless `overwrite_properties`), NotFound
    when its parent does not exist, Conflict when it belongs to another experiment.
    """
    name = experiment if isinstance(experiment, str) else experiment.name
    row = session.get(RunRow, run_id)
    if row is None:
        row = _new_run(session, name, run_id, changes, created_by)
    elif not _is_of(session, row, name):
        raise Conflict(f"The run '{run_id}' belongs to another experiment than asked for.")
    _apply(session, row, changes, overwrite_properties)
    session.flush()
    return row


def _is_of(session: Session, row: RunRow, experiment_name: str) -> bool:
    return get_experiment_by_id(session, row.experiment_id).name == experiment_name


def _new_run(
    session: Session,
    experiment_name: str,
    run_id: str,
    changes: RunChanges,
    created_by: dict[str, Any] | None,
) -> RunRow:
    if not _RUN_ID.fullmatch(run_id):
        raise BadRequest(
            f"'{run_id}' cannot be the id of a run: use 1 to 256 letters, digits, '_' and '-', and "
            "begin with a letter or a digit."
        )
    parent_run_id = changes.parent_run_id or None
    parent = get_run(session, parent_run_id) if parent_run_id else None
    if parent is not None and _is_of(session, parent, experiment_name):
        # It may have been archived since.
        experiment = get_experiment_by_id(session, parent.experiment_id)
    else:
        experiment = ensure_experiment(session, experiment_name)
    now = utc_now()
    row = RunRow(
        run_id=run_id,
        experiment_id=experiment.experiment_id,
        number=next_run_number(session, experiment.experiment_id),
        parent_run_id=parent_run_id,
        root_run_id=run_id if parent is None else parent.root_run_id,
        status="NotStarted",
        lifecycle_stage="active",
        display_name=run_id,
        hidden=False,
        traits={},
        properties={},
        tags={},
        params={},
        warnings=[],
        created=now,
        last_modified=now,
        created_by=created_by,
        data_container_id=changes.data_container_id or f"dcid.{run_id}",
        input_datasets=[],
        output_datasets=[],
        mlflow_inputs=[],
        services={},
    )
    session.add(row)
    return row


def _apply(session: Session, row: RunRow, changes: RunChanges, overwrite_properties: bool) -> None:
    for column in PLAIN:
        value = getattr(changes, column)
        if value is not None:
            setattr(row, column, value)
    row.traits = {**row.traits, **dict.fromkeys(changes.traits, "true")}
    row.tags = {**row.tags, **changes.tags}
    row.properties = _with_properties(row, changes.properties, overwrite_properties)
    row.input_datasets = _with_new(row.input_datasets, changes.input_datasets)
    row.output_datasets = _with_new(row.output_datasets, changes.output_datasets)
    row.last_modified = utc_now()
    if changes.status is not None:
        set_status(session, row.run_id, changes.status, row=row)


def _with_new(present: list[Any], given: Iterable[Any]) -> list[Any]:
    return [*present, *(item for item in given if item not in present)]


def _with_properties(row: RunRow, properties: TextMap, overwrite: bool) -> dict[str, str | None]:
    if not overwrite:
        for name, value in properties.items():
            if name in row.properties and row.properties[name] != value:
                raise BadRequest(
                    f"The property '{name}' of run '{row.run_id}' cannot be changed: properties "
                    f"are immutable. It is '{row.properties[name]}'. Use a tag for what changes.",
                    inner_code="PropertyImmutable",
                )
    return {**row.properties, **properties}


def set_status(
    session: Session,
    run_id: str,
    status: str,
    *,
    error: dict[str, Any] | str | None = None,
    moment: datetime | None = None,
    row: RunRow | None = None,
) -> RunRow:
    """Bring the run to `status`, and keep when (`moment`, or now) it began and ended.

    A run that has ended stays as it ended, and one whose cancellation is requested does not go back
    to an earlier state: such a change is ignored. `error` is a message, a root error (`code`,
    `message`, ...) or a whole error response. Raises NotFound, and BadRequest for a status that
    does not exist.
    """
    if status not in STATUSES:
        raise BadRequest(f"'{status}' is not one of the states of a run: {', '.join(STATUSES)}.")
    row = row or get_run(session, run_id)
    if row.status in TERMINAL_STATUSES:
        return row
    if row.status == "CancelRequested" and STATUSES.index(status) < STATUSES.index(row.status):
        return row
    if error is not None:
        row.error = error_response(error)
    now = utc_now()
    if status == "Running" and row.start_time is None:
        row.start_time = moment or now
    if status in TERMINAL_STATUSES:
        end = moment or now
        row.end_time = max(end, as_utc(row.start_time)) if row.start_time else end
        row.queueing_info = None
    bring_to(session, row, status)
    row.last_modified = now
    session.flush()
    return row


def bring_to(session: Session, row: RunRow, status: str) -> None:
    """Write a status down, and tell of it when it is another one than before."""
    if row.status == status:
        return
    row.status = status
    kind = RunEnded if status in TERMINAL_STATUSES else RunStatusChanged
    tell(session, kind(row.run_id, status, row.parent_run_id, row.root_run_id))


def error_response(error: dict[str, Any] | str) -> dict[str, Any]:
    """`error` (a message, a root error or a whole response) as the SDK's ErrorResponse."""
    if isinstance(error, dict) and "error" in error:
        return error
    root = {"message": error} if isinstance(error, str) else error
    return {
        "error": {
            "code": "UserError",
            "severity": None,
            "messageFormat": None,
            "messageParameters": {},
            "referenceCode": None,
            "detailsUri": None,
            "target": None,
            "details": [],
            "innerError": None,
            "debugInfo": None,
            "additionalInfo": None,
            **root,
        },
        "correlation": None,
        "environment": "local",
        "location": "local",
        "time": None,
        "componentName": "RunHistory",
    }


def add_warning(session: Session, run_id: str, source: str, message: str) -> RunRow:
    """Add a warning, which `run.get_details()` shows, unless it is there. Raises NotFound."""
    return add_warnings(session, run_id, source, [message])


def add_warnings(session: Session, run_id: str, source: str, messages: Iterable[str]) -> RunRow:
    """Add warnings that are not there yet, up to MAX_WARNINGS of a run. Raises NotFound."""
    row = get_run(session, run_id)
    added = [
        warning
        for message in dict.fromkeys(messages)
        if (warning := {"source": source, "message": message}) not in row.warnings
    ]
    room = MAX_WARNINGS - len(row.warnings)
    if len(added) > room > 0:
        # The last one says that there are others.
        added = [*added[: room - 1], {"source": source, "message": _MORE_WARNINGS}]
    if added and room > 0:
        row.warnings = [*row.warnings, *added]
        row.last_modified = utc_now()
    session.flush()
    return row


def delete_run_tags(session: Session, run_id: str, tags: list[str]) -> RunRow:
    """Delete tags of a run; those it does not have are no error. Raises NotFound."""
    row = get_run(session, run_id)
    row.tags = {name: value for name, value in row.tags.items() if name not in tags}
    row.last_modified = utc_now()
    session.flush()
    return row
