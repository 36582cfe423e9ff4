"""Where the files of a job lie until it has ended: everything below one folder a run."""

from __future__ import annotations

import shutil
from pathlib import Path

from local_workspace.services import content
from local_workspace.services.execution import Job
from local_workspace.workspace import LocalWorkspace

# Names in the folder of a local run, which the script of the SDK's side uses too.
START_FILE = "start"
CALLER_FILE = "environment.json"
KILL_FILE = "kill"


def job_folder(workspace: LocalWorkspace, run_id: str) -> Path:
    """Everything of a job on disk, until it has ended."""
    return workspace.paths.runs / run_id


def attempt_folder(workspace: LocalWorkspace, job: Job, attempt: int) -> Path:
    """Where an attempt has its files, specifications and results.

    Each has its own: the processes of a lost node may live a moment longer than it.
    """
    return job_folder(workspace, job.run_id) / f"attempt-{attempt}"


def working_folder(workspace: LocalWorkspace, job: Job, attempt: int, node: int = 0) -> Path:
    """Where the processes of a node run."""
    given = local_start(workspace, job)
    if given is not None:
        return given
    return attempt_folder(workspace, job, attempt) / f"node-{node}"


def log_path(workspace: LocalWorkspace, job: Job, rank: int) -> Path:
    """The file that a process writes its output to."""
    return job_folder(workspace, job.run_id) / job.layout.log_name(rank)


def log_artifact(job: Job, rank: int) -> str:
    """The artifact that the output of a process becomes."""
    return f"user_logs/{job.layout.log_name(rank)}"


def result_path(workspace: LocalWorkspace, job: Job, attempt: int, rank: int) -> Path:
    """Where the driver of a process says how the user's script ended."""
    return attempt_folder(workspace, job, attempt) / f"result-{rank}.json"


def local_start(workspace: LocalWorkspace, job: Job) -> Path | None:
    """For compute_target='local': the folder in which the SDK's side started the run, or None."""
    if not job.is_local:
        return None
    try:
        folder = (job_folder(workspace, job.run_id) / START_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return Path(folder.rstrip("\n"))


def local_kill(workspace: LocalWorkspace, job: Job) -> bool:
    """For compute_target='local': whether the SDK's side canceled the run."""
    return job.is_local and (job_folder(workspace, job.run_id) / KILL_FILE).exists()


def restore_files(workspace: LocalWorkspace, job: Job, attempt: int) -> None:
    """The files of the snapshot in a fresh working folder for each node. Raises NotFound."""
    shutil.rmtree(attempt_folder(workspace, job, attempt), ignore_errors=True)
    for node in range(job.layout.nodes):
        target = working_folder(workspace, job, attempt, node)
        target.mkdir(parents=True)
        if job.snapshot_id:
            content.restore_snapshot(workspace, job.snapshot_id, target)


def forget(folder: Path) -> None:
    """Delete the folder of a job that has ended; a local run's working folder is the user's.

    The script that the SDK started for a local run sees that the folder is gone.
    """
    shutil.rmtree(folder, ignore_errors=True)
