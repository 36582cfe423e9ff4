"""The steps of a job, from the queue to its end: each does what can be done at once.

A step reads how far the job is from the table, and writes down how far it has come; what is held of
a job is only what its own processes and helpers have told.
"""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timezone
from pathlib import Path
from typing import Any

from local_workspace.engines.base import Engine
from local_workspace.engines.environments import Wanted
from local_workspace.engines.jobs.attempt import Attempt, News, read_outcomes, write_outcomes
from local_workspace.engines.jobs.clusters import ClusterQueues
from local_workspace.engines.jobs.finishing import ending, keep_files, write_back
from local_workspace.engines.jobs.folders import (
    attempt_folder,
    job_folder,
    local_kill,
    local_start,
    restore_files,
)
from local_workspace.engines.jobs.logs import JobLogs
from local_workspace.engines.jobs.preparing import want_environment
from local_workspace.engines.jobs.references import (
    Stopped,
    place_references,
)
from local_workspace.engines.jobs.specifications import write_specifications
from local_workspace.engines.nodes import (
    CANCEL_FILE,
    NodeKeeper,
    NodeOutcome,
    ProcessOutcome,
    WarmProcesses,
    run_node,
)
from local_workspace.errors import ServiceError, StorageFull
from local_workspace.services import run_history
from local_workspace.services.artifact import ArtifactLog
from local_workspace.services.execution import (
    Job,
    change_job,
    end_job,
    find_job,
    request_cancel,
)
from local_workspace.store.tables.execution import JobRow
from local_workspace.workspace import LocalWorkspace

_log = logging.getLogger(__name__)

# While a job runs: how often its log is carried on.
TICK_SECONDS = 0.25
# A job whose node is lost is given to another one until it was lost so often.
MAX_LOSSES = 3
# How long the SDK may take from asking for a local run to starting it.
_LOCAL_START_SECONDS = 300
# How often it is written down how long a job has run.
_RAN_SECONDS = 10.0
_STOPPED = "The local workspace was stopped"


@dataclass
class Held:
    """What is held of a job that has not ended: nothing that the tables do not have, or can have
    again."""

    job: Job
    logs: JobLogs
    wanted: Wanted | None = None
    build_log: ArtifactLog | None = None
    restored: int = 0
    # Of the attempt that runs, when this server started it.
    news: News | None = None
    ran_noted: float = 0.0
    is_asked_to_end: bool = False
    cancel_asked: bool = False


