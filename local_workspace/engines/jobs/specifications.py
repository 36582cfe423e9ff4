"""What the processes of a job are told: one file for each, which its driver reads."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

from local_workspace.engines.jobs.attempt import Attempt
from local_workspace.engines.jobs.folders import (
    CALLER_FILE,
    attempt_folder,
    job_folder,
    log_path,
    result_path,
    working_folder,
)
from local_workspace.engines.jobs.inputs_and_outputs import (
    describe_inputs,
    describe_outputs,
    fill_in,
    placeholders,
)
from local_workspace.engines.jobs.ranks import rank_variables
from local_workspace.engines.jobs.references import describe_references
from local_workspace.engines.jobs.variables import callers_environment, job_environment
from local_workspace.engines.nodes import WarmProcesses
from local_workspace.services.execution import Job
from local_workspace.whole_files import write_whole
from local_workspace.workspace import LocalWorkspace


def write_specifications(
    workspace: LocalWorkspace, job: Job, attempt: Attempt, warm: WarmProcesses
) -> list[list[Path]]:
    """The specifications of an attempt: for each node, one for each of its processes.

    Raises ServiceError when what the run needs is not there any more, OSError.
    """
    folder = attempt_folder(workspace, job, attempt.number)
    folder.mkdir(parents=True, exist_ok=True)
    caller = None
    if job.is_local:
        caller = callers_environment(job_folder(workspace, job.run_id) / CALLER_FILE)
    common = job_environment(workspace, job, attempt, caller)
    of_ranks = rank_variables(job.layout, _free_ports)
    return [
        [
            _write_specification(workspace, job, attempt, rank, {**common, **of_ranks[rank]}, warm)
            for rank in job.layout.ranks_of(node)
        ]
        for node in range(job.layout.nodes)
    ]


def _write_specification(
    workspace: LocalWorkspace,
    job: Job,
    attempt: Attempt,
    rank: int,
    variables: dict[str, str],
    warm: WarmProcesses,
) -> Path:
    folder = attempt_folder(workspace, job, attempt.number)
    data = folder / f"data-{rank}"
    inputs = describe_inputs(workspace, job, data)
    outputs = describe_outputs(job, data)
    node = job.layout.node_of(rank)
    everything = {
        **variables,
        **inputs.variables,
        **outputs.variables,
        **describe_references(workspace, job, attempt.number, node),
    }
    replaced = placeholders({**inputs.arguments, **outputs.arguments}, everything)
    deadline = None
    if job.max_seconds is not None:
        deadline = time.time() + job.max_seconds - attempt.ran_seconds
    specification: dict[str, Any] = {
        "rank": rank,
        "attempt": attempt.number,
        "python": str(attempt.python),
        "warm": warm.ensure(str(attempt.python), everything),
        "folder": str(working_folder(workspace, job, attempt.number, node)),
        "log": str(log_path(workspace, job, rank)),
        "log_limit": workspace.settings.job_log_mib * 1024 * 1024,
        "result": str(result_path(workspace, job, attempt.number, rank)),
        "deadline": deadline,
        "script": job.script,
        "command": fill_in(job.command or "", replaced),
        "arguments": [fill_in(argument, replaced) for argument in job.arguments],
        "inputs": inputs.documents,
        # Every process delivers what it wrote; one of them registers it.
        "outputs": [{**document, "is_first": rank == 0} for document in outputs.documents],
        "environment": everything,
    }
    path = folder / f"process-{rank}.json"
    # It holds the token of the run.
    write_whole(path, json.dumps(specification), mode=0o600)
    return path


def _free_ports(count: int) -> list[int]:
    with_sockets = [socket.socket() for _ in range(count)]
    try:
        for one in with_sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in with_sockets]
    finally:
        for one in with_sockets:
            one.close()
