"""Schedules: when published pipelines are run by themselves."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, NotFound
from local_workspace.events import ScheduleChanged, tell
from local_workspace.fields import object_of, text_of
from local_workspace.services import datastore
from local_workspace.services.pipelines.graph import StoredPath
from local_workspace.services.pipelines.parsing import submission_info
from local_workspace.services.pipelines.published import (
    get_endpoint,
    get_published,
    is_active,
    make_published_run,
    pipeline_of_endpoint,
)
from local_workspace.services.pipelines.recurrence import polling_interval_of, recurrence_of
from local_workspace.services.pipelines.runs import submit
from local_workspace.store.tables.pipelines import PipelineRunRow, ScheduleRow

# The type of a schedule that starts with changes in a datastore, on the wire.
_DATASTORE = ("1", "DataStore")


def add_schedule(session: Session, document: Mapping[str, Any]) -> ScheduleRow:
    """Make a schedule (the SDK's ScheduleCreationInfo).

    Raises BadRequest for one that never fires, NotFound for what it is to run.
    """
    now = utc_now()
    row = ScheduleRow(id=str(uuid.uuid4()), created=now, is_active=True, seen_until=now)
    _fill(session, row, document)
    row.next_fire = _first(row, now)
    session.add(row)
    session.flush()
    tell(session, ScheduleChanged(row.id))
    return row


def change_schedule(session: Session, schedule_id: str, document: Mapping[str, Any]) -> ScheduleRow:
    """Replace a schedule by what a client made of it. Raises NotFound, BadRequest."""
    row = get_schedule(session, schedule_id)
    was_active, before = row.is_active, (row.recurrence, row.trigger)
    if document.get("EntityStatus"):
        row.is_active = is_active(document["EntityStatus"])
    _fill(session, row, document)
    if (row.recurrence, row.trigger) != before or (row.is_active and not was_active):
        # What it missed while it was off, or as another one, is not made up for.
        now = utc_now()
        row.seen_until = now
        row.next_fire = next_moment(row, now) if row.last_fire else _first(row, now)
    tell(session, ScheduleChanged(row.id))
    return row


def _fill(session: Session, row: ScheduleRow, document: Mapping[str, Any]) -> None:
    name = text_of(document, "Name", longest=255)
    if not name:
        raise BadRequest("A schedule has a 'Name'.")
    info = object_of(document, "PipelineSubmissionInfo")
    if not submission_info(info).experiment_name:
        raise BadRequest("The 'PipelineSubmissionInfo' of a schedule needs an 'ExperimentName'.")
    row.name = name
    row.pipeline_id = text_of(document, "PipelineId", longest=64)
    row.endpoint_id = text_of(document, "PipelineEndpointId", longest=64)
    if row.pipeline_id:
        get_published(session, row.pipeline_id)
    elif row.endpoint_id:
        get_endpoint(session, row.endpoint_id)
    else:
        raise BadRequest("A schedule runs a 'PipelineId' or a 'PipelineEndpointId'.")
    row.submission = info
    row.kind = text_of(document, "ScheduleType", longest=16) or ""
    row.recurrence = row.trigger = None
    if row.kind in _DATASTORE:
        trigger = object_of(document, "DataStoreTriggerInfo")
        for field in ("DataPathParameterName", "PathOnDataStore"):
            text_of(trigger, field)
        if not text_of(trigger, "DataStoreName"):
            raise BadRequest(
                "A schedule needs a recurrence, or a datastore whose changes start it: pass "
                "`recurrence` or `datastore` to Schedule.create."
            )
        datastore.get_datastore(session, trigger["DataStoreName"])
        polling_interval_of(trigger)
        row.trigger = trigger
    else:
        now = utc_now()
        # One that has no next moment is refused now, not when it is due.
        recurrence_of(document.get("Recurrence")).after(now, now)
        row.recurrence = document["Recurrence"]


def _first(row: ScheduleRow, now: datetime) -> datetime:
    if row.trigger is not None:
        return now + polling_interval_of(row.trigger)
    return recurrence_of(row.recurrence).first(now)


def next_moment(row: ScheduleRow, now: datetime) -> datetime:
    """When a schedule fires (or looks at its datastore) next after `now`."""
    if row.trigger is not None:
        return now + polling_interval_of(row.trigger)
    return recurrence_of(row.recurrence).after(now, row.created)


def get_schedule(session: Session, schedule_id: str) -> ScheduleRow:
    """A schedule. Raises NotFound."""
    row = session.get(ScheduleRow, schedule_id)
    if row is None:
        raise NotFound(f"There is no schedule '{schedule_id}' in this workspace.")
    return row


def find_schedule(session: Session, schedule_id: str) -> ScheduleRow | None:
    """A schedule, if there is one."""
    return session.get(ScheduleRow, schedule_id)


def list_schedules(
    session: Session,
    *,
    active_only: bool = False,
    pipeline_id: str | None = None,
    endpoint_id: str | None = None,
) -> list[ScheduleRow]:
    """Schedules, the newest first: all, or those of a published pipeline or an endpoint."""
    query = select(ScheduleRow).order_by(ScheduleRow.created.desc())
    if active_only:
        query = query.where(ScheduleRow.is_active)
    if pipeline_id is not None:
        query = query.where(ScheduleRow.pipeline_id == pipeline_id)
    if endpoint_id is not None:
        query = query.where(ScheduleRow.endpoint_id == endpoint_id)
    return list(session.scalars(query))


def start_run(session: Session, row: ScheduleRow, changed: StoredPath | None) -> PipelineRunRow:
    """A run of what a schedule runs; `changed` is the blob that started it.

    An endpoint is asked for its default version now. Raises BadRequest when what it is to run is
    disabled, or does not have its parameters any more.
    """
    if row.pipeline_id:
        pipeline = get_published(session, row.pipeline_id)
    else:
        pipeline = pipeline_of_endpoint(session, get_endpoint(session, str(row.endpoint_id)))
    info = submission_info(row.submission)
    parameter = (row.trigger or {}).get("DataPathParameterName")
    if changed is not None and parameter:
        info.assignments.data_paths[parameter] = changed
    run = make_published_run(session, pipeline, info, schedule_id=row.id)
    submit(session, run, tags=info.tags)
    return run
