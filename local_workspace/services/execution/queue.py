"""The queue: jobs and how far they have come, which outlive the server.

All functions work in the session that they are given, so that a job and its run change together.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import NotFound
from local_workspace.services import run_history
from local_workspace.services.execution.job import Job, read_job
from local_workspace.services.execution.parsing import LOCAL, Submission, parse_job
from local_workspace.services.execution.saved_datasets import saved_dataset_id
from local_workspace.store.tables.execution import JobRow

DONE = "done"
UNFINISHED = ("submitted", "queued", "running", "ending")


def find_job(session: Session, run_id: str) -> JobRow | None:
    """How far a submitted run has come; None for one that was not submitted."""
    return session.get(JobRow, run_id)


def job_of(session: Session, row: JobRow) -> Job:
    """What a job of the queue is to do."""
    if row.document is not None:
        return read_job(row.document)
    # An older version of this program accepted it.
    run = run_history.get_run(session, row.run_id)
    experiment = run_history.get_experiment_by_id(session, run.experiment_id)
    submission = Submission(
        run.run_definition,
        run.properties.get("ContentSnapshotId"),
        run.parent_run_id,
        row.compute or LOCAL,
    )
    return parse_job(
        submission, row.run_id, experiment.name, lambda one: saved_dataset_id(session, one)
    )


def unfinished_jobs(session: Session) -> list[str]:
    """The runs of the queue that have not ended, the oldest first."""
    query = select(JobRow.run_id).where(JobRow.state.in_(UNFINISHED)).order_by(JobRow.submitted)
    return list(session.execute(query).scalars())


def jobs_on(session: Session, compute: str) -> list[Row]:
    """Run id, state and node count of a compute target's jobs that have not ended, oldest first."""
    query = (
        select(JobRow.run_id, JobRow.state, JobRow.node_count)
        .where(JobRow.state.in_(UNFINISHED), JobRow.compute == compute)
        .order_by(JobRow.submitted)
    )
    return list(session.execute(query))


def jobs_with_logs_from_before(session: Session, moment: datetime) -> list[str]:
    """The runs that ended before `moment` and still have their logs, the oldest first."""
    query = (
        select(JobRow.run_id)
        .where(JobRow.state == DONE, JobRow.has_logs, JobRow.ended < moment)
        .order_by(JobRow.ended)
    )
    return list(session.execute(query).scalars())


def change_job(
    session: Session, run_id: str, *, status: str | None = None, **changes: Any
) -> JobRow:
    """Change columns of a job and, when there is one, the status of its run. Raises NotFound."""
    row = session.get(JobRow, run_id)
    if row is None:
        raise NotFound(f"The run '{run_id}' was not submitted: nothing executes it.")
    for name, value in changes.items():
        setattr(row, name, value)
    if status is not None:
        run_history.set_status(session, run_id, status)
    return row


def end_job(session: Session, run_id: str, status: str, error: Any = None) -> str:
    """End a job and its run; the status it ended with.

    One whose cancellation is requested is Canceled, whatever else happened to it.
    """
    row = change_job(session, run_id, state=DONE, ended=utc_now())
    if row.cancel_requested:
        status, error = "Canceled", None
    run_history.set_status(session, run_id, status, error=error)
    return status


def request_cancel(session: Session, run_id: str) -> bool:
    """Note that a job is to end; whether that is new: one that has ended stays. Raises NotFound."""
    row = change_job(session, run_id)
    if row.state == DONE or row.cancel_requested:
        return False
    row.cancel_requested = True
    run_history.set_status(session, run_id, "CancelRequested")
    return True
