"""What may be changed of a run and of an experiment: values, whoever asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

TextMap = Mapping[str, "str | None"]


@dataclass(frozen=True)
class RunChanges:
    """What a run is to become: None, and what is empty, changes nothing.

    Properties and tags are merged, data sets appended. `definition` (the run configuration),
    `options`, `created_from`, `queueing_info` and data sets are documents that are kept as they
    are given.
    """

    # Only of a run that is made.
    parent_run_id: str | None = None
    data_container_id: str | None = None

    name: str | None = None
    display_name: str | None = None
    description: str | None = None
    run_type: str | None = None
    orchestrator: str | None = None
    traits: tuple[str, ...] = ()
    target: str | None = None
    script_name: str | None = None
    primary_metric_name: str | None = None
    cancel_uri: str | None = None
    diagnostics_uri: str | None = None
    run_definition: Any = None
    options: Any = None
    created_from: Any = None
    queueing_info: Any = None
    hidden: bool | None = None
    heartbeat_enabled: bool | None = None
    tags: TextMap = field(default_factory=dict)
    properties: TextMap = field(default_factory=dict)
    input_datasets: tuple[Any, ...] = ()
    output_datasets: tuple[Any, ...] = ()
    status: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None


# Changes that simply become the new value of the row's column of that name.
PLAIN = (
    "name",
    "display_name",
    "description",
    "run_type",
    "orchestrator",
    "target",
    "script_name",
    "primary_metric_name",
    "cancel_uri",
    "diagnostics_uri",
    "run_definition",
    "options",
    "created_from",
    "queueing_info",
    "hidden",
    "heartbeat_enabled",
    "start_time",
    "end_time",
)


@dataclass(frozen=True)
class ExperimentChanges:
    """What an experiment is to become: None changes nothing, tags are merged."""

    name: str | None = None
    description: str | None = None
    is_archived: bool | None = None
    tags: TextMap = field(default_factory=dict)
