"""Metrics of runs: logged in batches, read by name."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, literal, select
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, NotFound, ServiceError
from local_workspace.events import MetricsLogged, tell
from local_workspace.store.tables.metric import MetricRow, MetricValueRow

SCALAR = "azureml.v1.scalar"
LIST = "azureml.v1.list"
TABLE = "azureml.v1.table"

_MAX_NAME_LENGTH = 255
# Azure ML's limit for one row of a metric ("Manage and increase quotas": run metrics).
_MAX_ROW_BYTES = 1024 * 1024
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NUMBERS = frozenset({"int", "float", "double", "long"})


@dataclass(frozen=True)
class Value:
    """One value to log: `data` maps columns to values; a scalar has one column, the metric's name.

    A `metric_id` that is there already is the same value sent again, and is not logged twice.
    """

    name: str
    data: Mapping[str, Any]
    timestamp: datetime
    step: int | None = None
    metric_id: str | None = None
    ux_type: str = SCALAR
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FullMetric:
    """A metric and its values, in the order of logging."""

    name: str
    columns: dict[str, str]
    ux_type: str
    values: list[MetricValueRow]


def scalar(
    name: str, value: float, *, timestamp: datetime | None = None, step: int | None = None
) -> Value:
    """A number to log, as `run.log` and MLflow's `log_metric` do."""
    return Value(name, {name: value}, timestamp or utc_now(), step)


def log_values(session: Session, run_id: str, values: Iterable[Value]) -> dict[int, ServiceError]:
    """Log values of a run; the run must exist.

    Returns what is wrong with some of them by their position; the others are logged. Values of one
    metric share their columns: a column may hold whole and other numbers, but not numbers and text.
    """
    values = list(values)
    metrics = _metrics_of(session, run_id, {value.name for value in values})
    known = _known_ids(session, [value.metric_id for value in values if value.metric_id])
    errors: dict[int, ServiceError] = {}
    rows: list[dict[str, Any]] = []
    for position, value in enumerate(values):
        if value.metric_id is not None:
            if value.metric_id in known:
                continue
            known.add(value.metric_id)
        try:
            metric = _admit(session, run_id, metrics, value)
        except ServiceError as error:
            errors[position] = error
            continue
        row = _row(run_id, value)
        if row["data"] is None:
            _remember_latest(metric, row)
        rows.append(row)
    session.flush()
    if rows:
        session.execute(insert(MetricValueRow), rows)
        tell(session, MetricsLogged(run_id, tuple(dict.fromkeys(row["name"] for row in rows))))
    return errors


def _metrics_of(session: Session, run_id: str, names: set[str]) -> dict[str, MetricRow]:
    found = session.scalars(
        select(MetricRow).where(MetricRow.run_id == run_id, MetricRow.name.in_(names))
    )
    return {row.name: row for row in found}


