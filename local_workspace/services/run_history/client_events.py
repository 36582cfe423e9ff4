"""What clients tell of their runs: that they began, ended, failed (the SDK calls it events)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from local_workspace.errors import BadRequest
from local_workspace.fields import object_of
from local_workspace.services.run_history.parsing import moment_of
from local_workspace.services.run_history.records import (
    add_warning,
    error_response,
    get_run,
    set_status,
)
from local_workspace.store.tables.run_history import RunRow

_PREFIX = "Microsoft.MachineLearning.Run."
_STATUS_AFTER = {
    "Start": "Running",
    "Queued": "Queued",
    "Completed": "Completed",
    "Failed": "Failed",
    "Canceled": "Canceled",
    "CancelRequested": "CancelRequested",
}
_TIME_OF = {
    "Start": "StartTime",
    "Completed": "EndTime",
    "Failed": "EndTime",
    "Canceled": "EndTime",
}


def apply_event(session: Session, run_id: str, event: Any) -> RunRow:
    """Do to the run what `event` (the SDK's BaseEvent) tells.

    Raises NotFound for an unknown run and BadRequest for an unknown event.
    """
    if not isinstance(event, dict) or not str(event.get("name", "")).startswith(_PREFIX):
        raise BadRequest(f"An event has a 'name' that begins with '{_PREFIX}'.")
    kind = event["name"][len(_PREFIX) :]
    data = object_of(event, "data")
    row = get_run(session, run_id)
    if kind in _STATUS_AFTER:
        time = data.get(_TIME_OF.get(kind, "")) or event.get("timestamp")
        moment = moment_of(time) if time else None
        return set_status(session, run_id, _STATUS_AFTER[kind], moment=moment, row=row)
    if kind == "Error":
        # Comes before Failed, which ends the run.
        response = data.get("ErrorResponse")
        if not isinstance(response, dict):
            raise BadRequest("The event Error needs an 'ErrorResponse' in its data.")
        row.error = error_response(response)
    elif kind == "Warning":
        return add_warning(
            session, run_id, str(data.get("Source") or ""), str(data.get("Message") or "")
        )
    elif kind == "QueueingInfo":
        row.queueing_info = {name[:1].lower() + name[1:]: value for name, value in data.items()}
    elif kind != "Heartbeat":
        # A heartbeat says that a client still lives; runs here do not expire without one.
        raise BadRequest(f"There is no event '{event['name']}'.")
    session.flush()
    return row
