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
from local_workspace.services.execution.records import cancel_run, submit_run

__all__ = [
    "Job",
    "JobEnvironment",
    "JobInput",
    "JobOutput",
    "JobReference",
    "Layout",
    "Registration",
    "cancel_run",
    "change_job",
    "end_job",
    "find_job",
    "job_of",
    "jobs_on",
    "jobs_with_logs_from_before",
    "request_cancel",
    "submit_run",
    "unfinished_jobs",
]