def _known_ids(session: Session, ids: Sequence[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        known.update(
            session.scalars(
                select(MetricValueRow.metric_id).where(MetricValueRow.metric_id.in_(part))
            )
        )
    return known


def _admit(session: Session, run_id: str, metrics: dict[str, MetricRow], value: Value) -> MetricRow:
    if not value.name or len(value.name) > _MAX_NAME_LENGTH:
        raise BadRequest(f"The name of a metric has 1 to {_MAX_NAME_LENGTH} characters.")
    size = sum(len(item.encode()) for item in value.data.values() if isinstance(item, str))
    if size > _MAX_ROW_BYTES:
        raise BadRequest(
            f"The value of metric '{value.name}' has {size} bytes; a row of a metric has at most "
            f"{_MAX_ROW_BYTES}. Upload it as a file of the run instead."
        )
    columns = {
        column: _column_type(value.columns.get(column), item) for column, item in value.data.items()
    }
    metric = metrics.get(value.name)
    if metric is None:
        metric = MetricRow(run_id=run_id, name=value.name, columns=columns, ux_type=value.ux_type)
        session.add(metric)
        metrics[value.name] = metric
        return metric
    if not _goes_with(metric.ux_type, value.ux_type):
        raise BadRequest(
            f"The metric '{value.name}' is of type {metric.ux_type} and cannot take a value of "
            f"type {value.ux_type}. Use another name."
        )
    merged = _merged(value.name, metric.columns, columns)
    if merged != metric.columns:
        metric.columns = merged
    if value.ux_type == LIST:
        metric.ux_type = LIST
    return metric


def _goes_with(present: str, new: str) -> bool:
    return present == new or {present, new} == {SCALAR, LIST}


def _column_type(declared: str | None, item: Any) -> str:
    # The SDK declares one type for a list of several, and reads texts of a column of numbers with
    # float(): one that is none would keep it from reading any metric of the run.
    if declared and declared.lower() in _NUMBERS and isinstance(item, str):
        return declared if item in _SPECIAL else "string"
    return declared or _type_of(item)


def _type_of(item: Any) -> str:
    if item is None:
        return "none"
    if isinstance(item, bool):
        return "bool"
    if isinstance(item, int):
        return "int"
    return "double" if isinstance(item, float) else "string"


def _merged(name: str, present: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    merged = dict(present)
    for column, kind in new.items():
        before = merged.get(column, kind)
        if before.lower() == kind.lower() or kind.lower() == "none":
            merged[column] = before
        elif before.lower() == "none":
            merged[column] = kind
        elif {before.lower(), kind.lower()} <= _NUMBERS:
            merged[column] = "double"
        else:
            raise BadRequest(
                f"The column '{column}' of metric '{name}' holds {before} and cannot take "
                f"{kind}. Use another name."
            )
    return merged


def _row(run_id: str, value: Value) -> dict[str, Any]:
    row = {
        "run_id": run_id,
        "name": value.name,
        "metric_id": value.metric_id,
        "step": value.step,
        "timestamp": value.timestamp,
        "value": None,
        "special": None,
        "data": None,
    }
    item = value.data.get(value.name) if len(value.data) == 1 else None
    is_number = isinstance(item, (int, float)) and not isinstance(item, bool)
    # A double holds whole numbers up to 2**53 exactly; a larger one is kept as it is written.
    if is_number and not (isinstance(item, int) and abs(item) > 2**53):
        number = float(item)
        if math.isfinite(number):
            row["value"] = number
        else:
            row["special"] = _special_name(number)
    else:
        row["data"] = {column: storable(item) for column, item in value.data.items()}
    return row


def _special_name(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def storable(item: Any) -> Any:
    """`item` as JSON can hold it: numbers that are none become "NaN", "Infinity", "-Infinity".

    The services of Azure ML write them so, and the SDK's `float(...)` reads them back.
    """
    if isinstance(item, float) and not math.isfinite(item):
        return _special_name(item)
    return item


def _remember_latest(metric: MetricRow, row: Mapping[str, Any]) -> None:
    present = (
        _rank(
            metric.latest_step, metric.latest_timestamp, metric.latest_value, metric.latest_special
        )
        if metric.latest_timestamp is not None
        else None
    )
    if (
        present is None
        or _rank(row["step"], row["timestamp"], row["value"], row["special"]) >= present
    ):
        metric.latest_step = row["step"]
        metric.latest_timestamp = row["timestamp"]
        metric.latest_value = row["value"]
        metric.latest_special = row["special"]


def _rank(
    step: int | None, timestamp: datetime, value: float | None, special: str | None
) -> tuple[int, datetime, float]:
    # MLflow: the value with the highest step, then time, then value; NaN is less than any other.
    number = as_number(value, special)
    return (
        step or 0,
        timestamp.replace(tzinfo=None),
        -math.inf if number is None or math.isnan(number) else number,
    )


def as_number(value: float | None, special: str | None) -> float | None:
    """The number that the columns `value` and `special` hold together; None when it is none."""
    return _SPECIAL[special] if special is not None else value


def value_data(row: MetricValueRow, columns: Mapping[str, str]) -> dict[str, Any]:
    """{column: value} of one value; for a column it lacks null, or NaN where numbers are meant."""
    if row.data is None:
        number: Any = row.special if row.special is not None else row.value
        kind = columns.get(row.name, "double").lower()
        if kind in ("int", "long") and row.value is not None and row.value.is_integer():
            number = int(row.value)
        return {row.name: number}
    return {
        column: row.data[column]
        if row.data.get(column) is not None
        else ("NaN" if kind.lower() in ("double", "float") else None)
        for column, kind in columns.items()
    }


def list_metrics(session: Session, run_id: str) -> list[MetricRow]:
    """The metrics of a run by name."""
    query = select(MetricRow).where(MetricRow.run_id == run_id).order_by(MetricRow.name)
    return list(session.scalars(query))


def full_metric(
    session: Session,
    run_id: str,
    name: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    after_id: int = 0,
    limit: int | None = None,
) -> FullMetric:
    """One metric with its values from `start` up to `end`. Raises NotFound."""
    metric = session.get(MetricRow, (run_id, name))
    if metric is None:
        raise NotFound(f"The run '{run_id}' has no metric '{name}'.", inner_code="MetricNotFound")
    query = select(MetricValueRow).where(
        MetricValueRow.run_id == run_id,
        MetricValueRow.name == name,
        MetricValueRow.id > after_id,
    )
    if start is not None:
        query = query.where(MetricValueRow.timestamp >= start)
    if end is not None:
        query = query.where(MetricValueRow.timestamp <= end)
    values = list(session.scalars(query.order_by(MetricValueRow.id).limit(limit)))
    return FullMetric(name, metric.columns, metric.ux_type, values)


def numbers_of(
    session: Session, run_id: str, name: str, limit: int | None = None
) -> list[tuple[int | None, float]]:
    """(step, number) of each value of a metric that is a number, in the order of logging.

    Several times faster than `full_metric`, for charts of many values.
    """
    query = (
        select(MetricValueRow.step, MetricValueRow.value, MetricValueRow.special)
        .where(
            MetricValueRow.run_id == run_id,
            MetricValueRow.name == name,
            MetricValueRow.data.is_(None),
        )
        .order_by(MetricValueRow.id)
        .limit(limit)
    )
    return [
        (step, _SPECIAL[special] if special is not None else value)
        for step, value, special in session.execute(query)
    ]


def latest_scalars(session: Session, run_ids: Sequence[str]) -> dict[str, dict[str, MetricRow]]:
    """The metrics of several runs that have a latest number: {run: {name: row}}.

    `as_number(row.latest_value, row.latest_special)` is the number.
    """
    found: dict[str, dict[str, MetricRow]] = defaultdict(dict)
    for start in range(0, len(run_ids), 500):
        query = select(MetricRow).where(
            MetricRow.run_id.in_(run_ids[start : start + 500]),
            MetricRow.latest_timestamp.is_not(None),
        )
        for row in session.scalars(query):
            found[row.run_id][row.name] = row
    return found


def latest_numbers(
    session: Session, run_ids: Sequence[str], names: Iterable[str]
) -> dict[str, dict[str, float]]:
    """The latest numbers of some metrics of many runs: {run: {name: number}}."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    names = list(names)
    for start in range(0, len(run_ids) if names else 0, 500):
        query = select(
            MetricRow.run_id, MetricRow.name, MetricRow.latest_value, MetricRow.latest_special
        ).where(
            MetricRow.run_id.in_(run_ids[start : start + 500]),
            MetricRow.name.in_(names),
            MetricRow.latest_timestamp.is_not(None),
        )
        for run_id, name, value, special in session.execute(query):
            number = as_number(value, special)
            if number is not None:
                found[run_id][name] = number
    return found


def copy_metrics(session: Session, source: str, target: str) -> None:
    """Give the run `target` all metrics of the run `source`."""
    for table, left_out in ((MetricRow, ()), (MetricValueRow, ("id", "metric_id"))):
        columns = [one for one in table.__table__.columns if one.name not in left_out]
        values = [literal(target) if one.name == "run_id" else one for one in columns]
        query = select(*values).where(table.run_id == source)
        if table is MetricValueRow:
            query = query.order_by(MetricValueRow.id)
        names = [one.name for one in columns]
        session.execute(insert(table.__table__).from_select(names, query))


def delete_metrics(session: Session, run_id: str) -> None:
    """Forget all metrics of a run."""
    session.execute(delete(MetricValueRow).where(MetricValueRow.run_id == run_id))
    session.execute(delete(MetricRow).where(MetricRow.run_id == run_id))
