"""What ended runs leave behind is cleared away: folders at once, logs by their age."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from local_workspace.clock import utc_now
from local_workspace.engines.jobs.folders import forget
from local_workspace.services.artifact import (
    LOG_PREFIXES,
    RUN_ORIGIN,
    delete_artifact,
    list_artifacts,
    run_container,
)
from local_workspace.services.execution import (
    change_job,
    jobs_with_logs_from_before,
    unfinished_jobs,
)
from local_workspace.workspace import LocalWorkspace


def is_needed(workspace: LocalWorkspace) -> bool:
    """Whether an earlier server has left something that may have to go."""
    return any(_folders(workspace)) or bool(_with_old_logs(workspace))


def tidy(workspace: LocalWorkspace) -> None:
    """Delete the folders of jobs that have ended, and logs older than the setting says."""
    # In this order: a folder that is made from now on is not among those found.
    folders = _folders(workspace)
    with workspace.database.read() as session:
        unfinished = set(unfinished_jobs(session))
    for folder in folders:
        if folder.name not in unfinished:
            forget(folder)
    for run_id in _with_old_logs(workspace):
        container = run_container(run_id)
        for prefix in LOG_PREFIXES:
            for artifact in list_artifacts(workspace, RUN_ORIGIN, container, prefix):
                delete_artifact(workspace, RUN_ORIGIN, container, artifact.path)
        with workspace.database.write() as session:
            change_job(session, run_id, has_logs=False)


def _folders(workspace: LocalWorkspace) -> list[Path]:
    # The nodes' own folder begins with a dot.
    return [path for path in workspace.paths.runs.glob("*") if not path.name.startswith(".")]


def _with_old_logs(workspace: LocalWorkspace) -> list[str]:
    days = workspace.settings.keep_logs_days
    if not days:
        return []
    with workspace.database.read() as session:
        return jobs_with_logs_from_before(session, utc_now() - timedelta(days=days))
