"""What the rows of run history and metrics are in MLflow's words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import Any

from mlflow.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    ExperimentTag,
    InputTag,
    LifecycleStage,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunStatus,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    INVALID_STATE,
    PERMISSION_DENIED,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
)

from local_workspace.errors import Conflict, Forbidden, NotFound, ServiceError, StorageFull
from local_workspace.http import WORKSPACE_SCOPE
from local_workspace.identity.tokens import Principal
from local_workspace.services.metric import as_number
from local_workspace.store.tables.metric import MetricRow, MetricValueRow
from local_workspace.store.tables.run_history import ExperimentRow, RunRow
from local_workspace.workspace import LocalWorkspace

# Who asks, while a request is answered: MLflow's stores are not told.
PRINCIPAL: ContextVar[Principal | None] = ContextVar("principal", default=None)

PARENT_TAG = "mlflow.parentRunId"
ROOT_TAG = "mlflow.rootRunId"
NAME_TAG = "mlflow.runName"
USER_TAG = "mlflow.user"
NOTE_TAG = "mlflow.note.content"

_TO_MLFLOW = {
    "Unapproved": "SCHEDULED",
    "NotStarted": "SCHEDULED",
    "Provisioning": "SCHEDULED",
    "Starting": "SCHEDULED",
    "Preparing": "SCHEDULED",
    "Queued": "SCHEDULED",
    "Completed": "FINISHED",
    "Failed": "FAILED",
    "Canceled": "KILLED",
}
_FROM_MLFLOW = {
    "SCHEDULED": "NotStarted",
    "RUNNING": "Running",
    "FINISHED": "Completed",
    "FAILED": "Failed",
    "KILLED": "Canceled",
}


@contextmanager
def mlflow_errors() -> Iterator[None]:
    """Raise what our services raise as MLflow's own errors, which its application answers with."""
    try:
        yield
    except ServiceError as error:
        raise MlflowException(error.message, error_code=_code(error)) from error


def _code(error: ServiceError) -> int:
    if isinstance(error, NotFound):
        return RESOURCE_DOES_NOT_EXIST
    if isinstance(error, Conflict):
        return RESOURCE_ALREADY_EXISTS
    if isinstance(error, Forbidden):
        return PERMISSION_DENIED
    if isinstance(error, StorageFull):
        return INVALID_STATE
    return INVALID_PARAMETER_VALUE


def milliseconds(moment: datetime | None) -> int | None:
    """Milliseconds since 1970 of a moment in UTC; SQLite gives moments back without their zone."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1000)


def moment(value: int) -> datetime:
    """The moment of milliseconds since 1970. Raises MlflowException for what is none."""
    try:
        return datetime.fromtimestamp(value / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError) as error:
        raise MlflowException.invalid_parameter_value(
            f"'{value}' is not a time in milliseconds since 1970."
        ) from error


def status_to_mlflow(status: str) -> str:
    """MLflow's word for the state of a run."""
    return _TO_MLFLOW.get(status, "RUNNING")


def status_from_mlflow(status: int | str) -> str:
    """The state of a run for MLflow's status, a number or its name."""
    return _FROM_MLFLOW[status if isinstance(status, str) else RunStatus.to_string(status)]


def workspace_uri(workspace: LocalWorkspace) -> str:
    """The tracking URI of the workspace without its query: `azureml://localhost:PORT/mlflow/...`."""
    settings = workspace.settings
    scope = WORKSPACE_SCOPE.format(
        subscription_id=settings.subscription_id,
        resource_group=settings.resource_group,
        workspace_name=settings.workspace_name,
    )
    return f"azureml://localhost:{workspace.port}/mlflow/v2.0{scope}"