class JobSteps(Engine):
    """What the jobs engine does to a job; `JobsEngine` says when."""

    def __init__(self, workspace: LocalWorkspace) -> None:
        super().__init__(workspace)
        # Why a job must end, whatever it does: an error for its run.
        self._dooms: dict[str, Any] = {}
        self._local = ThreadPoolExecutor(16, "local-run")
        self.warm = WarmProcesses()
        self.nodes = NodeKeeper(workspace, lambda key: self.wake(("compute", key)))
        self._queues = ClusterQueues(workspace, self.nodes)

    @abstractmethod
    def cancel(self, run_id: str) -> None:
        """A job, whose cancellation is requested in the queue, is to end wherever it is."""

    def _look_at_job(self, held: Held, row: JobRow) -> float | None:
        job = held.job
        if not row.cancel_requested and local_kill(self.workspace, job):
            with self.workspace.database.write() as session:
                request_cancel(session, job.run_id)
            self.cancel(job.run_id)
            return None
        held.cancel_asked = row.cancel_requested
        doom = self._dooms.get(job.run_id)
        if doom is not None and row.state != "ending":
            self._end_processes(held)
            held.logs.carry_on(None)
            return self._end(job.run_id, "Failed", doom)
        if row.state == "submitted":
            return self._prepare(held, row)
        if row.state == "queued":
            return self._wait_or_run(held, row)
        if row.state == "running":
            return self._watch(held, row)
        self.aside(lambda: self._finish(held, row))
        return None

    def _change(self, job: Job, *, status: str | None = None, **changes: Any) -> None:
        """Keep the changes of a job, and the status of its run, in one transaction."""
        with self.workspace.database.write() as session:
            change_job(session, job.run_id, status=status, **changes)
        if status is not None:
            _log.info("Run %s: %s", job.run_id, status)

    def _end(self, run_id: str, status: str, error: Any = None) -> float:
        """End a job and its run; it is looked at once more, to be let go."""
        with self.workspace.database.write() as session:
            status = end_job(session, run_id, status, error)
        _log.info("Run %s: %s", run_id, status)
        return 0.0

    def _prepare(self, held: Held, row: JobRow) -> float | None:
        """From the queue to its environment and its files."""
        job = held.job
        if row.cancel_requested:
            return self._end(job.run_id, "Canceled")
        if job.is_local and local_start(self.workspace, job) is None:
            asked = row.submitted.replace(tzinfo=timezone.utc).timestamp()
            if time.time() - asked > _LOCAL_START_SECONDS:
                message = "The SDK asked for a local run and never started it."
                return self._end(job.run_id, "Failed", message)
            return TICK_SECONDS
        if job.compute is not None:
            self.wake(("compute", job.compute))
        key = ("job", job.run_id)
        try:
            if held.wanted is None:
                self._change(job, status="Preparing")
                held.wanted, held.build_log = want_environment(
                    self.workspace, job, lambda: self.wake(key)
                )
            python = held.wanted.python()
        except ServiceError as error:
            if error.code == StorageFull.code:
                raise
            if held.build_log is not None:
                held.build_log.flush()
            return self._end(job.run_id, "Failed", str(error))
        if python is None:
            # Its environment wakes it; the SDK's side of a local run says nothing.
            return TICK_SECONDS if job.is_local else None
        attempt = row.attempts + 1
        if held.restored != attempt and (not job.is_local or job.references):
            self.aside(lambda: self._restore(held, attempt))
            return None
        assert held.build_log is not None, "it comes with what is wanted"
        held.build_log.flush()
        self._warn_of(job, held.wanted.replaced)
        self._change(job, status="Queued", state="queued", python=str(python))
        held.wanted = held.build_log = None
        return 0.0

    def _warn_of(self, job: Job, replaced: list[str]) -> None:
        """Have the run say which packages are there in other versions than were asked for."""
        if not replaced:
            return
        with self.workspace.database.write() as session:
            for sentence in replaced:
                run_history.add_warning(session, job.run_id, "Environment", sentence)

    def _restore(self, held: Held, attempt: int) -> None:
        job = held.job
        try:
            if not job.is_local:
                restore_files(self.workspace, job, attempt)
            place_references(
                self.workspace,
                job,
                attempt,
                lambda: self.is_closing or held.cancel_asked,
                held.logs.note,
            )
        except Stopped:
            return
        except ServiceError as error:
            if error.code == StorageFull.code:
                raise
            self._dooms[job.run_id] = str(error)
        held.restored = attempt

    def _wait_or_run(self, held: Held, row: JobRow) -> float | None:
        """From the queue to its nodes, once they are granted."""
        job = held.job
        if row.cancel_requested:
            return self._end(job.run_id, "Canceled")
        if job.is_local and local_start(self.workspace, job) is None:
            message = "The folder of this local run was deleted: submit it again."
            return self._end(job.run_id, "Failed", message)
        if job.compute is not None and not self._queues.is_granted(job.run_id):
            self.wake(("compute", job.compute))
            return None
        attempt = Attempt(row.attempts + 1, Path(row.python), row.ran_seconds)
        try:
            specifications = write_specifications(self.workspace, job, attempt, self.warm)
        except ServiceError as error:
            if error.code == StorageFull.code:
                raise
            return self._end(job.run_id, "Failed", str(error))
        self._change(job, status="Running", state="running", attempts=attempt.number)
        held.news = News(attempt.number)
        held.ran_noted = time.monotonic()
        held.is_asked_to_end = False
        try:
            self._give_to_nodes(job, attempt, specifications, held.news)
        except BaseException:
            # It runs nowhere: the next look gives it back to the queue.
            held.news = None
            raise
        return TICK_SECONDS

    def _give_to_nodes(
        self, job: Job, attempt: Attempt, specifications: list[list[Path]], news: News
    ) -> None:
        def done(node: int, outcome: NodeOutcome) -> None:
            news.tell(attempt.number, node, outcome)
            self.wake(("job", job.run_id))

        if job.compute is None:
            self._local.submit(_run_here, specifications[0], done)
            return
        cluster = self.nodes.cluster(job.compute)
        if cluster is None:
            # Its nodes went while its files were written: as if they had gone a moment later.
            for node in range(job.layout.nodes):
                done(node, NodeOutcome(is_lost=True))
        else:
            cluster.submit(job.run_id, attempt.number, specifications, done)
        self._queues.drop(job.run_id)

    def _watch(self, held: Held, row: JobRow) -> float | None:
        """While it runs, until its nodes have told how it ended."""
        job, news = held.job, held.news
        if news is None or news.attempt != row.attempts:
            # It ran under a server that is no more.
            return self._lost(held, row, _STOPPED)
        has_more = held.logs.carry_on()
        if row.cancel_requested:
            self._end_processes(held)
        outcomes = news.so_far()
        if len(outcomes) == job.layout.nodes:
            if any(outcome.is_lost for outcome in outcomes.values()):
                return self._lost(held, row, "A node of the cluster was lost")
            path = attempt_folder(self.workspace, job, news.attempt) / "ended.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_outcomes(path, list(outcomes.values()))
            status = None if row.cancel_requested else "Finalizing"
            self._change(job, status=status, state="ending")
            return 0.0
        workers = job.layout.nodes - job.layout.parameter_servers
        if any(not one.is_good for one in outcomes.values()) or all(
            node in outcomes for node in range(workers)
        ):
            # The others would wait for it for ever.
            self._end_processes(held)
        self._note_time(held, row)
        return 0.0 if has_more else TICK_SECONDS

    def _note_time(self, held: Held, row: JobRow) -> None:
        now = time.monotonic()
        if held.job.max_seconds is not None and now - held.ran_noted > _RAN_SECONDS:
            self._change(held.job, ran_seconds=row.ran_seconds + now - held.ran_noted)
            held.ran_noted = now

    def _end_processes(self, held: Held) -> None:
        """Have the processes of a job, if it runs, ended by their nodes."""
        if held.news is None or held.is_asked_to_end:
            return
        folder = attempt_folder(self.workspace, held.job, held.news.attempt)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CANCEL_FILE).touch()
        held.is_asked_to_end = True

    def _lost(self, held: Held, row: JobRow, reason: str) -> float | None:
        """Its node, or the server, went while it ran."""
        job = held.job
        held.news = None
        losses = row.losses + 1
        if row.cancel_requested:
            return self._end(job.run_id, "Canceled")
        if losses >= MAX_LOSSES:
            message = f"{reason} while the run was on it, {losses} times."
            return self._end(job.run_id, "Failed", {"code": "ServiceError", "message": message})
        self._again(held, row, reason, losses=losses)
        return 0.0

    def _again(self, held: Held, row: JobRow, reason: str, **changes: Any) -> None:
        """Put a job back into the queue; its files are restored, so that it begins anew."""
        job = held.job
        ran = row.ran_seconds
        if held.ran_noted:
            ran += time.monotonic() - held.ran_noted
        state = "queued" if job.is_local else "submitted"
        self._change(job, status="Queued", state=state, ran_seconds=ran, **changes)
        held.ran_noted = 0.0
        job_folder(self.workspace, job.run_id).mkdir(parents=True, exist_ok=True)
        held.logs.note(
            f"{reason} while the run was on it (attempt {row.attempts}). It is run again."
        )
        held.logs.carry_on(None)

    def _finish(self, held: Held, row: JobRow) -> None:
        """Keep what a job made, and end its run as its nodes ended; beside the loop."""
        job = held.job
        ended = attempt_folder(self.workspace, job, row.attempts) / "ended.json"
        outcomes = read_outcomes(ended)
        if outcomes is None:
            # What is known of its end went with its folder.
            self._lost(held, row, _STOPPED)
            return
        was_canceled = row.cancel_requested
        held.logs.carry_on(None)

        def stop() -> bool:
            return self.is_closing or (held.cancel_asked and not was_canceled)

        keep_files(self.workspace, job, row.attempts, stop)
        end = ending(self.workspace, job, row.attempts, outcomes)
        if was_canceled:
            end = "Canceled", None
        end = write_back(self.workspace, job, row.attempts, end, stop, held.logs.note)
        held.logs.carry_on(None)
        if self.is_closing:
            # The next start keeps the rest.
            return
        self._end(job.run_id, *end)

    def _give_back(self, held: Held) -> None:
        """After an orderly end: a job that ran is in the queue again."""
        if held.news is None:
            return
        with self.workspace.database.read() as session:
            row = find_job(session, held.job.run_id)
        if row is not None and row.state == "running" and not row.cancel_requested:
            self._again(held, row, _STOPPED)


def _run_here(paths: list[Path], done: Any) -> None:
    """A local run: its process is one of the server's own machine, on no node."""
    try:
        found = run_node([str(path) for path in paths])
    except Exception as error:
        # Whatever it is: without an outcome the run would never end.
        done(0, NodeOutcome(failure=f"{type(error).__name__}: {error}"))
    else:
        done(0, NodeOutcome([ProcessOutcome(**process) for process in found]))
