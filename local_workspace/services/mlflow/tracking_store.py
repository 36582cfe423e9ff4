"""MLflow's tracking store on the runs and metrics of this workspace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mlflow.entities import (
    DatasetInput,
    Metric,
    Param,
    Run,
    RunInfo,
    RunTag,
    ViewType,
    _DatasetSummary,
)
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import ENDPOINT_NOT_FOUND, RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking import SEARCH_MAX_RESULTS_THRESHOLD
from mlflow.store.tracking.abstract_store import AbstractStore
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_MODELS
from mlflow.utils.name_utils import _generate_random_name
from mlflow.utils.validation import (
    _validate_batch_log_data,
    _validate_batch_log_limits,
    _validate_metric,
    _validate_param,
    _validate_param_keys_unique,
    _validate_tag,
)
from sqlalchemy.orm import Session

from local_workspace.errors import BadRequest
from local_workspace.fields import parse_json
from local_workspace.services import metric, run_history
from local_workspace.services.mlflow.entities import (
    NAME_TAG,
    NOTE_TAG,
    PARENT_TAG,
    PRINCIPAL,
    USER_TAG,
    inputs_document,
    mlflow_errors,
    moment,
    run_entity,
    run_info,
    status_from_mlflow,
    value_entity,
)
from local_workspace.services.mlflow.experiments import ExperimentStore, experiment_row
from local_workspace.services.mlflow.search import search_runs
from local_workspace.services.run_history import RunChanges
from local_workspace.store.tables.run_history import RunRow
from local_workspace.workspace import LocalWorkspace


class TrackingStore(ExperimentStore, AbstractStore):
    """Every method is that of MLflow's AbstractStore, and documented there."""

    def __init__(self, workspace: LocalWorkspace) -> None:
        super().__init__()
        self._workspace = workspace

    # Runs

    def create_run(
        self,
        experiment_id: str,
        user_id: str | None,
        start_time: int | None,
        tags: Sequence[RunTag],
        run_name: str | None,
    ) -> Run:
        """Start a run; it is an Azure ML run like any other."""
        given = {tag.key: tag.value for tag in tags or []}
        for key, value in given.items():
            _validate_tag(key, value)
        named = given.pop(NAME_TAG, None)
        if run_name and named and run_name != named:
            raise MlflowException.invalid_parameter_value(
                f"The run is named '{run_name}' and, by its tag {NAME_TAG}, '{named}'."
            )
        if user_id:
            given.setdefault(USER_TAG, user_id)
        changes = RunChanges(
            display_name=run_name or named or _generate_random_name(),
            description=given.pop(NOTE_TAG, None),
            parent_run_id=given.get(PARENT_TAG) or None,
            traits=("mlflow",),
            target="local",
            tags=given,
        )
        principal = PRINCIPAL.get()
        created_by = (
            run_history.user_dto(self._workspace.settings, principal) if principal else None
        )
        with mlflow_errors(), self._workspace.database.write() as session:
            experiment = experiment_row(session, experiment_id)
            if experiment.archived:
                raise BadRequest(
                    f"The experiment '{experiment.name}' is archived: restore it first."
                )
            run_id = run_history.new_run_id()
            run_history.upsert_run(session, experiment, run_id, changes, created_by)
            began = moment(start_time) if start_time else None
            row = run_history.set_status(session, run_id, "Running", moment=began)
            return run_entity(self._workspace, experiment.name, row, {})

    def get_run(self, run_id: str) -> Run:
        """A run, whichever client made it."""
        with mlflow_errors(), self._workspace.database.read() as session:
            row = run_history.get_run(session, run_id)
            name = run_history.get_experiment_by_id(session, row.experiment_id).name
            metrics = metric.latest_scalars(session, [run_id]).get(run_id, {})
            return run_entity(self._workspace, name, row, metrics)

    def update_run_info(
        self, run_id: str, run_status: int | None, end_time: int | None, run_name: str | None
    ) -> RunInfo:
        """Change state, end and name of a run."""
        with mlflow_errors(), self._workspace.database.write() as session:
            row = self._active(session, run_id)
            experiment = run_history.get_experiment_by_id(session, row.experiment_id)
            if run_name:
                run_history.upsert_run(
                    session, experiment, run_id, RunChanges(display_name=run_name)
                )
            if run_status is not None:
                status = status_from_mlflow(run_status)
                if status == "Running":
                    run_history.reopen_run(session, run_id)
                ended = moment(end_time) if end_time else None
                run_history.set_status(session, run_id, status, moment=ended)
            return run_info(self._workspace, experiment.name, row)

    def delete_run(self, run_id: str) -> None:
        """Hide a run; it can be restored."""
        with mlflow_errors(), self._workspace.database.write() as session:
            run_history.set_deleted(session, run_id, True)

    def restore_run(self, run_id: str) -> None:
        """Bring a deleted run back."""
        with mlflow_errors(), self._workspace.database.write() as session:
            run_history.set_deleted(session, run_id, False)

    def _search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None,
        run_view_type: int,
        max_results: int,
        order_by: Sequence[str] | None,
        page_token: str | None,
    ) -> tuple[list[Run], str | None]:
        if max_results > SEARCH_MAX_RESULTS_THRESHOLD:
            raise MlflowException.invalid_parameter_value(
                f"max_results is at most {SEARCH_MAX_RESULTS_THRESHOLD}, but was {max_results}."
            )
        with mlflow_errors(), self._workspace.database.write() as session:
            names = {
                row.experiment_id: row.name
                for row in (experiment_row(session, one) for one in experiment_ids)
            }
        with mlflow_errors(), self._workspace.database.read() as session:
            return search_runs(
                self._workspace,
                session,
                names,
                filter_string=filter_string,
                view_type=run_view_type,
                max_results=max_results,
                order_by=order_by,
                page_token=page_token,
            )

    def _active(self, session: Session, run_id: str) -> RunRow:
        row = run_history.get_run(session, run_id)
        if row.lifecycle_stage != "active":
            raise BadRequest(
                f"The run {run_id} must be in the 'active' state. Current state is deleted: "
                "restore it first."
            )
        return row

    # Metrics, parameters, tags, inputs

    def log_metric(self, run_id: str, metric: Metric) -> None:
        """Log one value of a metric."""
        _validate_metric(metric.key, metric.value, metric.timestamp, metric.step)
        self._log(run_id, [metric], [], [])

    def log_param(self, run_id: str, param: Param) -> None:
        """Log a parameter, which never changes."""
        value = _validate_param(param.key, param.value)
        self._log(run_id, [], [value], [])

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        """Set a tag."""
        self._log(run_id, [], [], [_validate_tag(tag.key, tag.value)])

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric],
        params: Sequence[Param],
        tags: Sequence[RunTag],
    ) -> None:
        """Log metrics, parameters and tags at once: all of them, or none."""
        metrics, params, tags = _validate_batch_log_data(metrics, params, tags)
        _validate_batch_log_limits(metrics, params, tags)
        _validate_param_keys_unique(params)
        self._log(run_id, metrics, params, tags)

    def _log(
        self,
        run_id: str,
        metrics: Sequence[Metric],
        params: Sequence[Param],
        tags: Sequence[RunTag],
    ) -> None:
        values = [
            metric.scalar(one.key, one.value, timestamp=moment(one.timestamp), step=one.step)
            for one in metrics
        ]
        with mlflow_errors(), self._workspace.database.write() as session:
            row = self._active(session, run_id)
            if params:
                run_history.log_params(session, run_id, {one.key: one.value for one in params})
            if tags:
                self._set_tags(session, row, {one.key: one.value for one in tags})
            for error in metric.log_values(session, run_id, values).values():
                raise error

    def _set_tags(self, session: Session, row: RunRow, tags: dict[str, str]) -> None:
        name, note = tags.pop(NAME_TAG, None), tags.pop(NOTE_TAG, None)
        experiment = run_history.get_experiment_by_id(session, row.experiment_id)
        changes = RunChanges(tags=tags, display_name=name or None, description=note)
        run_history.upsert_run(session, experiment, row.run_id, changes)

    def delete_tag(self, run_id: str, key: str) -> None:
        """Delete a tag."""
        with mlflow_errors(), self._workspace.database.write() as session:
            row = self._active(session, run_id)
            if key not in row.tags:
                raise MlflowException(
                    f"No tag with name: {key} in run with id {run_id}",
                    error_code=RESOURCE_DOES_NOT_EXIST,
                )
            run_history.delete_run_tags(session, run_id, [key])

    def get_metric_history(
        self,
        run_id: str,
        metric_key: str,
        max_results: int | None = None,
        page_token: str | None = None,
    ) -> Any:
        """All values of a metric in the order of logging, or a page of them."""
        try:
            after = int(page_token) if page_token else 0
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(
                f"'{page_token}' is not a page token of a metric's history."
            ) from error
        with mlflow_errors(), self._workspace.database.read() as session:
            run_history.check_run(session, run_id)
            if metric_key not in {row.name for row in metric.list_metrics(session, run_id)}:
                return PagedList([], None)
            rows = metric.full_metric(
                session, run_id, metric_key, after_id=after, limit=max_results
            ).values
        token = str(rows[-1].id) if max_results and len(rows) == max_results else None
        return PagedList([value_entity(row) for row in rows if row.data is None], token)

    def record_logged_model(self, run_id: str, mlflow_model: Any) -> None:
        """Note a logged model in the run's tag for it."""
        with mlflow_errors(), self._workspace.database.write() as session:
            row = self._active(session, run_id)
            models = _logged_models(row)
            text = json.dumps([*models, mlflow_model.get_tags_dict()])
            self._set_tags(session, row, {MLFLOW_LOGGED_MODELS: text})

    def log_inputs(self, run_id: str, datasets: list[DatasetInput] | None = None) -> None:
        """Note the datasets that a run reads."""
        with mlflow_errors(), self._workspace.database.write() as session:
            self._active(session, run_id)
            run_history.add_mlflow_inputs(session, run_id, inputs_document(datasets or []))

    def _search_datasets(self, experiment_ids: Sequence[str]) -> list[_DatasetSummary]:
        """The datasets that runs of experiments have noted, for MLflow's own pages."""
        found: dict[tuple[str, str, str], _DatasetSummary] = {}
        for run in self.search_runs(list(experiment_ids), None, ViewType.ACTIVE_ONLY):
            for one in run.inputs.dataset_inputs:
                context = next((tag.value for tag in one.tags), "")
                key = (run.info.experiment_id, one.dataset.name, one.dataset.digest)
                found.setdefault(key, _DatasetSummary(*key, context))
        return list(found.values())

    # Traces

    def search_traces(self, *_arguments: Any, **_options: Any) -> tuple[list, None]:
        """There are no traces: Azure ML's tracking service keeps none either."""
        return [], None

    def start_trace(self, *_arguments: Any, **_options: Any) -> Any:
        """Refused: there are no traces."""
        raise MlflowException(
            "The local workspace keeps no traces: MLflow tracing is not part of Azure ML's "
            "tracking service.",
            error_code=ENDPOINT_NOT_FOUND,
        )

    end_trace = get_trace_info = set_trace_tag = delete_trace_tag = start_trace
    _delete_traces = start_trace


def _logged_models(row: RunRow) -> list[Any]:
    """The models that a run's tag for them lists; none when a user has put something else there."""
    try:
        models = parse_json(row.tags.get(MLFLOW_LOGGED_MODELS) or "[]")
    except BadRequest:
        return []
    return models if isinstance(models, list) else []
