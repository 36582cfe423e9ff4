"""Fires schedules while the workspace runs; what it missed while it was off comes once.

dateutil says when a schedule fires next, and the loop that all engines have waits for it: another
scheduler (APScheduler) would keep a second table of the same moments.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from local_workspace.clock import as_utc, utc_now
from local_workspace.engines.base import Engine
from local_workspace.errors import ServiceError, StorageFull
from local_workspace.events import Event, ScheduleChanged
from local_workspace.services import datastore, pipelines
from local_workspace.services.pipelines import StoredPath
from local_workspace.store.tables.pipelines import ScheduleRow

_log = logging.getLogger(__name__)

# The clock of the machine may be set while a schedule waits.
_LONGEST_WAIT_SECONDS = 60.0


class SchedulesEngine(Engine):
    """Fires schedules; an item is a schedule."""

    name = "schedules"
    hears = (ScheduleChanged,)

    def unfinished(self) -> Iterable[str]:
        """The schedules that are active."""
        with self.workspace.database.read() as session:
            return [row.id for row in pipelines.list_schedules(session, active_only=True)]

    def heard(self, event: Event) -> Iterable[str]:
        """The schedule that an event is of."""
        assert isinstance(event, ScheduleChanged), "it hears nothing else"
        return [event.schedule_id]

    def look(self, key: Any) -> float | None:
        """Fire a schedule whose moment has come; the seconds until its next one."""
        now = utc_now()
        with self.workspace.database.read() as session:
            row = pipelines.find_schedule(session, key)
            if row is None or not row.is_active:
                return None
            due = as_utc(row.next_fire)
        if due <= now:
            with self.workspace.database.write() as session:
                row = pipelines.get_schedule(session, key)
                if not row.is_active or as_utc(row.next_fire) > now:
                    # It was changed while this waited to write.
                    return 0.0
                # Moved in the same transaction in which its runs are made: none comes twice.
                self._fire(session, row, now)
                row.last_fire, row.next_fire = now, pipelines.next_moment(row, now)
                due = row.next_fire
        wait = (due - utc_now()).total_seconds()
        return min(max(wait, 0.0), _LONGEST_WAIT_SECONDS)

    def fail(self, key: Any, reason: str) -> None:
        """A schedule that cannot fire is moved to its next moment."""
        now = utc_now()
        _log.error("The schedule %s did not fire: %s", key, reason)
        with self.workspace.database.write() as session:
            row = pipelines.get_schedule(session, key)
            row.next_fire = max(pipelines.next_moment(row, now), now + timedelta(minutes=1))

    def _fire(self, session: Session, row: ScheduleRow, now: datetime) -> None:
        changes: list[StoredPath | None] = [None]
        if row.trigger is not None:
            changes = list(self._changed(session, row, now))
            row.seen_until = now
        for changed in changes:
            try:
                run = pipelines.start_scheduled_run(session, row, changed)
            except ServiceError as error:
                if error.code == StorageFull.code:
                    raise
                # What it is to run is disabled or gone: it tries again at its next moment.
                _log.warning("The schedule %s started nothing: %s", row.id, error.message)
            else:
                _log.info("The schedule %s started the run %s", row.id, run.run_id)

    def _changed(self, session: Session, row: ScheduleRow, now: datetime) -> Iterable[StoredPath]:
        """The blobs below the path of a trigger, not in folders of it, that are new or changed."""
        store = datastore.get_datastore(session, str(row.trigger["DataStoreName"]))
        folder = str(row.trigger.get("PathOnDataStore") or "").strip("/")
        prefix = f"{folder}/" if folder else ""
        since = as_utc(row.seen_until)
        page = self.workspace.blobs.list(store.account, store.container, prefix, "/")
        for blob in page.blobs:
            if since < blob.modified <= now:
                yield StoredPath(store.name, blob.name)
