"""What a job needs before it can run: its folder, its files, its Python, its specification."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from local_workspace.client_environment import client_environment, server_environment
from local_workspace.engine.environments import EnvironmentBuilder
from local_workspace.engine.job_data import describe_inputs, describe_outputs, fill_in
from local_workspace.services import content, environment, run_history
from local_workspace.services.artifact import RUN_ORIGIN, append_artifact, run_container
from local_workspace.store.tables.execution import JobRow
from local_workspace.workspace import LocalWorkspace

BUILD_LOG = "azureml-logs/20_image_build_log.txt"
TOKEN_SECONDS = 24 * 3600
# A job signs in as its run: what signs a user in stays outside.
_NOT_FOR_JOBS = frozenset(
    {
        "MSI_ENDPOINT",
        "MSI_SECRET",
        "APPSETTING_WEBSITE_SITE_NAME",
        "AZURE_STORAGE_ACCOUNT",
        "AZURE_STORAGE_KEY",
        "PYTHONPATH",
        "PYTHONHOME",
        "VIRTUAL_ENV",
    }
)


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
    """The files of the snapshot in a fresh working folder for each process. Raises NotFound."""
    for rank in range(job.node_count):
        target = working_folder(workspace, job, rank)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        if job.snapshot_id:
            content.restore_snapshot(workspace, job.snapshot_id, target)


def working_folder(workspace: LocalWorkspace, job: JobRow, rank: int = 0) -> Path:
    """Where the process `rank` of a job runs."""
    given = local_start(workspace, job)
    if given is not None:
        return Path(given["folder"])
    return job_folder(workspace, job.run_id) / f"files-{rank}"


def local_start(workspace: LocalWorkspace, job: JobRow) -> dict[str, str] | None:
    """For compute_target='local': what the SDK's side said when it started the run, or None."""
    if job.kind != "local":
        return None
    try:
        folder = (job_folder(workspace, job.run_id) / "start").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return {"folder": folder.rstrip("\n")}


def log_of(workspace: LocalWorkspace, job: JobRow, rank: int) -> tuple[Path, str]:
    """The file that a process writes its output to, and the artifact this becomes."""
    name = "std_log.txt" if job.node_count == 1 else f"std_log_process_{rank}.txt"
    return job_folder(workspace, job.run_id) / name, f"user_logs/{name}"


def attempt_folder(workspace: LocalWorkspace, job: JobRow) -> Path:
    """Where an attempt keeps its specifications and results."""
    return job_folder(workspace, job.run_id) / f"attempt-{job.attempts}"


def write_specifications(workspace: LocalWorkspace, job: JobRow) -> list[Path]:
    """One specification for each process of the present attempt."""
    folder = attempt_folder(workspace, job)
    folder.mkdir(parents=True, exist_ok=True)
    configuration = job.configuration
    common = _environment(workspace, job)
    port = _free_port()
    paths = []
    for rank in range(job.node_count):
        files = working_folder(workspace, job, rank)
        inputs = describe_inputs(workspace, configuration, files.parent / f"data-{rank}")
        outputs = describe_outputs(configuration, job.run_id, files.parent / f"data-{rank}")
        replaced = {**inputs.arguments, **outputs.arguments}
        maximum = configuration.get("maxRunDurationSeconds")
        specification = {
            "rank": rank,
            "python": job.python,
            "folder": str(files),
            "log": str(log_of(workspace, job, rank)[0]),
            "result": str(folder / f"result-{rank}.json"),
            "deadline": job.started + maximum if maximum else None,
            "script": configuration.get("script"),
            "command": fill_in(str(configuration.get("command") or ""), replaced),
            "arguments": [
                fill_in(str(argument), replaced)
                for argument in configuration.get("arguments") or []
            ],
            "inputs": inputs.documents,
            "outputs": outputs.documents if rank == 0 else [],
            "environment": {
                **common,
                **inputs.variables,
                **outputs.variables,
                **_rank_variables(rank, job.node_count, port),
            },
        }
        path = folder / f"process-{rank}.json"
        # It holds the token of the run.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(specification, file)
        paths.append(path)
    return paths


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _rank_variables(rank: int, count: int, port: int) -> dict[str, str]:
    """What distributed frameworks look for, in the words of MPI, PyTorch and Azure Batch."""
    address = "127.0.0.1"
    return {
        "AZUREML_NODE_COUNT": str(count),
        "AZ_BATCH_NODE_LIST": ";".join([address] * count),
        "AZ_BATCH_HOST_LIST": ",".join([address] * count),
        "AZ_BATCH_MASTER_NODE": f"{address}:{port}",
        "AZ_BATCHAI_MPI_MASTER_NODE": address,
        "AZ_BATCH_IS_CURRENT_NODE_MASTER": "true" if rank == 0 else "false",
        "OMPI_COMM_WORLD_RANK": str(rank),
        "OMPI_COMM_WORLD_SIZE": str(count),
        "OMPI_COMM_WORLD_LOCAL_RANK": "0",
        "OMPI_COMM_WORLD_LOCAL_SIZE": "1",
        "MASTER_ADDR": address,
        "MASTER_PORT": str(port),
        "NODE_RANK": str(rank),
        "RANK": str(rank),
        "LOCAL_RANK": "0",
        "WORLD_SIZE": str(count),
    }