def experiment_entity(workspace: LocalWorkspace, row: ExperimentRow) -> Experiment:
    """An experiment; an archived one is deleted in MLflow's words."""
    return Experiment(
        experiment_id=row.experiment_id,
        name=row.name,
        artifact_location=f"{workspace_uri(workspace)}/experiments/{row.name}",
        lifecycle_stage=LifecycleStage.DELETED if row.archived else LifecycleStage.ACTIVE,
        tags=[ExperimentTag(key, value or "") for key, value in (row.tags or {}).items()],
        creation_time=milliseconds(row.created),
        last_update_time=milliseconds(row.last_modified),
    )


def artifact_uri(workspace: LocalWorkspace, experiment_name: str, run_id: str) -> str:
    """Where MLflow's clients find the files of a run: its artifact container, by their plug-in."""
    base = workspace_uri(workspace)
    return f"{base}/experiments/{experiment_name}/runs/{run_id}/artifacts"


def run_tags(row: Any) -> dict[str, str]:
    """The tags of a run as MLflow shows them, with those it derives from other fields."""
    tags = {key: "" if value is None else value for key, value in (row.tags or {}).items()}
    tags[NAME_TAG] = row.display_name or row.run_id
    tags.setdefault(ROOT_TAG, row.root_run_id)
    if row.parent_run_id:
        tags[PARENT_TAG] = row.parent_run_id
    if row.description:
        tags[NOTE_TAG] = row.description
    user = (row.created_by or {}).get("userName")
    if user:
        tags.setdefault(USER_TAG, user)
    return tags


def run_info(workspace: LocalWorkspace, experiment_name: str, row: Any) -> RunInfo:
    """The information of a run; `row` is a RunRow or has its columns."""
    return RunInfo(
        run_uuid=row.run_id,
        run_id=row.run_id,
        experiment_id=row.experiment_id,
        user_id=(row.tags or {}).get(USER_TAG) or (row.created_by or {}).get("userName") or "",
        status=status_to_mlflow(row.status),
        start_time=milliseconds(row.start_time or row.created),
        end_time=milliseconds(row.end_time),
        lifecycle_stage=row.lifecycle_stage,
        artifact_uri=artifact_uri(workspace, experiment_name, row.run_id),
        run_name=row.display_name or row.run_id,
    )


def run_entity(
    workspace: LocalWorkspace,
    experiment_name: str,
    row: RunRow,
    metrics: Mapping[str, MetricRow],
) -> Run:
    """A run with its latest metrics, parameters, tags and dataset inputs."""
    return Run(
        run_info=run_info(workspace, experiment_name, row),
        run_data=RunData(
            metrics=[latest_entity(metric) for metric in metrics.values()],
            params=[Param(key, value) for key, value in (row.params or {}).items()],
            tags=[RunTag(key, value) for key, value in run_tags(row).items()],
        ),
        run_inputs=RunInputs(inputs_entities(row.mlflow_inputs or [])),
    )


def latest_entity(row: MetricRow) -> Metric:
    """The latest value of a metric."""
    return Metric(
        row.name,
        as_number(row.latest_value, row.latest_special),
        milliseconds(row.latest_timestamp),
        row.latest_step or 0,
    )


def value_entity(row: MetricValueRow) -> Metric:
    """One value of a metric."""
    return Metric(
        row.name, as_number(row.value, row.special), milliseconds(row.timestamp), row.step or 0
    )


def inputs_document(inputs: Sequence[DatasetInput]) -> list[dict[str, Any]]:
    """Dataset inputs as they are kept with a run."""
    return [json.loads(json.dumps(one.to_dictionary())) for one in inputs]


def inputs_entities(documents: Sequence[Mapping[str, Any]]) -> list[DatasetInput]:
    """Dataset inputs as they were logged."""
    return [
        DatasetInput(
            dataset=Dataset(**document["dataset"]),
            tags=[InputTag(key, value) for key, value in _pairs(document.get("tags"))],
        )
        for document in documents
    ]


def _pairs(tags: Any) -> list[tuple[str, str]]:
    if isinstance(tags, Mapping):
        return list(tags.items())
    return [(tag["key"], tag["value"]) for tag in tags or []]
