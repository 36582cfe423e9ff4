"""Asking for runs: filters, orders, pages."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from local_workspace.odata import parse_filter
from local_workspace.odata_sql import (
    Field,
    keys_field,
    number_field,
    text_field,
    time_field,
    to_sql,
    truth_field,
)
from local_workspace.services.run_history.paging import Page, page_of
from local_workspace.services.run_history.records import TERMINAL_STATUSES
from local_workspace.store.tables.run_history import RunRow

_FIELDS: dict[str, Field] = {
    "runid": text_field(RunRow.run_id),
    "runuuid": text_field(RunRow.run_id),
    "experimentid": text_field(RunRow.experiment_id),
    "parentrunid": text_field(RunRow.parent_run_id),
    "rootrunid": text_field(RunRow.root_run_id),
    "runnumber": number_field(RunRow.number),
    "status": text_field(RunRow.status),
    "name": text_field(RunRow.name),
    "displayname": text_field(RunRow.display_name),
    "description": text_field(RunRow.description),
    "hidden": truth_field(RunRow.hidden),
    "archived": truth_field(RunRow.hidden),
    "runtype": text_field(RunRow.run_type),
    "runtypev2/orchestrator": text_field(RunRow.orchestrator),
    "runtypev2/traits": keys_field(RunRow.traits),
    "target": text_field(RunRow.target),
    "scriptname": text_field(RunRow.script_name),
    "datacontainerid": text_field(RunRow.data_container_id),
    "properties": keys_field(RunRow.properties),
    "tags": keys_field(RunRow.tags),
    "createdutc": time_field(RunRow.created),
    "starttimeutc": time_field(RunRow.start_time),
    "endtimeutc": time_field(RunRow.end_time),
    "lastmodifiedutc": time_field(RunRow.last_modified),
}

# A run that has not begun takes its place by when it was made; the indices know these expressions.
_START = func.coalesce(RunRow.start_time, RunRow.created)
_SORT_KEYS: dict[str, Any] = {
    "runid": RunRow.run_id,
    "runnumber": RunRow.number,
    "status": RunRow.status,
    "displayname": func.coalesce(RunRow.display_name, ""),
    "runtype": func.coalesce(RunRow.run_type, ""),
    "target": func.coalesce(RunRow.target, ""),
    "createdutc": RunRow.created,
    "starttimeutc": _START,
    "endtimeutc": func.coalesce(RunRow.end_time, RunRow.created),
    "lastmodifiedutc": RunRow.last_modified,
}


def query_runs(
    session: Session,
    *,
    experiment_id: str | None = None,
    parent_run_id: str | None = None,
    active_on: str | None = None,
    filter: str | None = None,
    order_by: str | list[str] | None = None,
    top: int | None = None,
    continuation: str | None = None,
    include_deleted: bool = False,
) -> Page:
    """A page of RunRow, newest first unless `order_by` says otherwise.

    `filter` and `order_by` are OData: `Status eq 'Completed'`, `StartTimeUtc desc`. `active_on`
    leaves only the runs on that compute target which have not ended. Runs deleted through MLflow
    are left out unless asked for. Raises BadRequest.
    """
    query = select(RunRow)
    if experiment_id is not None:
        query = query.where(RunRow.experiment_id == experiment_id)
    if parent_run_id is not None:
        query = query.where(RunRow.parent_run_id == parent_run_id)
    if active_on is not None:
        query = query.where(RunRow.target == active_on, RunRow.status.not_in(TERMINAL_STATUSES))
    if not include_deleted:
        query = query.where(RunRow.lifecycle_stage == "active")
    if filter:
        query = query.where(to_sql(parse_filter(filter), _FIELDS))
    return page_of(
        session,
        query,
        keys=_SORT_KEYS,
        unique=RunRow.run_id,
        order=order_by or "StartTimeUtc desc",
        top=top,
        continuation=continuation,
    )


def count_by_status(
    session: Session, experiment_id: str | None = None, filter: str | None = None
) -> dict[str, int]:
    """How many runs of an experiment, or of all of them, have each status."""
    query = (
        select(RunRow.status, func.count())
        .where(RunRow.lifecycle_stage == "active")
        .group_by(RunRow.status)
    )
    if experiment_id is not None:
        query = query.where(RunRow.experiment_id == experiment_id)
    if filter:
        query = query.where(to_sql(parse_filter(filter), _FIELDS))
    return dict(session.execute(query).all())
