"""The end of a job: its files become artifacts, and how it ended becomes status and error."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from local_workspace.engines.jobs.folders import log_artifact, result_path, working_folder
from local_workspace.engines.jobs.references import Stopped, deliver_references
from local_workspace.engines.nodes import NodeOutcome, ProcessOutcome
from local_workspace.errors import ServiceError, StorageFull
from local_workspace.services import run_history
from local_workspace.services.artifact import ARTIFACT_CONTAINER, RUN_ORIGIN, run_container
from local_workspace.services.execution import Job
from local_workspace.store.blobs import BlobError
from local_workspace.workspace import LocalWorkspace

_log = logging.getLogger(__name__)

_FILES_AT_ONCE = 8

Ending = tuple[str, dict[str, Any] | None]


def keep_files(workspace: LocalWorkspace, job: Job, attempt: int, stop: Callable[[], bool]) -> None:
    """Keep the outputs and logs of a job as artifacts of its run, until `stop` says to end.

    Nothing is kept of one that says so (history.output_collection=False); what it printed was
    carried into its log already. Raises StorageFull when the disk has no room for them.
    """
    if not job.collects_outputs:
        return

    def keep(found: tuple[Path, Path]) -> None:
        if not stop():
            _keep_file(workspace, job, *found)

    # Each file waits for the disk several times: together they wait much less.
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        for node in range(job.layout.nodes):
            folder = working_folder(workspace, job, attempt, node)
            # Node by node: of two files with the same name the last one stays.
            list(pool.map(keep, ((folder, path) for path in _files_to_keep(job, folder))))


def _files_to_keep(job: Job, folder: Path) -> Iterator[Path]:
    names = ["outputs", "logs", *job.watched_folders]
    return (path for name in dict.fromkeys(names) for path in _files_below(folder / name))


def _keep_file(workspace: LocalWorkspace, job: Job, folder: Path, path: Path) -> None:
    account = workspace.settings.storage_account
    relative = path.relative_to(folder).as_posix()
    blob = f"{RUN_ORIGIN}/{run_container(job.run_id)}/{relative}"
    # What the SDK streamed from other folders on the way is there already.
    is_output = relative.startswith("outputs/")
    try:
        if is_output or not workspace.blobs.exists(account, ARTIFACT_CONTAINER, blob):
            workspace.blobs.put_file(account, ARTIFACT_CONTAINER, blob, path)
    except (BlobError, OSError) as error:
        if isinstance(error, BlobError) and error.code == StorageFull.code:
            # Nothing is lost: it is kept when there is room again.
            raise
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


def ending(
    workspace: LocalWorkspace, job: Job, attempt: int, outcomes: list[NodeOutcome]
) -> Ending:
    """The status and the error that a run ends with when its nodes ended so."""
    for outcome in outcomes:
        if outcome.failure is not None:
            message = f"The node failed: {outcome.failure}"
            return "Failed", {"code": "ServiceError", "message": message}
    layout = job.layout
    processes = [process for outcome in outcomes for process in outcome.processes]
    # Parameter servers serve until they are ended.
    workers = layout.processes - layout.parameter_servers
    bad = [one for one in processes if not one.is_good and one.rank < workers]
    if not bad:
        return "Completed", None
    # A process that was ended because another one failed is not the reason.
    reason = next((one for one in bad if one.reason != "canceled"), bad[0])
    if reason.reason == "timed out":
        return "Canceled", _timed_out(job)
    return "Failed", _error(workspace, job, attempt, reason)


def write_back(
    workspace: LocalWorkspace,
    job: Job,
    attempt: int,
    end: Ending,
    stop: Callable[[], bool],
    say: Callable[[str], None],
) -> Ending:
    """Write what a job has in its data references to their datastores; how the run ends then.

    A run whose files cannot be written has failed; `say` tells its log. Raises StorageFull.
    """
    try:
        deliver_references(workspace, job, attempt, stop, say, succeeded=end[0] == "Completed")
    except Stopped:
        return end
    except ServiceError as error:
        if error.code == StorageFull.code:
            raise
        say(error.message)
        if end[0] == "Completed":
            return "Failed", {"code": "UserError", "message": error.message}
    return end


def _timed_out(job: Job) -> dict[str, Any]:
    return {
        "code": "UserError",
        "message": f"The run was canceled because it took longer than {job.max_seconds} "
        "seconds, which is its max_run_duration_seconds.",
        "innerError": {"code": "JobTimeout", "innerError": None},
    }


def _error(
    workspace: LocalWorkspace, job: Job, attempt: int, process: ProcessOutcome
) -> dict[str, Any]:
    told = _told_by_the_driver(result_path(workspace, job, attempt, process.rank))
    if told is not None:
        kind, message = told["type"], told["message"]
        trace = told.get("traceback")
        told_whole = f"User program failed with {kind}: {message}"
        return {
            "code": "UserError",
            # The SDK shows nothing of debugInfo: the traceback has to be in the message.
            "message": f"{told_whole}\n{trace}" if trace else told_whole,
            "innerError": {"code": kind, "innerError": None},
            "debugInfo": {
                "type": kind,
                "message": message,
                "stackTrace": trace,
                "innerException": None,
                "data": None,
                "errorResponse": None,
            },
        }
    log = log_artifact(job, process.rank)
    if process.exit_code < 0:
        number = -process.exit_code
        name = signal.Signals(number).name if number in set(signal.Signals) else "unknown"
        message = (
            f"The process of the run was killed by signal {number} ({name}). A machine short of "
            f"memory does that; the last lines of {log} may tell more."
        )
    else:
        message = (
            "AzureMLCompute job failed. JobFailed: Submitted script failed with a non-zero exit "
            f"code {process.exit_code}; see the log file {log} for details."
        )
    return {
        "code": "UserError",
        "message": message,
        "innerError": {"code": "JobFailed", "innerError": None},
    }


def _told_by_the_driver(result: Path) -> dict[str, Any] | None:
    try:
        told = json.loads(result.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return told.get("error")
