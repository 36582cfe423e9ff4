"""What a job needs before it can run: its folder, its files, its Python, its specifications."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_workspace.engines.environments.builder import EnvironmentBuilder
from local_workspace.engines.jobs.inputs_and_outputs import (
    describe_inputs,
    describe_outputs,
    fill_in,
)
from local_workspace.engines.jobs.variables import callers_environment, job_environment
from local_workspace.services import content, environment
from local_workspace.services.artifact import RUN_ORIGIN, append_artifact, run_container
from local_workspace.services.execution.layout import layout_of, rank_variables
from local_workspace.store.tables.execution import JobRow
from local_workspace.workspace import LocalWorkspace

BUILD_LOG = "azureml-logs/20_image_build_log.txt"
# Names in the folder of a local run, which the script of the SDK's side uses too.
START_FILE = "start"
CALLER_FILE = "environment.json"
KILL_FILE = "kill"


def job_folder(workspace: LocalWorkspace, run_id: str) -> Path:
    """Everything of a job on disk, until it has ended."""
    return workspace.paths.runs / run_id


def write_build_log(workspace: LocalWorkspace, run_id: str, line: str) -> None:
    """Append a line to the log of a run's environment."""
    append_artifact(workspace, RUN_ORIGIN, run_container(run_id), BUILD_LOG, f"{line}\n".encode())


def prepare_environment(workspace: LocalWorkspace, job: JobRow, stop: Callable[[], bool]) -> Path:
    """The Python of the job's environment, built if need be.

    Raises EnvironmentBuildError, and NotFound for a registered environment that is not there.
    """
    definition = job.configuration.get("environment") or {}
    if not definition.get("python") and definition.get("name"):
        with workspace.database.read() as session:
            definition = environment.get_environment(
                session, definition["name"], definition.get("version")
            ).definition
    definition = environment.with_files_of_private_packages(workspace, definition)

    def log(line: str) -> None:
        write_build_log(workspace, job.run_id, line)

    docker = job.configuration.get("docker") or {}
    if docker.get("useDocker") or (definition.get("docker") or {}).get("enabled"):
        log(
            "The run asks for Docker. The local workspace starts no containers: the run has the "
            "same Python packages, in a virtual environment of this machine."
        )
    return EnvironmentBuilder(workspace.paths.environments).ensure(definition, log, stop)


def restore_files(workspace: LocalWorkspace, job: JobRow) -> None:
    """The files of the snapshot in a fresh working folder for each node. Raises NotFound."""
    attempt = job.attempts + 1
    shutil.rmtree(attempt_folder(workspace, job, attempt), ignore_errors=True)
    for node in range(job.node_count):
        target = working_folder(workspace, job, node, attempt)
        target.mkdir(parents=True)
        if job.snapshot_id:
            content.restore_snapshot(workspace, job.snapshot_id, target)


def attempt_folder(workspace: LocalWorkspace, job: JobRow, attempt: int | None = None) -> Path:
    """Where an attempt (the present one) has its files, specifications and results.

    Each has its own: the processes of a lost node may live a moment longer than it.
    """
    return job_folder(workspace, job.run_id) / f"attempt-{attempt or job.attempts}"


def working_folder(
    workspace: LocalWorkspace, job: JobRow, node: int = 0, attempt: int | None = None
) -> Path:
    """Where the processes of a node run."""
    given = local_start(workspace, job)
    if given is not None:
        return given
    return attempt_folder(workspace, job, attempt) / f"node-{node}"


