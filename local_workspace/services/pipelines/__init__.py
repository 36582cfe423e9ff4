"""Pipelines: graphs of steps, their runs, published pipelines and endpoints."""

from local_workspace.services.pipelines.graph import (
    Graph,
    Input,
    Output,
    SavedDataset,
    Source,
    Step,
    StepOutput,
    StoredPath,
    Value,
)
from local_workspace.services.pipelines.graph_parsing import without_ids
from local_workspace.services.pipelines.modules import get_graph, read_graph
from local_workspace.services.pipelines.runs import (
    DONE,
    STEP_RUN,
    SUBMITTED,
    find_pipeline_run,
    find_step,
    get_pipeline_run,
    resolve,
    reusable_step,
    steps_of,
    unfinished_runs,
)
from local_workspace.services.pipelines.schedules import (
    find_schedule,
    get_schedule,
    list_schedules,
    next_moment,
)
from local_workspace.services.pipelines.schedules import start_run as start_scheduled_run
from local_workspace.services.pipelines.wire import data_location

__all__ = [
    "DONE",
    "STEP_RUN",
    "SUBMITTED",
    "Graph",
    "Input",
    "Output",
    "SavedDataset",
    "Source",
    "Step",
    "StepOutput",
    "StoredPath",
    "Value",
    "data_location",
    "find_pipeline_run",
    "find_schedule",
    "find_step",
    "get_graph",
    "get_pipeline_run",
    "get_schedule",
    "list_schedules",
    "next_moment",
    "read_graph",
    "resolve",
    "reusable_step",
    "start_scheduled_run",
    "steps_of",
    "unfinished_runs",
    "without_ids",
]
