"""What clients send of metrics, as values to log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from local_workspace.clock import parse_iso, utc_now
from local_workspace.errors import BadRequest
from local_workspace.fields import check_value, object_of, shown, text_of
from local_workspace.services.metric import records


def metrics_of(body: Any) -> list[Any]:
    """The metrics of a batch, each of which is read by itself. Raises BadRequest."""
    metrics = body.get("values") if isinstance(body, dict) else None
    if not isinstance(metrics, list):
        raise BadRequest("The body must have 'values', a list of metrics.")
    return metrics


def moment_of(text: Any) -> datetime | None:
    """The moment that an ISO 8601 text means, None for null. Raises BadRequest."""
    if text is None:
        return None
    try:
        return parse_iso(text)
    except (ValueError, AttributeError) as error:
        raise BadRequest(f"{shown(text)} is not a date and time in ISO 8601.") from error


def values_of(metric: Any) -> list[records.Value]:
    """The values of one metric of a batch. Raises BadRequest."""
    check_value(metric, "A metric", large_numbers=True)
    if not isinstance(metric, dict) or not isinstance(metric.get("value"), list):
        raise BadRequest("A metric has a 'name', 'columns' and a list 'value'.")
    name = text_of(metric, "name") or ""
    columns = object_of(metric, "columns")
    ux_type = text_of(object_of(metric, "properties"), "uxMetricType") or records.SCALAR
    found = []
    for value in metric["value"]:
        data = value.get("data") if isinstance(value, dict) else None
        if not isinstance(data, dict):
            raise BadRequest("Each value of a metric has 'data', an object of columns.")
        step = value.get("step")
        if step is not None and not (type(step) is int and abs(step) < 2**63):
            raise BadRequest(f"The step of a metric must be a whole number, not {shown(step)}.")
        found.append(
            records.Value(
                name=name,
                data=data,
                timestamp=moment_of(value.get("createdUtc")) or utc_now(),
                step=step,
                metric_id=text_of(value, "metricId"),
                ux_type=ux_type,
                columns={column: str(kind) for column, kind in columns.items()},
            )
        )
    return found
