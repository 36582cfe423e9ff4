"""Searching runs with MLflow's own filters and orders.

First all runs are looked at, with no more of each than the filter and the order ask for; then the
runs of the page are read whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlflow.entities import LifecycleStage, Metric, Param, Run, RunData, RunInputs, RunTag
from mlflow.utils.search_utils import SearchUtils
from sqlalchemy.orm import Session

from local_workspace.services import run_history
from local_workspace.services.metric import latest_numbers, latest_scalars
from local_workspace.services.mlflow.entities import (
    inputs_entities,
    run_entity,
    run_info,
    run_tags,
)
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
    clauses = SearchUtils.parse_search_filter(filter_string)
    orders = [SearchUtils.parse_order_by_for_search_runs(order) for order in order_by or []]
    kinds = {clause["type"] for clause in clauses} | {kind for kind, _, _ in orders}
    metrics = {clause["key"] for clause in clauses if clause["type"] == "metric"}
    metrics |= {key for kind, key, _ in orders if kind == "metric"}

    stages = LifecycleStage.view_type_to_stages(view_type)
    rows = run_history.runs_to_search(session, list(names), stages)
    run_ids = [row.run_id for row in rows]
    numbers = latest_numbers(session, run_ids, metrics)
    inputs: dict[str, Any] = {}
    if "dataset" in kinds:
        inputs = {row.run_id: row.mlflow_inputs for row in run_history.runs_by_id(session, run_ids)}
    looked_at = [
        Run(
            run_info(workspace, names[row.experiment_id], row),
            RunData(
                metrics=[
                    Metric(name, number, 0, 0)
                    for name, number in numbers.get(row.run_id, {}).items()
                ],
                params=(
                    [Param(key, value) for key, value in row.params.items()]
                    if "parameter" in kinds
                    else []
                ),
                tags=(
                    [RunTag(key, value) for key, value in run_tags(row).items()]
                    if kinds & {"tag", "attribute"}
                    else []
                ),
            ),
            RunInputs(inputs_entities(inputs.get(row.run_id, []))),
        )
        for row in rows
    ]
    found = SearchUtils.sort(SearchUtils.filter(looked_at, filter_string), order_by)
    page, token = SearchUtils.paginate(found, page_token, max_results)
    return whole_runs(workspace, session, names, [run.info.run_id for run in page]), token


def whole_runs(
    workspace: LocalWorkspace, session: Session, names: dict[str, str], run_ids: Sequence[str]
) -> list[Run]:
    """Runs with all that MLflow shows of them, in the order of `run_ids`."""
    metrics = latest_scalars(session, run_ids)
    return [
        run_entity(workspace, names[row.experiment_id], row, metrics.get(row.run_id, {}))
        for row in run_history.runs_by_id(session, run_ids)
    ]
