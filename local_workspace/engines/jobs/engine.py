"""The jobs engine: takes jobs from the queue to nodes and through their states to their end.

Its items are jobs and the compute targets that they wait for. The queue is a table: a look at a job
reads how far it is, does the next step, and writes that down; what is held here of a job is only
what its own processes and helpers have told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy.orm import Session

from local_workspace.engines.base import Key
from local_workspace.engines.jobs import tidying
from local_workspace.engines.jobs.folders import (
    forget,
    job_folder,
)
from local_workspace.engines.jobs.local_runs import invocation_zip
from local_workspace.engines.jobs.logs import JobLogs
from local_workspace.engines.jobs.steps import TICK_SECONDS, Held, JobSteps
from local_workspace.events import ComputeChanged, Event
from local_workspace.services.execution import (
    find_job,
    job_of,
    unfinished_jobs,
)
from local_workspace.store.tables.execution import JobRow
from local_workspace.workspace import LocalWorkspace

_log = logging.getLogger(__name__)

_TIDY_SECONDS = 3600.0

_TIDY: Key = ("tidy",)


class JobsEngine(JobSteps):
    """Runs the jobs of one workspace; does nothing, and costs nothing, until there is one."""

    name = "jobs"
    hears = (ComputeChanged,)
    helpers = 8

    def __init__(self, workspace: LocalWorkspace) -> None:
        super().__init__(workspace)
        self._held: dict[str, Held] = {}
        self._tidy_at = 0.0

    # What services ask

    def submit(self, run_id: str) -> None:
        """There is a new job in the queue."""
        self.wake(("job", run_id))

    def cancel(self, run_id: str) -> None:
        """A job, whose cancellation is requested in the queue, is to end wherever it is."""
        _log.info("Run %s: CancelRequested", run_id)
        held = self._held.get(run_id)
        if held is not None:
            # Seen also by a step beside the loop.
            held.cancel_asked = True
        self.wake(("job", run_id))

    def local_archive(self, run_id: str) -> bytes:
        """What the SDK unpacks to start a run with compute_target='local' (a ZIP file)."""
        return invocation_zip(self.workspace, run_id)

    # The contract of engines

    def start(self) -> None:
        """Take up what the last server left: what waited waits, what ran is run again."""
        super().start()
        if tidying.is_needed(self.workspace):
            self.wake(_TIDY)

    def unfinished(self) -> Iterable[Key]:
        """The jobs of the queue; each wakes its compute target."""
        with self.workspace.database.read() as session:
            return [("job", run_id) for run_id in unfinished_jobs(session)]

    def heard(self, event: Event) -> Iterable[Key]:
        """A compute target may take more jobs now, fewer, or none."""
        assert isinstance(event, ComputeChanged)
        return [("compute", event.key)]

    def look(self, key: Key) -> float | None:
        """One step of a job, or of the jobs that wait for a compute target."""
        if key == _TIDY:
            return self._tidy()
        kind, name = key
        if kind == "compute":
            return self._look_at_compute(name)
        with self.workspace.database.read() as session:
            row = find_job(session, name)
            if row is not None and row.state != "done":
                held = self._hold(session, row)
        if row is None or row.state == "done":
            return self._let_go(name)
        return self._look_at_job(held, row)

    def _tidy(self) -> float:
        """Clear away what ended runs left, once an hour."""
        left = self._tidy_at - time.monotonic()
        if left <= 0:
            self.aside(self._tidy_up)
        return left

    def _tidy_up(self) -> None:
        tidying.tidy(self.workspace)
        self._tidy_at = time.monotonic() + _TIDY_SECONDS

    def fail(self, key: Key, reason: str) -> None:
        """End a job that cannot be carried on; of a compute target, all that are on it."""
        if key == _TIDY:
            # There is no hurry: it is tried again in an hour.
            self._tidy_at = time.monotonic() + _TIDY_SECONDS
            return
        kind, name = key
        message = f"The run could not be carried on ({reason})."
        if kind == "compute":
            for run_id in self._queues.waiting(name):
                self._doom(run_id, {"code": "ServiceError", "message": message})
            return
        held = self._held.get(name)
        if held is not None:
            self._end_processes(held)
        self._end(name, "Failed", {"code": "ServiceError", "message": message})

    def close(self) -> None:
        """End all nodes and processes. What ran is run again after the next start."""
        self.stop_looking()
        # So that what goes on beside the loop ends, too; and then those that it has just started.
        self._for_each(self._end_processes)
        super().close()
        self._for_each(self._end_processes)
        self.nodes.close()
        self._local.shutdown(wait=True, cancel_futures=True)
        self.warm.close()
        # What ran is in the queue again, and this is no loss.
        self._for_each(self._give_back)

    def _for_each(self, step: Callable[[Held], None]) -> None:
        """Do something with each job that is held, whatever becomes of the others."""
        for held in list(self._held.values()):
            try:
                step(held)
            except Exception:
                _log.exception("Run %s: not all could be done at the end", held.job.run_id)

    # Jobs

    def _hold(self, session: Session, row: JobRow) -> Held:
        held = self._held.get(row.run_id)
        if held is None:
            job = job_of(session, row)
            held = self._held[row.run_id] = Held(job, JobLogs(self.workspace, job))
        return held

    def _let_go(self, run_id: str) -> float | None:
        """Forget a job that has ended, with its files."""
        held = self._held.get(run_id)
        if held is not None:
            if self._has_processes(held):
                # They are asked to end by a file in the folder that goes.
                return TICK_SECONDS
            del self._held[run_id]
            if held.wanted is not None:
                held.wanted.give_up()
            if held.job.compute is not None:
                self.wake(("compute", held.job.compute))
        self._dooms.pop(run_id, None)
        self._queues.drop(run_id)
        folder = job_folder(self.workspace, run_id)
        if folder.exists():
            self.aside(lambda: forget(folder))
        self.wake(_TIDY)
        return None

    def _has_processes(self, held: Held) -> bool:
        """Whether nodes that are there have not told yet how a job ended on them."""
        job, news = held.job, held.news
        if news is None or (job.compute is not None and self.nodes.cluster(job.compute) is None):
            return False
        return len(news.so_far()) < job.layout.nodes

    # Compute targets

    def _look_at_compute(self, key: str) -> float | None:
        granted, doomed, seconds = self._queues.look(key)
        for run_id, error in doomed.items():
            self._doom(run_id, error)
        for run_id in granted:
            self.wake(("job", run_id))
        return seconds

    def _doom(self, run_id: str, error: Any) -> None:
        self._dooms[run_id] = error
        self.wake(("job", run_id))
