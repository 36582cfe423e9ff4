"""Runs of pipelines and of their steps: asked for, begun, ended."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, NotFound
from local_workspace.events import PipelineChanged, tell
from local_workspace.services import dataset, run_history
from local_workspace.services.pipelines.graph import (
    RegisteredDataset,
    SavedDataset,
    Source,
    StoredPath,
)
from local_workspace.services.pipelines.modules import get_graph
from local_workspace.services.pipelines.parsing import (
    Assignments,
    SubmissionInfo,
    check_assignments,
    default_assignments,
)
from local_workspace.store.tables.pipelines import PipelineRunRow, PipelineStepRow
from local_workspace.store.tables.run_history import RunRow

MADE, SUBMITTED, DONE = "made", "submitted", "done"
PIPELINE_RUN, STEP_RUN = "azureml.PipelineRun", "azureml.StepRun"


class PipelinesEngine(Protocol):
    """What this service asks of what runs pipelines: `workspace.engines.pipelines`."""

    def wake(self, key: str) -> None:
        """A pipeline run is to be looked at."""


def make_run(
    session: Session,
    graph_id: str,
    experiment_name: str,
    info: SubmissionInfo,
    *,
    created_by: dict[str, Any] | None = None,
    defaults: Assignments | None = None,
    pipeline_id: str | None = None,
    schedule_id: str | None = None,
    continues_on_failure: bool = False,
) -> PipelineRunRow:
    """A run of a graph that has not begun.

    `defaults`: what is not given has these values, or those of the graph itself. Raises BadRequest
    for parameters that the graph does not have, NotFound for the graph and for datasets.
    """
    interface = get_graph(session, graph_id).interface
    check_assignments(info.assignments, interface)
    of_graph = default_assignments(interface)
    values = info.assignments.over(defaults.over(of_graph) if defaults else of_graph)
    goes_on = info.continues_on_failure
    row = PipelineRunRow(
        run_id=str(uuid.uuid4()),
        experiment_name=experiment_name,
        graph_id=graph_id,
        description=info.description,
        parameters=values.parameters,
        data_paths={name: asdict(path) for name, path in values.data_paths.items()},
        datasets={name: saved_id(session, one) for name, one in values.datasets.items()},
        continues_on_failure=continues_on_failure if goes_on is None else goes_on,
        state=MADE,
        cancel_requested=False,
        pipeline_id=pipeline_id,
        schedule_id=schedule_id,
        source=info.source,
        created_by=created_by,
        created=utc_now(),
    )
    session.add(row)
    session.flush()
    return row


def submit(
    session: Session,
    row: PipelineRunRow,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> RunRow:
    """Have a run begin; one that has begun stays as it is: clients repeat requests.

    Raises NotFound for an unknown parent.
    """
    if row.state != MADE:
        return run_history.get_run(session, row.run_id)
    properties = {
        "azureml.runsource": PIPELINE_RUN,
        "runSource": row.source,
        "runType": "Schedule" if row.schedule_id else "HTTP" if row.pipeline_id else "SDK",
        "azureml.parameters": json.dumps(row.parameters) if row.parameters else None,
        "azureml.continue_on_step_failure": str(row.continues_on_failure),
        "azureml.pipelineComponent": "pipelinerun",
    }
    if row.pipeline_id:
        properties["azureml.pipelineid"] = row.pipeline_id
    if row.schedule_id:
        properties["azureml.scheduleid"] = row.schedule_id
    run = run_history.upsert_run(
        session,
        row.experiment_name,
        row.run_id,
        run_history.RunChanges(
            parent_run_id=parent_run_id,
            run_type=PIPELINE_RUN,
            orchestrator="Pipeline",
            description=row.description,
            properties={name: value for name, value in properties.items() if value},
            tags=dict(tags or {}),
        ),
        row.created_by,
    )
    row.state = SUBMITTED
    tell(session, PipelineChanged(row.run_id))
    return run


def request_cancel(session: Session, run_id: str) -> None:
    """Have a run end before its time; one that has ended stays. Raises NotFound."""
    row = get_pipeline_run(session, run_id)
    if row.state == DONE or row.cancel_requested:
        return
    row.cancel_requested = True
    if row.state == MADE:
        row.state = DONE
        return
    run_history.set_status(session, run_id, "CancelRequested")
    tell(session, PipelineChanged(run_id))


def get_pipeline_run(session: Session, run_id: str) -> PipelineRunRow:
    """A run of a pipeline. Raises NotFound."""
    row = session.get(PipelineRunRow, run_id)
    if row is None:
        raise NotFound(f"There is no pipeline run '{run_id}' in this workspace.")
    return row


def find_pipeline_run(session: Session, run_id: str) -> PipelineRunRow | None:
    """A run of a pipeline, if there is one of that id."""
    return session.get(PipelineRunRow, run_id)


def unfinished_runs(session: Session) -> list[str]:
    """The runs that have begun and not ended, the oldest first."""
    query = (
        select(PipelineRunRow.run_id)
        .where(PipelineRunRow.state == SUBMITTED)
        .order_by(PipelineRunRow.created)
    )
    return list(session.scalars(query))


def runs_of(
    session: Session, *, pipeline_id: str | None = None, schedule_id: str | None = None
) -> list[PipelineRunRow]:
    """The runs of a published pipeline or of a schedule, the newest first."""
    query = select(PipelineRunRow).where(PipelineRunRow.state != MADE)
    if pipeline_id is not None:
        query = query.where(PipelineRunRow.pipeline_id == pipeline_id)
    if schedule_id is not None:
        query = query.where(PipelineRunRow.schedule_id == schedule_id)
    return list(session.scalars(query.order_by(PipelineRunRow.created.desc())))


def steps_of(session: Session, run_id: str) -> dict[str, PipelineStepRow]:
    """The steps of a run that have runs of their own, by node."""
    query = select(PipelineStepRow).where(PipelineStepRow.pipeline_run_id == run_id)
    return {row.node_id: row for row in session.scalars(query)}


def find_step(session: Session, run_id: str, node_id: str) -> PipelineStepRow | None:
    """A step of a run, once it has a run of its own."""
    return session.get(PipelineStepRow, (run_id, node_id))


def reusable_step(session: Session, reuse_key: str) -> PipelineStepRow | None:
    """The latest step that did the same work itself and completed."""
    query = (
        select(PipelineStepRow)
        .join(RunRow, RunRow.run_id == PipelineStepRow.step_run_id)
        .where(
            PipelineStepRow.reuse_key == reuse_key,
            PipelineStepRow.reused_run_id.is_(None),
            RunRow.status == "Completed",
        )
        .order_by(PipelineStepRow.created.desc())
    )
    return session.scalars(query).first()


def resolve(session: Session, row: PipelineRunRow, source: Source | None) -> Source | None:
    """A source with the run's parameters in place of their names.

    Raises BadRequest for a parameter without a value, NotFound for a dataset that is not there.
    """
    kind = getattr(source, "kind", None)
    if kind == "dataset":
        found = row.datasets.get(source.name)
        if found is None and source.name in row.data_paths:
            return StoredPath(**row.data_paths[source.name])
        if found is None:
            raise BadRequest(
                f"The pipeline's parameter '{source.name}' has no dataset. The SDK sends one only "
                "for an input that is among the `arguments` of its step, too."
            )
        return SavedDataset(found)
    if kind == "path":
        if source.name not in row.data_paths:
            raise BadRequest(f"The pipeline's parameter '{source.name}' has no path.")
        return StoredPath(**row.data_paths[source.name])
    if isinstance(source, (SavedDataset, RegisteredDataset)):
        return SavedDataset(saved_id(session, source))
    return source


def saved_id(session: Session, source: SavedDataset | RegisteredDataset) -> str:
    """The id of what is saved of a dataset. Raises NotFound."""
    if isinstance(source, SavedDataset):
        return dataset.get_saved(session, source.dataset_id).saved_id
    if source.dataset_id:
        row = dataset.get_dataset(session, source.dataset_id)
    else:
        row = dataset.find_dataset(session, str(source.name))
    return dataset.get_registered(session, row, source.version).saved.saved_id
