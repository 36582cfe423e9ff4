"""Run history: experiments and runs. The routes are in the module `routes`."""

from local_workspace.services.run_history.changes import ExperimentChanges, RunChanges
from local_workspace.services.run_history.client_events import apply_event
from local_workspace.services.run_history.experiments import (
    delete_experiment_tags,
    ensure_experiment,
    find_experiment,
    get_experiment,
    get_experiment_by_id,
    query_experiments,
    update_experiment,
)
from local_workspace.services.run_history.mlflow_state import (
    add_mlflow_inputs,
    log_params,
    reopen_run,
    run_ids_by_start,
    runs_by_id,
    runs_to_search,
    set_deleted,
)
from local_workspace.services.run_history.paging import Page
from local_workspace.services.run_history.parsing import text_map
from local_workspace.services.run_history.queries import count_by_status, query_runs
from local_workspace.services.run_history.records import (
    STATUSES,
    TERMINAL_STATUSES,
    add_warning,
    add_warnings,
    check_run,
    delete_run_tags,
    find_run,
    get_run,
    new_run_id,
    set_status,
    upsert_run,
)
from local_workspace.services.run_history.wire import run_details_dto, run_dto, user_dto

__all__ = [
    "STATUSES",
    "TERMINAL_STATUSES",
    "ExperimentChanges",
    "Page",
    "RunChanges",
    "add_mlflow_inputs",
    "add_warning",
    "add_warnings",
    "apply_event",
    "check_run",
    "count_by_status",
    "delete_experiment_tags",
    "delete_run_tags",
    "ensure_experiment",
    "find_experiment",
    "find_run",
    "get_experiment",
    "get_experiment_by_id",
    "get_run",
    "log_params",
    "new_run_id",
    "query_experiments",
    "query_runs",
    "reopen_run",
    "run_details_dto",
    "run_dto",
    "run_ids_by_start",
    "runs_by_id",
    "runs_to_search",
    "set_deleted",
    "set_status",
    "text_map",
    "update_experiment",
    "upsert_run",
    "user_dto",
]
