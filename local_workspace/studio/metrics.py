"""The metrics of a run as its pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy.orm import Session

from local_workspace.errors import BadRequest, NotFound
from local_workspace.fields import parse_json
from local_workspace.services import artifact
from local_workspace.services.metric import (
    LIST,
    SCALAR,
    FullMetric,
    as_number,
    full_metric,
    list_metrics,
    numbers_of,
    value_data,
)
from local_workspace.studio.charts import Chart, line_chart
from local_workspace.workspace import LocalWorkspace

# What one page shows of each; the rest is on the page of the metric, or in the SDK.
_CHARTS = 24
_POINTS = 50_000
_ROWS = 50
_ROWS_OF_ONE = 1_000
_MATRIX_BYTES = 1024 * 1024
_CONFUSION_MATRIX = "azureml.v2.confusion_matrix"
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".svg"})
_ADDRESS = "aml://artifactId/"


@dataclass(frozen=True)
class Scalar:
    """A metric as one number: its only one, or the latest of many."""

    name: str
    value: Any


@dataclass(frozen=True)
class Series:
    """Numbers logged one after the other; `more` when not all of them are drawn."""

    name: str
    chart: Chart
    latest: Any
    count: int
    more: bool


@dataclass(frozen=True)
class Table:
    """Rows of named columns; `more` when there are rows that are not shown."""

    name: str
    columns: list[str]
    rows: list[list[Any]]
    more: bool


@dataclass(frozen=True)
class MetricFile:
    """A metric that is a file of the run: a picture, or JSON such as a residuals chart."""

    name: str
    path: str
    is_image: bool
    kind: str


@dataclass
class Metrics:
    """All metrics of a run, by how they are shown."""

    scalars: list[Scalar] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    files: list[MetricFile] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is no metric."""
        return not (self.scalars or self.series or self.tables or self.files)


def is_image(path: str) -> bool:
    """Whether a file is a picture that browsers show, by its name."""
    return PurePosixPath(path).suffix.lower() in _IMAGES


def metrics_of(session: Session, workspace: LocalWorkspace, run_id: str, container: str) -> Metrics:
    """The metrics of a run; `container` is that of its files."""
    found = Metrics()
    for row in list_metrics(session, run_id):
        if "Artifact" in row.columns.values():
            _add_files(found, workspace, container, full_metric(session, run_id, row.name))
            continue
        numbers: list[tuple[int | None, float]] = []
        if row.ux_type in (SCALAR, LIST) and len(found.series) < _CHARTS:
            numbers = numbers_of(session, run_id, row.name, _POINTS + 1)
        latest = as_number(row.latest_value, row.latest_special)
        series = series_of(row.name, numbers) if len(numbers) > 1 else None
        if series is not None:
            found.series.append(series)
        elif row.ux_type == SCALAR and latest is not None:
            found.scalars.append(Scalar(row.name, latest))
        else:
            found.tables.append(
                table_of(full_metric(session, run_id, row.name, limit=_ROWS + 1), _ROWS)
            )
    return found


def one_metric(session: Session, run_id: str, name: str) -> tuple[Series | None, Table]:
    """A metric with its values one by one, and its chart if it is made of numbers.

    Raises NotFound.
    """
    metric = full_metric(session, run_id, name, limit=_ROWS_OF_ONE + 1)
    series = None
    if metric.ux_type in (SCALAR, LIST):
        series = series_of(name, numbers_of(session, run_id, name, _POINTS + 1))
    return series, table_of(metric, _ROWS_OF_ONE, with_times=True)


def series_of(name: str, numbers: list[tuple[int | None, float]]) -> Series | None:
    """The chart of (step, number) in the order of logging; None when no number is finite."""
    shown = numbers[:_POINTS]
    has_steps = any(step is not None for step, _ in shown)
    points = [
        (float(step or 0) if has_steps else float(index), value)
        for index, (step, value) in enumerate(shown)
    ]
    # Stable, so that the values of one step stay in the order of logging.
    points.sort(key=lambda point: point[0])
    chart = line_chart(points, "step" if has_steps else "value number, from 0")
    if chart is None:
        return None
    more = len(numbers) > len(shown)
    return Series(name, chart, latest=points[-1][1], count=len(shown), more=more)


def table_of(metric: FullMetric, most: int, *, with_times: bool = False) -> Table:
    """The first `most` values of a metric as a table."""
    rows = metric.values[:most]
    columns = list(metric.columns)
    body = [
        [data.get(column) for column in columns]
        for data in (value_data(row, metric.columns) for row in rows)
    ]
    if with_times:
        columns = ["step", "logged at", *columns]
        body = [
            [row.step, f"{row.timestamp:%Y-%m-%d %H:%M:%S}", *cells]
            for row, cells in zip(rows, body, strict=True)
        ]
    return Table(metric.name, columns, body, more=len(metric.values) > most)


def _values(metric: FullMetric) -> list[Any]:
    return [value_data(row, metric.columns).get(metric.name) for row in metric.values]


def _add_files(
    found: Metrics, workspace: LocalWorkspace, container: str, metric: FullMetric
) -> None:
    prefix = _ADDRESS + artifact.artifact_id(artifact.RUN_ORIGIN, container, "")
    kind = metric.ux_type.rpartition(".")[2].replace("_", " ")
    for value in _values(metric):
        path = str(value).removeprefix(prefix)
        if metric.ux_type == _CONFUSION_MATRIX:
            table = _confusion_matrix(workspace, container, metric.name, path)
            if table is not None:
                found.tables.append(table)
        found.files.append(MetricFile(metric.name, path, kind == "image", kind))


def _confusion_matrix(
    workspace: LocalWorkspace, container: str, name: str, path: str
) -> Table | None:
    """The matrix in a file that `run.log_confusion_matrix` wrote; None when it is not there."""
    try:
        file = artifact.get_artifact(workspace, artifact.RUN_ORIGIN, container, path)
        if file.blob.size > _MATRIX_BYTES:
            return None
        content = artifact.read_artifact(workspace, artifact.RUN_ORIGIN, container, path)
        data = parse_json(content, "The matrix")["data"]
        labels: Sequence[Any] = data["class_labels"]
        rows = [[label, *row] for label, row in zip(labels, data["matrix"], strict=True)]
    except (BadRequest, NotFound, ValueError, KeyError, TypeError):
        # The client wrote the file: what is not a matrix is offered as the file that it is.
        return None
    return Table(name, ["true \\ predicted", *map(str, labels)], rows, more=False)
