"""Routes of the metric service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from local_workspace.clock import iso
from local_workspace.errors import BadRequest, ServiceError, error_body
from local_workspace.fields import row_number
from local_workspace.http import (
    WORKSPACE_SCOPE,
    JSONResponse,
    get_workspace,
    json_body,
    sdk,
    unchecked_json_body,
)
from local_workspace.service import Service
from local_workspace.services.metric import records
from local_workspace.services.metric.parsing import metrics_of, moment_of, values_of
from local_workspace.services.run_history import add_warnings, check_run, get_run
from local_workspace.workspace import LocalWorkspace

router = APIRouter(prefix="/metric/v2.0" + WORKSPACE_SCOPE + "/runs/{run_id}")

_LOG = (
    "Run.log, Run.log_list, Run.log_row, Run.log_table, Run.log_image, Run.log_confusion_matrix, "
    "Run.log_accuracy_table, Run.log_residuals, Run.log_predictions"
)
_VALUES_A_PAGE = 10_000


def _named(metric: Any) -> dict[str, str] | None:
    if not isinstance(metric, dict):
        return None
    # It may be what is wrong with the metric.
    return {"name": str(metric.get("name")).encode("utf-8", "replace").decode()}


@router.post("/batch", openapi_extra=sdk(_LOG))
def log(
    run_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(unchecked_json_body),
) -> JSONResponse:
    """Log a batch of metrics; what is wrong with one does not hinder the others."""
    metrics = metrics_of(body)
    values: list[records.Value] = []
    owners: list[int] = []
    failed: dict[int, ServiceError] = {}
    for position, metric in enumerate(metrics):
        try:
            of_metric = values_of(metric)
        except ServiceError as error:
            failed[position] = error
            continue
        values += of_metric
        owners += [position] * len(of_metric)
    with workspace.database.write() as session:
        check_run(session, run_id)
        for index, error in records.log_values(session, run_id, values).items():
            failed.setdefault(owners[index], error)
        if failed:
            # The SDK writes what is refused to a log that nobody sees.
            add_warnings(session, run_id, "Metrics", [error.message for error in failed.values()])
    # The SDK shows the name and the message; the values of a metric may be megabytes.
    return JSONResponse(
        {
            "errors": [
                {
                    "metric": _named(metrics[position]),
                    "errorResponse": error_body(error),
                }
                for position, error in sorted(failed.items())
            ]
        }
    )


@router.post("/list", openapi_extra=sdk("Run.get_metrics"))
def list_metrics(run_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """List the metrics of a run."""
    with workspace.database.read() as session:
        check_run(session, run_id)
        metrics = records.list_metrics(session, run_id)
    return JSONResponse(
        {
            "value": [
                {
                    "metricKey": {
                        "namespace": "",
                        "name": metric.name,
                        "labels": {},
                        "labelFilters": [],
                    },
                    "columns": metric.columns,
                    "properties": {"uxMetricType": metric.ux_type},
                }
                for metric in metrics
            ],
            "continuationToken": None,
            "nextLink": None,
        }
    )


@router.post("/full", openapi_extra=sdk("Run.get_metrics"))
def get_metric(
    run_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Give all values of a metric."""
    if not isinstance(body, dict) or not isinstance(body.get("metricName"), str):
        raise BadRequest("The body must have a 'metricName'.")
    with workspace.database.read() as session:
        run = get_run(session, run_id)
        metric = records.full_metric(
            session,
            run_id,
            body["metricName"],
            start=moment_of(body.get("startTime")),
            end=moment_of(body.get("endTime")),
            after_id=row_number(body.get("continuationToken") or "0", "continuationToken"),
            limit=_VALUES_A_PAGE,
        )
    has_more = len(metric.values) == _VALUES_A_PAGE
    return JSONResponse(
        {
            "dataContainerId": run.data_container_id,
            "name": metric.name,
            "columns": metric.columns,
            "properties": {"uxMetricType": metric.ux_type},
            "namespace": "",
            "standardSchemaId": None,
            "value": [
                {
                    "metricId": row.metric_id,
                    "createdUtc": iso(row.timestamp),
                    "step": row.step,
                    "data": records.value_data(row, metric.columns),
                    "sasUri": None,
                }
                for row in metric.values
            ],
            "continuationToken": str(metric.values[-1].id) if has_more else None,
            "nextLink": None,
        }
    )


SERVICE = Service(name="metric", title="Metrics", router=router, prefixes=("metric",))