def _environment(workspace: LocalWorkspace, job: JobRow) -> dict[str, str]:
    settings = workspace.settings
    with workspace.database.read() as session:
        run = run_history.get_run(session, job.run_id)
    token, expires = workspace.tokens.issue(
        workspace.origin, run_id=job.run_id, lifetime=TOKEN_SECONDS
    )
    base = server_environment(os.environ)
    variables = {**base, **client_environment(workspace.paths, settings, base, all_roots=True)}
    for name in _NOT_FOR_JOBS:
        variables.pop(name, None)
    home = workspace.paths.sdk / "job-home"
    home.mkdir(parents=True, exist_ok=True)
    scope = (
        f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{settings.workspace_name}"
    )
    definition = job.configuration.get("environment") or {}
    given = {
        **(definition.get("environmentVariables") or {}),
        **(job.configuration.get("environmentVariables") or {}),
    }
    variables.update(
        {
            "HOME": str(home),
            "PATH": f"{Path(job.python).parent}{os.pathsep}{variables.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
            **{name: str(value) for name, value in given.items()},
            "AZUREML_RUN_ID": job.run_id,
            "AZUREML_ROOT_RUN_ID": run.root_run_id,
            "AZUREML_RUN_TOKEN": token,
            "AZUREML_RUN_TOKEN_EXPIRY": str(expires),
            "AZUREML_ARM_SUBSCRIPTION": settings.subscription_id,
            "AZUREML_ARM_RESOURCEGROUP": settings.resource_group,
            "AZUREML_ARM_WORKSPACE_NAME": settings.workspace_name,
            "AZUREML_ARM_PROJECT_NAME": job.experiment_name,
            "AZUREML_EXPERIMENT_ID": run.experiment_id,
            "AZUREML_WORKSPACE_ID": settings.workspace_id,
            "AZUREML_WORKSPACE_SCOPE": scope,
            "AZUREML_EXPERIMENT_SCOPE": f"{scope}/experiments/{job.experiment_name}",
            "AZUREML_SERVICE_ENDPOINT": workspace.origin,
            "AZUREML_DISCOVERY_SERVICE_ENDPOINT": workspace.discovery_url,
            "AZUREML_RUN_ATTEMPT": str(job.attempts),
            "AZUREML_SCRIPT_DIRECTORY_NAME": ".",
            "MLFLOW_TRACKING_URI": f"azureml://localhost:{workspace.port}/mlflow/v2.0{scope}?",
            "MLFLOW_TRACKING_TOKEN": token,
            "MLFLOW_RUN_ID": job.run_id,
            "MLFLOW_EXPERIMENT_ID": run.experiment_id,
            "MLFLOW_EXPERIMENT_NAME": job.experiment_name,
        }
    )
    return variables


def forget(workspace: LocalWorkspace, job: JobRow) -> None:
    """Delete the folder of a job that has ended; a local run's own folder is the user's."""
    folder = job_folder(workspace, job.run_id)
    if job.kind == "local":
        folder.mkdir(parents=True, exist_ok=True)
        # Ends the script that waits for it; see `local_run`.
        (folder / "done").touch()
    else:
        shutil.rmtree(folder, ignore_errors=True)