def local_start(workspace: LocalWorkspace, job: JobRow) -> Path | None:
    """For compute_target='local': the folder in which the SDK's side started the run, or None."""
    if job.kind != "local":
        return None
    try:
        folder = (job_folder(workspace, job.run_id) / START_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return Path(folder.rstrip("\n"))


def local_kill(workspace: LocalWorkspace, job: JobRow) -> bool:
    """For compute_target='local': whether the SDK's side canceled the run."""
    return job.kind == "local" and (job_folder(workspace, job.run_id) / KILL_FILE).exists()


def log_of(workspace: LocalWorkspace, job: JobRow, rank: int) -> tuple[Path, str]:
    """The file that a process writes its output to, and the artifact this becomes."""
    name = layout_of(job.configuration).log_name(rank)
    return job_folder(workspace, job.run_id) / name, f"user_logs/{name}"


def note_in_logs(workspace: LocalWorkspace, job: JobRow, line: str) -> None:
    """Write a line of the engine into the log that users watch, and into that of preparations."""
    write_build_log(workspace, job.run_id, line)
    with open(log_of(workspace, job, 0)[0], "a", encoding="utf-8") as log:
        log.write(f"{line}\n")


def write_specifications(workspace: LocalWorkspace, job: JobRow) -> list[list[Path]]:
    """The specifications of the present attempt: for each node, one for each of its processes.

    Raises ServiceError when what the run needs is not there any more.
    """
    folder = attempt_folder(workspace, job)
    folder.mkdir(parents=True, exist_ok=True)
    layout = layout_of(job.configuration)
    caller = callers_environment(job_folder(workspace, job.run_id) / CALLER_FILE)
    common = job_environment(workspace, job, caller if job.kind == "local" else None)
    of_ranks = rank_variables(layout, _free_ports)
    return [
        [
            _write_specification(workspace, job, rank, {**common, **of_ranks[rank]})
            for rank in layout.ranks_of(node)
        ]
        for node in range(layout.nodes)
    ]


def _write_specification(
    workspace: LocalWorkspace, job: JobRow, rank: int, variables: dict[str, str]
) -> Path:
    configuration = job.configuration
    folder = attempt_folder(workspace, job)
    data = folder / f"data-{rank}"
    inputs = describe_inputs(
        workspace, configuration, data, is_shared=layout_of(configuration).processes > 1
    )
    outputs = describe_outputs(configuration, job.run_id, data)
    replaced = {**inputs.arguments, **outputs.arguments}
    maximum = configuration.get("maxRunDurationSeconds")
    node = layout_of(configuration).node_of(rank)
    everything = {**variables, **inputs.variables, **outputs.variables}
    specification: dict[str, Any] = {
        "rank": rank,
        "attempt": job.attempts,
        "python": job.python,
        "warm": workspace.engine.warm.ensure(job.python, everything),
        "folder": str(working_folder(workspace, job, node)),
        "log": str(log_of(workspace, job, rank)[0]),
        "log_limit": workspace.settings.job_log_mib * 1024 * 1024,
        "result": str(result_file(workspace, job, rank)),
        "deadline": job.started + maximum if maximum else None,
        "script": configuration.get("script"),
        "command": fill_in(str(configuration.get("command") or ""), replaced),
        "arguments": [
            fill_in(str(argument), replaced) for argument in configuration.get("arguments") or []
        ],
        "inputs": inputs.documents,
        # Every process delivers what it wrote; one of them registers it.
        "outputs": [{**document, "is_first": rank == 0} for document in outputs.documents],
        "environment": everything,
    }
    path = folder / f"process-{rank}.json"
    # It holds the token of the run.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(specification, file)
    return path


def result_file(workspace: LocalWorkspace, job: JobRow, rank: int) -> Path:
    """Where the driver of a process says how the user's script ended."""
    return attempt_folder(workspace, job) / f"result-{rank}.json"


def _free_ports(count: int) -> list[int]:
    with_sockets = [socket.socket() for _ in range(count)]
    try:
        for one in with_sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in with_sockets]
    finally:
        for one in with_sockets:
            one.close()


def forget(workspace: LocalWorkspace, job: JobRow) -> None:
    """Delete the folder of a job that has ended; a local run's working folder is the user's.

    The script that the SDK started for a local run sees that the folder is gone; see `local_run`.
    """
    shutil.rmtree(job_folder(workspace, job.run_id), ignore_errors=True)


def forget_others(workspace: LocalWorkspace, run_ids: set[str]) -> None:
    """Delete what jobs left behind that are not among `run_ids`."""
    for folder in workspace.paths.runs.glob("*"):
        if folder.name not in run_ids:
            shutil.rmtree(folder, ignore_errors=True)
