"""Submission and cancellation of runs, and the queue of their jobs. Routes are in `routes`."""

from local_workspace.services.execution.job import (
    Job,
    JobEnvironment,
    JobInput,
    JobOutput,
    JobReference,
    Layout,
    Registration,
)
from local_workspace.services.execution.parsing import parse_job, parse_submission
from local_workspace.services.execution.queue import (
    change_job,
    end_job,
    find_job,
    job_of,
    jobs_on,
    jobs_with_logs_from_before,
    request_cancel,
    unfinished_jobs,
)
from local_workspace.services.execution.records import (
    add_job,
    cancel_run,
    cancel_uri,
    check_job,
    start_job,
    submit_run,
)
from local_workspace.services.execution.wire import input_lineage

__all__ = [
    "Job",
    "JobEnvironment",
    "JobInput",
    "JobOutput",
    "JobReference",
    "Layout",
    "Registration",
    "add_job",
    "cancel_run",
    "cancel_uri",
    "change_job",
    "check_job",
    "end_job",
    "find_job",
    "input_lineage",
    "job_of",
    "jobs_on",
    "jobs_with_logs_from_before",
    "parse_job",
    "parse_submission",
    "request_cancel",
    "start_job",
    "submit_run",
    "unfinished_jobs",
]
