"""Submission and cancellation: what happens to a run before an engine takes it up."""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, Conflict, NotFound
from local_workspace.http import WORKSPACE_SCOPE
from local_workspace.services import content, run_history
from local_workspace.services.compute import find_compute
from local_workspace.services.execution.environments import with_registered_environment
from local_workspace.services.execution.job import Job
from local_workspace.services.execution.parsing import (
    LOCAL,
    Submission,
    parse_job,
    parse_submission,
)
from local_workspace.services.execution.queue import find_job, request_cancel
from local_workspace.services.execution.references import check_references
from local_workspace.services.execution.saved_datasets import saved_dataset_id
from local_workspace.services.execution.wire import input_lineage
from local_workspace.store.tables.execution import JobRow
from local_workspace.store.tables.run_history import RunRow
from local_workspace.workspace import LocalWorkspace


class JobsEngine(Protocol):
    """What this service asks of what executes jobs: `workspace.engines.jobs`."""

    def submit(self, run_id: str) -> None:
        """There is a new job in the queue."""

    def cancel(self, run_id: str) -> None:
        """A job of the queue is to end."""

    def local_archive(self, run_id: str) -> bytes:
        """What the SDK unpacks to start a run with compute_target='local' (a ZIP file)."""


def jobs_engine(workspace: LocalWorkspace) -> JobsEngine:
    """What executes the jobs of a workspace."""
    return workspace.engines.jobs


def submit_run(
    workspace: LocalWorkspace,
    experiment_name: str,
    run_id: str,
    definition: Any,
    *,
    created_by: dict[str, Any] | None = None,
) -> RunRow:
    """Make the run that `definition` describes and put its job into the queue.

    A run that was submitted under this id already is returned as it is, because clients repeat
    requests. Its environment is registered unless it is already. Raises BadRequest for what cannot
    run, NotFound for an unknown compute target, snapshot, parent, dataset or environment, Conflict
    when the id belongs to a run of another kind.
    """
    submission = parse_submission(definition)
    with workspace.database.write() as session:
        if find_job(session, run_id) is not None:
            return run_history.get_run(session, run_id)
        if run_history.find_run(session, run_id) is not None:
            raise Conflict(f"There is a run '{run_id}' already that was not submitted.")
        submission = with_registered_environment(session, workspace, submission, experiment_name)
        job = parse_job(
            submission,
            run_id,
            experiment_name,
            lambda reference: saved_dataset_id(session, reference),
        )
        check_references(workspace, session, job.references)
        target = check_job(session, job)
        row = _add_run(session, workspace, job, submission, target, created_by)
        add_job(session, job)
    jobs_engine(workspace).submit(run_id)
    return row


def check_job(session: Session, job: Job) -> str:
    """The name of the compute target of a job.

    Raises NotFound for an unknown compute target or snapshot, BadRequest for too many nodes.
    """
    if job.compute is None:
        return LOCAL
    target = _check_compute(session, job.compute, job.layout.nodes)
    content.get_snapshot(session, str(job.snapshot_id))
    return target


def add_job(session: Session, job: Job) -> None:
    """Put a job into the queue. Its run is there already; `start_job` follows after the commit."""
    session.add(
        JobRow(
            run_id=job.run_id,
            kind=job.kind,
            compute=job.compute,
            document=job.document(),
            node_count=job.layout.nodes,
            state="submitted",
            attempts=0,
            losses=0,
            cancel_requested=False,
            submitted=utc_now(),
            has_logs=True,
            ran_seconds=0.0,
        )
    )


def start_job(workspace: LocalWorkspace, run_id: str) -> None:
    """Tell what executes jobs of a new one. Who misses it finds it in the queue."""
    jobs_engine(workspace).submit(run_id)


def cancel_run(workspace: LocalWorkspace, run_id: str) -> None:
    """Ask for the end of a submitted run; nothing happens to one that has ended.

    Raises NotFound.
    """
    with workspace.database.write() as session:
        run_history.get_run(session, run_id)
        is_new = request_cancel(session, run_id)
    if is_new:
        jobs_engine(workspace).cancel(run_id)


def _add_run(
    session: Session,
    workspace: LocalWorkspace,
    job: Job,
    submission: Submission,
    target: str,
    created_by: dict[str, Any] | None,
) -> RunRow:
    properties = {"_azureml.ComputeTargetType": "local" if job.is_local else "amlctrain"}
    if job.snapshot_id:
        properties["ContentSnapshotId"] = job.snapshot_id
    return run_history.upsert_run(
        session,
        job.experiment_name,
        job.run_id,
        run_history.RunChanges(
            parent_run_id=submission.parent_run_id,
            run_type="azureml.scriptrun",
            orchestrator="Execution",
            target=target,
            script_name=job.script,
            run_definition=submission.configuration,
            input_datasets=tuple(input_lineage(job)),
            properties=properties,
            cancel_uri=cancel_uri(workspace, job),
        ),
        created_by,
    )


def cancel_uri(workspace: LocalWorkspace, job: Job) -> str:
    """Where clients ask for the end of a job."""
    settings = workspace.settings
    scope = WORKSPACE_SCOPE.format(
        subscription_id=settings.subscription_id,
        resource_group=settings.resource_group,
        workspace_name=settings.workspace_name,
    )
    return (
        f"{workspace.origin}/execution/v1.0{scope}/experiments/{job.experiment_name}"
        f"/runId/{job.run_id}/cancel"
    )


def _check_compute(session: Session, name: str, node_count: int) -> str:
    row = find_compute(session, name)
    if row is None:
        raise NotFound(
            f"The compute target '{name}' does not exist in this workspace. Create it first, or "
            "use compute_target='local'.",
            code="ComputeNotFound",
        )
    if node_count > row.max_nodes:
        raise BadRequest(
            f"The run asks for {node_count} nodes, and the compute target '{row.name}' has at most "
            f"{row.max_nodes}."
        )
    return row.name
