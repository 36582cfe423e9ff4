"""Metrics of runs. The routes are in the module `routes`."""

from local_workspace.services.metric.records import (
    LIST,
    SCALAR,
    TABLE,
    FullMetric,
    Value,
    as_number,
    copy_metrics,
    delete_metrics,
    full_metric,
    latest_numbers,
    latest_scalars,
    list_metrics,
    log_values,
    numbers_of,
    scalar,
    value_data,
)

__all__ = [
    "LIST",
    "SCALAR",
    "TABLE",
    "FullMetric",
    "Value",
    "as_number",
    "copy_metrics",
    "delete_metrics",
    "full_metric",
    "latest_numbers",
    "latest_scalars",
    "list_metrics",
    "log_values",
    "numbers_of",
    "scalar",
    "value_data",
]
