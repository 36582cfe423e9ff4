"""Experiments in MLflow's words: the part of the tracking store that is about them."""

from __future__ import annotations

from mlflow.entities import Experiment, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking import SEARCH_MAX_RESULTS_DEFAULT
from mlflow.utils.validation import _validate_experiment_name, _validate_experiment_tag
from sqlalchemy.orm import Session

from local_workspace.errors import BadRequest, Conflict
from local_workspace.services import run_history
from local_workspace.services.mlflow.entities import experiment_entity, mlflow_errors
from local_workspace.services.mlflow.filters import ExperimentSearch
from local_workspace.services.run_history import ExperimentChanges
from local_workspace.store.tables.run_history import ExperimentRow
from local_workspace.workspace import LocalWorkspace

# MLflow's clients name the default experiment by this id; Azure ML calls it "Default".
_DEFAULT_ID = "0"
_DEFAULT_NAME = "Default"
_NEWEST_FIRST = ["creation_time DESC", "experiment_id"]
_VIEWS = {
    ViewType.ACTIVE_ONLY: "ActiveOnly",
    ViewType.DELETED_ONLY: "ArchivedOnly",
    ViewType.ALL: "All",
}


def experiment_row(session: Session, experiment_id: str) -> ExperimentRow:
    """The experiment with that id; MLflow's default one is made when there is none."""
    if str(experiment_id) == _DEFAULT_ID:
        return run_history.ensure_experiment(session, _DEFAULT_NAME)
    return run_history.get_experiment_by_id(session, str(experiment_id))


class ExperimentStore:
    """The methods of an MLflow tracking store for experiments; a mixin of `TrackingStore`."""

    _workspace: LocalWorkspace

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = SEARCH_MAX_RESULTS_DEFAULT,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList:
        """A page of experiments; see MLflow's AbstractStore."""
        if not isinstance(max_results, int) or max_results < 1:
            raise MlflowException.invalid_parameter_value(
                f"max_results must be a positive integer, but is {max_results!r}."
            )
        rows: list[ExperimentRow] = []
        continuation = None
        with mlflow_errors(), self._workspace.database.read() as session:
            while True:
                page = run_history.query_experiments(
                    session, view_type=_VIEWS[view_type], top=1000, continuation=continuation
                )
                rows += page.rows
                continuation = page.continuation
                if continuation is None:
                    break
        found = [experiment_entity(self._workspace, row) for row in rows]
        found = ExperimentSearch.filter(found, filter_string)
        found = ExperimentSearch.sort(found, order_by or ["creation_time DESC", "experiment_id"])
        page, token = ExperimentSearch.paginate(found, page_token, max_results)
        return PagedList(page, token)

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: list | None = None
    ) -> str:
        """Make an experiment; its id. `artifact_location` is the workspace's own and ignored."""
        _validate_experiment_name(name)
        for tag in tags or []:
            _validate_experiment_tag(tag.key, tag.value)
        with mlflow_errors(), self._workspace.database.write() as session:
            present = run_history.find_experiment(session, name)
            if present is not None and present.archived is None:
                raise Conflict(f"Experiment '{name}' already exists in active state.")
            row = run_history.ensure_experiment(session, name)
            changes = ExperimentChanges(tags={tag.key: tag.value for tag in tags or []})
            run_history.update_experiment(session, row.experiment_id, changes)
            return row.experiment_id

    def get_experiment(self, experiment_id: str) -> Experiment:
        """The experiment with that id."""
        if str(experiment_id) == _DEFAULT_ID:
            with mlflow_errors(), self._workspace.database.write() as session:
                return experiment_entity(self._workspace, experiment_row(session, experiment_id))
        with mlflow_errors(), self._workspace.database.read() as session:
            return experiment_entity(self._workspace, experiment_row(session, experiment_id))

    def get_experiment_by_name(self, experiment_name: str) -> Experiment | None:
        """The active experiment of that name, else the one archived last, or None."""
        with self._workspace.database.read() as session:
            row = run_history.find_experiment(session, experiment_name)
            return None if row is None else experiment_entity(self._workspace, row)

    def delete_experiment(self, experiment_id: str) -> None:
        """Archive an experiment."""
        self._change(experiment_id, ExperimentChanges(is_archived=True))

    def restore_experiment(self, experiment_id: str) -> None:
        """Reactivate an archived experiment."""
        self._change(experiment_id, ExperimentChanges(is_archived=False))

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Give an experiment another name."""
        self._change(experiment_id, ExperimentChanges(name=new_name), must_be_active=True)

    def set_experiment_tag(self, experiment_id: str, tag) -> None:
        """Set a tag of an experiment."""
        _validate_experiment_tag(tag.key, tag.value)
        self._change(
            experiment_id, ExperimentChanges(tags={tag.key: tag.value}), must_be_active=True
        )

    def _change(
        self, experiment_id: str, changes: ExperimentChanges, *, must_be_active: bool = False
    ) -> None:
        with mlflow_errors(), self._workspace.database.write() as session:
            row = experiment_row(session, experiment_id)
            if must_be_active and row.archived:
                raise BadRequest(f"The experiment '{row.name}' is archived. Restore it first.")
            run_history.update_experiment(session, row.experiment_id, changes)
