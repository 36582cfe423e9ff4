"""The beginning of a step: its run with its job, or the results of an earlier step."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.engines.pipelines.reuse import reuse_key
from local_workspace.engines.pipelines.step_jobs import Bound, bind, job_of, places_of
from local_workspace.errors import ServiceError, StorageFull
from local_workspace.services import datastore, execution, metric, pipelines, run_history
from local_workspace.services.execution import Job
from local_workspace.services.pipelines import (
    STEP_RUN,
    SavedDataset,
    Source,
    Step,
    StepOutput,
    StoredPath,
)
from local_workspace.services.run_history import RunChanges
from local_workspace.store.tables.pipelines import PipelineRunRow, PipelineStepRow
from local_workspace.store.tables.run_history import RunRow
from local_workspace.workspace import LocalWorkspace


@dataclass(frozen=True)
class Started:
    """The run of a step, and whether it took the results of an earlier one."""

    step_run_id: str
    is_reused: bool


def start_step(
    workspace: LocalWorkspace,
    row: PipelineRunRow,
    step: Step,
    upstream: Mapping[str, PipelineStepRow],
) -> Started:
    """Begin a step; one that cannot run has a run that failed, with the reason."""
    step_run_id = str(uuid.uuid4())
    with workspace.database.write() as session:
        present = pipelines.find_step(session, row.run_id, step.node_id)
        if present is not None:
            return Started(present.step_run_id, present.reused_run_id is not None)
        key = None
        try:
            bound = _bound(session, row, step, upstream)
            key = reuse_key(bound)
            earlier = pipelines.reusable_step(session, key) if step.is_reusable else None
            if earlier is not None:
                _reuse(session, row, step, step_run_id, earlier, key)
                return Started(step_run_id, is_reused=True)
            default = datastore.default_datastore(session).name
            job, configuration = job_of(bound, step_run_id, row.experiment_name, default)
            target = execution.check_job(session, job)
        except ServiceError as error:
            if error.code == StorageFull.code:
                raise
            _add_failed(session, row, step, step_run_id, error)
            return Started(step_run_id, is_reused=False)
        changes = _changes(row, step, job, target, configuration)
        changes_uri = execution.cancel_uri(workspace, job)
        _add_run(session, row, step_run_id, changes, cancel_uri=changes_uri)
        session.add(_row(row, step, step_run_id, key=key))
        execution.add_job(session, job)
    execution.start_job(workspace, step_run_id)
    return Started(step_run_id, is_reused=False)


def outputs_of(session: Session, step: Step, run: RunRow) -> dict[str, Any]:
    """Where a step that has completed left its outputs, by port."""
    datasets = {}
    for item in run.output_datasets:
        details, identifier = item.get("outputDetails") or {}, item.get("identifier") or {}
        if identifier.get("savedId"):
            datasets[details.get("outputName")] = identifier["savedId"]
    default = datastore.default_datastore(session).name
    return {
        name: {
            "datastore": place.datastore,
            "path": place.path,
            "dataset_id": datasets.get(name),
        }
        for name, place in places_of(step, run.run_id, default).items()
    }


def _bound(
    session: Session,
    row: PipelineRunRow,
    step: Step,
    upstream: Mapping[str, PipelineStepRow],
) -> Bound:
    sources: dict[str, Source] = {}
    made_by: dict[str, str] = {}
    for one in step.inputs:
        source = one.source
        if one.is_order_only or source is None:
            continue
        if isinstance(source, StepOutput):
            producer = upstream[source.node_id]
            made_by[one.name] = producer.reused_run_id or producer.step_run_id
            place = producer.outputs[source.port]
            if place["dataset_id"]:
                sources[one.name] = SavedDataset(place["dataset_id"])
            else:
                sources[one.name] = StoredPath(place["datastore"], place["path"])
            continue
        found = pipelines.resolve(session, row, source)
        assert found is not None, "only what is none resolves to none"
        sources[one.name] = found
    return bind(step, row.parameters, sources, made_by)


def _row(row: PipelineRunRow, step: Step, step_run_id: str, *, key: str | None) -> PipelineStepRow:
    return PipelineStepRow(
        pipeline_run_id=row.run_id,
        node_id=step.node_id,
        step_run_id=step_run_id,
        reuse_key=key,
        outputs={},
        created=utc_now(),
    )


def _changes(
    row: PipelineRunRow, step: Step, job: Job, target: str, configuration: dict[str, Any]
) -> RunChanges:
    return _of_step(
        row,
        step,
        target=target,
        script_name=job.script,
        run_definition=configuration,
        input_datasets=tuple(execution.input_lineage(job)),
    )


def _of_step(
    row: PipelineRunRow, step: Step, properties: Mapping[str, str] | None = None, **changes: Any
) -> RunChanges:
    """What every run of a step has; the SDK makes a StepRun of it by its tags."""
    return RunChanges(
        parent_run_id=row.run_id,
        name=step.name,
        display_name=step.name,
        run_type=STEP_RUN,
        orchestrator="Execution",
        tags={"azureml.nodeid": step.node_id, "azureml.pipeline": row.run_id},
        properties={
            "azureml.runsource": STEP_RUN,
            "StepType": step.kind,
            "azureml.moduleid": step.module_id,
            "azureml.moduleName": step.name,
            "azureml.nodeid": step.node_id,
            "azureml.pipelinerunid": row.run_id,
            "azureml.pipelineComponent": f"master{step.execution_type.lower()}",
            "_azureml.ComputeTargetType": "amlctrain",
            **({"ContentSnapshotId": step.snapshot_id} if step.snapshot_id else {}),
            **(properties or {}),
        },
        **changes,
    )


def _add_run(
    session: Session,
    row: PipelineRunRow,
    step_run_id: str,
    changes: RunChanges,
    **more: Any,
) -> None:
    run_history.upsert_run(
        session, row.experiment_name, step_run_id, replace(changes, **more), row.created_by
    )


def _add_failed(
    session: Session, row: PipelineRunRow, step: Step, step_run_id: str, error: ServiceError
) -> None:
    _add_run(session, row, step_run_id, _of_step(row, step))
    session.add(_row(row, step, step_run_id, key=None))
    run_history.set_status(
        session, step_run_id, "Failed", error={"code": error.code, "message": error.message}
    )


def _reuse(
    session: Session,
    row: PipelineRunRow,
    step: Step,
    step_run_id: str,
    earlier: PipelineStepRow,
    key: str,
) -> None:
    """A run of a step that has the files, metrics and outputs of an earlier one."""
    run = run_history.get_run(session, earlier.step_run_id)
    changes = _of_step(
        row,
        step,
        {
            "azureml.isreused": "true",
            "azureml.reusedrunid": earlier.step_run_id,
            "azureml.reusednodeid": earlier.node_id,
            "azureml.reusedpipeline": earlier.pipeline_run_id,
            "azureml.reusedpipelinerunid": earlier.pipeline_run_id,
        },
        target=run.target,
        script_name=run.script_name,
        run_definition=run.run_definition,
        input_datasets=tuple(run.input_datasets),
        output_datasets=tuple(run.output_datasets),
        # Its files are those of the earlier run, which nobody changes any more.
        data_container_id=run.data_container_id,
    )
    _add_run(session, row, step_run_id, changes)
    metric.copy_metrics(session, earlier.step_run_id, step_run_id)
    added = _row(row, step, step_run_id, key=key)
    added.reused_run_id = earlier.step_run_id
    # Its pipeline may have ended before anybody noted where they are.
    added.outputs = earlier.outputs or outputs_of(session, step, run)
    session.add(added)
    run_history.set_status(session, step_run_id, "Running")
    run_history.set_status(session, step_run_id, "Completed")
