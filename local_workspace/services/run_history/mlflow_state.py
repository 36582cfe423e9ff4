"""What only MLflow knows of a run: parameters, deletion, dataset inputs, going on after its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Row
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest
from local_workspace.services.run_history.records import TERMINAL_STATUSES, bring_to, get_run
from local_workspace.store.tables.run_history import RunRow


def log_params(session: Session, run_id: str, params: Mapping[str, str]) -> None:
    """Add parameters to a run. Raises BadRequest for another value of one it has, NotFound."""
    row = get_run(session, run_id)
    changed = {
        name: value for name, value in params.items() if row.params.get(name, value) != value
    }
    if changed:
        name, value = next(iter(changed.items()))
        raise BadRequest(
            "Changing param values is not allowed. Param with key "
            f"'{name}' was already logged with value '{row.params[name]}' for run ID='{run_id}'. "
            f"Attempted logging new value '{value}'."
        )
    row.params = {**row.params, **params}
    row.last_modified = utc_now()


def set_deleted(session: Session, run_id: str, deleted: bool) -> None:
    """Delete a run, which hides it, or restore it. Raises NotFound."""
    row = get_run(session, run_id)
    row.lifecycle_stage = "deleted" if deleted else "active"
    row.deleted = utc_now() if deleted else None
    row.last_modified = utc_now()


def add_mlflow_inputs(session: Session, run_id: str, inputs: Sequence[Mapping[str, Any]]) -> None:
    """Note dataset inputs, each once by its name and digest. Raises NotFound."""
    row = get_run(session, run_id)
    known = {(one["dataset"]["name"], one["dataset"]["digest"]) for one in row.mlflow_inputs}
    new = [one for one in inputs if (one["dataset"]["name"], one["dataset"]["digest"]) not in known]
    row.mlflow_inputs = [*row.mlflow_inputs, *new]


def reopen_run(session: Session, run_id: str) -> RunRow:
    """Let a run that has ended run again, as `mlflow.start_run(run_id=...)` does.

    A submitted run ends once: it stays as it is. Raises NotFound.
    """
    row = get_run(session, run_id)
    if row.status in TERMINAL_STATUSES and row.run_definition is None:
        bring_to(session, row, "Running")
        row.end_time, row.error = None, None
        row.last_modified = utc_now()
    return row


def run_ids_by_start(
    session: Session,
    experiment_ids: Sequence[str],
    stages: Sequence[str],
    ascending: bool,
    offset: int,
    limit: int,
) -> list[str]:
    """Ids of runs of experiments by their start, newest first unless `ascending`.

    Raises BadRequest for an offset that no database takes.
    """
    if not 0 <= offset < 2**31:
        raise BadRequest(f"A page cannot begin with run number {offset}.")
    start = func.coalesce(RunRow.start_time, RunRow.created)
    query = (
        select(RunRow.run_id)
        .where(RunRow.experiment_id.in_(experiment_ids), RunRow.lifecycle_stage.in_(stages))
        .order_by(start.asc() if ascending else start.desc(), RunRow.run_id)
        .offset(offset)
        .limit(limit)
    )
    return list(session.scalars(query))


def runs_to_search(
    session: Session, experiment_ids: Sequence[str], stages: Sequence[str]
) -> list[Row]:
    """Ids, times, states, names, tags and parameters of all runs of experiments, newest first.

    Columns instead of RunRow, which costs ten times as much for ten thousand runs.
    """
    query = (
        select(
            RunRow.run_id,
            RunRow.experiment_id,
            RunRow.root_run_id,
            RunRow.parent_run_id,
            RunRow.status,
            RunRow.lifecycle_stage,
            RunRow.display_name,
            RunRow.description,
            RunRow.tags,
            RunRow.params,
            RunRow.created,
            RunRow.created_by,
            RunRow.start_time,
            RunRow.end_time,
        )
        .where(RunRow.experiment_id.in_(experiment_ids), RunRow.lifecycle_stage.in_(stages))
        .order_by(RunRow.created.desc(), RunRow.run_id)
    )
    return list(session.execute(query))


def runs_by_id(session: Session, run_ids: Sequence[str]) -> list[RunRow]:
    """Runs in the order of their ids; ids that do not exist are left out."""
    found: dict[str, RunRow] = {}
    for start in range(0, len(run_ids), 500):
        query = select(RunRow).where(RunRow.run_id.in_(run_ids[start : start + 500]))
        found.update({row.run_id: row for row in session.scalars(query)})
    return [found[run_id] for run_id in run_ids if run_id in found]
