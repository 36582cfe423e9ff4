"""Searching runs with MLflow's own filters and orders.

The newest runs, which clients ask for most, are a page of the database. For anything else all runs
are looked at, with no more of each than the filter and the order ask for; then the runs of the page
are read whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from mlflow.entities import DatasetInput, LifecycleStage, Run, RunInfo
from sqlalchemy.engine import Row
from sqlalchemy.orm import Session

from local_workspace.services import run_history
from local_workspace.services.metric import latest_numbers, latest_scalars
from local_workspace.services.mlflow.entities import (
    inputs_entities,
    milliseconds,
    run_entity,
    run_info,
    run_tags,
)
from local_workspace.services.mlflow.filters import RunSearch
from local_workspace.workspace import LocalWorkspace


def search_runs(
    workspace: LocalWorkspace,
    session: Session,
    names: dict[str, str],
    *,
    filter_string: str | None,
    view_type: int,
    max_results: int,
    order_by: Sequence[str] | None,
    page_token: str | None,
) -> tuple[list[Run], str | None]:
    """A page of runs of the experiments `names` ({id: name}), and the token of the next page.

    Raises MlflowException for a filter, order or token that is none.
    """
    clauses = RunSearch.parse_search_filter(filter_string)
    orders = [RunSearch.parse_order_by_for_search_runs(order) for order in order_by or []]
    stages = LifecycleStage.view_type_to_stages(view_type)
    if not clauses and len(orders) <= 1:
        kind, key, ascending = orders[0] if orders else ("attribute", "start_time", False)
        if (kind, RunSearch.translate_key_alias(key)) == ("attribute", "start_time"):
            offset = RunSearch.parse_start_offset_from_page_token(page_token)
            run_ids = run_history.run_ids_by_start(
                session, list(names), stages, ascending, offset, max_results + 1
            )
            runs = whole_runs(workspace, session, names, run_ids[:max_results])
            if len(run_ids) <= max_results:
                return runs, None
            return runs, RunSearch.create_page_token(offset + max_results)

    kinds = {clause["type"] for clause in clauses} | {kind for kind, _, _ in orders}
    metrics = {clause["key"] for clause in clauses if clause["type"] == "metric"}
    metrics |= {key for kind, key, _ in orders if kind == "metric"}
    rows = run_history.runs_to_search(session, list(names), stages)
    run_ids = [row.run_id for row in rows]
    numbers = latest_numbers(session, run_ids, metrics)
    inputs: dict[str, Any] = {}
    if "dataset" in kinds:
        inputs = {row.run_id: row.mlflow_inputs for row in run_history.runs_by_id(session, run_ids)}
    looked_at = [
        _LookedAt(
            workspace,
            names[row.experiment_id],
            row,
            numbers.get(row.run_id, {}),
            inputs.get(row.run_id, []),
        )
        for row in rows
    ]
    found = RunSearch.sort(RunSearch.filter(looked_at, filter_string), order_by)
    page, token = RunSearch.paginate(found, page_token, max_results)
    return whole_runs(workspace, session, names, [run.info.run_uuid for run in page]), token


class _LookedAt:
    """What MLflow's search looks at of a run, each thing made when it is looked at.

    It is its own `info`, `data` and `inputs`: whole entities of ten thousand runs take twice the
    time of everything else.
    """

    def __init__(
        self,
        workspace: LocalWorkspace,
        experiment_name: str,
        row: Row,
        metrics: dict[str, float],
        inputs: Sequence[Any],
    ) -> None:
        self._workspace = workspace
        self._experiment_name = experiment_name
        self._row = row
        self._inputs = inputs
        self.metrics = metrics
        self.run_uuid = row.run_id
        self.start_time = milliseconds(row.start_time or row.created)
        self.info = self.data = self.inputs = self

    @property
    def params(self) -> dict[str, str]:
        return self._row.params or {}

    @cached_property
    def tags(self) -> dict[str, str]:
        return run_tags(self._row)

    @cached_property
    def dataset_inputs(self) -> list[DatasetInput]:
        return inputs_entities(self._inputs)

    @cached_property
    def _whole_info(self) -> RunInfo:
        return run_info(self._workspace, self._experiment_name, self._row)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole_info, name)


def whole_runs(
    workspace: LocalWorkspace, session: Session, names: dict[str, str], run_ids: Sequence[str]
) -> list[Run]:
    """Runs with all that MLflow shows of them, in the order of `run_ids`."""
    metrics = latest_scalars(session, run_ids)
    return [
        run_entity(workspace, names[row.experiment_id], row, metrics.get(row.run_id, {}))
        for row in run_history.runs_by_id(session, run_ids)
    ]
