"""The end of a job: its files become artifacts, and how it ended becomes status and error."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_workspace.engine import jobs
from local_workspace.services import run_history
from local_workspace.services.artifact import ARTIFACT_CONTAINER, RUN_ORIGIN, run_container
from local_workspace.services.blob import BlobError
from local_workspace.store.tables.execution import JobRow
from local_workspace.workspace import LocalWorkspace

if TYPE_CHECKING:
    from local_workspace.engine.cluster import ProcessResult

_log = logging.getLogger(__name__)


def finish(
    workspace: LocalWorkspace, job: JobRow, results: dict[int, ProcessResult]
) -> tuple[str, dict[str, Any] | str | None]:
    """Keep the outputs and logs of a job; the status and error that its run ends with."""
    for rank in range(job.node_count):
        _keep_files(workspace, job, jobs.working_folder(workspace, job, rank))
    if job.cancel_requested:
        return "Canceled", None
    failed = [
        (rank, result)
        for rank, result in sorted(results.items())
        if result.reason != "exited" or result.exit_code != 0
    ]
    if not failed:
        return "Completed", None
    # A process that was ended because another one failed is not the reason.
    rank, result = next(
        ((rank, one) for rank, one in failed if one.reason != "canceled"), failed[0]
    )
    return "Failed", _error(workspace, job, rank, result)


def _keep_files(workspace: LocalWorkspace, job: JobRow, folder: Path) -> None:
    history = job.configuration.get("history") or {}
    names = ["outputs", "logs", *(history.get("directoriesToWatch") or [])]
    account = workspace.settings.storage_account
    for name in dict.fromkeys(names):
        for path in _files_below(folder / name):
            relative = path.relative_to(folder).as_posix()
            blob = f"{RUN_ORIGIN}/{run_container(job.run_id)}/{relative}"
            try:
                if workspace.blobs.exists(account, ARTIFACT_CONTAINER, blob) and name != "outputs":
                    continue
                workspace.blobs.put_file(account, ARTIFACT_CONTAINER, blob, path)
            except (BlobError, OSError) as error:
                message = f"The file '{relative}' could not be kept: {error}"
                _log.warning("Run %s: %s", job.run_id, message)
                with workspace.database.write() as session:
                    run_history.add_warning(session, job.run_id, "Outputs", message)


def _files_below(folder: Path) -> Iterator[Path]:
    for base, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(base) / name
            if path.is_file():
                yield path


def _error(
    workspace: LocalWorkspace, job: JobRow, rank: int, result: ProcessResult
) -> dict[str, Any] | str:
    log = jobs.log_of(workspace, job, rank)[1]
    if result.reason == "timed out":
        seconds = job.configuration.get("maxRunDurationSeconds")
        return {
            "code": "UserError",
            "message": f"The run was ended because it took longer than {seconds} seconds, its "
            "max_run_duration_seconds.",
        }
    if result.reason != "exited":
        return {"code": "ServiceError", "message": f"The node failed: {result.reason}"}
    try:
        told = json.loads((jobs.attempt_folder(workspace, job) / f"result-{rank}.json").read_text())
    except (FileNotFoundError, ValueError):
        told = {}
    if told.get("error"):
        return {
            "code": "UserError",
            "message": told["error"]["message"],
            "innerError": {"code": told["error"]["type"], "innerError": None},
        }
    if result.exit_code < 0:
        return {
            "code": "UserError",
            "message": f"The process of the run was killed by signal {-result.exit_code}. A "
            f"machine short of memory does that; the last lines of {log} may tell more.",
        }
    return {
        "code": "UserError",
        "message": f"AzureMLCompute job failed. JobFailed: Submitted script failed with a non-zero "
        f"exit code {result.exit_code}; see {log} for details.",
    }
