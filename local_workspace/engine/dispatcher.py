"""The engine: takes jobs from the queue to nodes and through their states to their end.

The queue is the table of jobs. One thread moves everything and is woken by what happens; the work
that takes time (environments, files, outputs) is done by a few threads beside it. Nothing here
runs in the threads that answer requests.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from local_workspace.engine import jobs
from local_workspace.engine.environments import EnvironmentBuildError
from local_workspace.engine.finishing import finish
from local_workspace.engine.log_pump import LogPump
from local_workspace.engine.node import CANCEL_FILE, run_process
from local_workspace.errors import ServiceError
from local_workspace.services import run_history
from local_workspace.services.compute import Node, find_compute, list_computes, set_nodes
from local_workspace.store.tables.execution import JobRow
from local_workspace.workspace import LocalWorkspace

if TYPE_CHECKING:
    from local_workspace.engine.cluster import Cluster, ProcessResult

_log = logging.getLogger(__name__)

# While jobs run: how often their logs are carried on and their nodes looked at.
_TICK_SECONDS = 0.25
# A job whose node is lost is given to another one this often altogether.
MAX_ATTEMPTS = 3
# How long the SDK may take from asking for a local run to starting it.
_LOCAL_START_SECONDS = 300


class Engine:
    """Runs the jobs of one workspace; does nothing, and costs nothing, until there is one."""

    def __init__(self, workspace: LocalWorkspace) -> None:
        self._workspace = workspace
        self._wake = threading.Condition()
        self._events: list[Callable[[], None]] = []
        self._closing = False
        self._thread: threading.Thread | None = None
        self._jobs: dict[str, JobRow] = {}
        self._results: dict[str, dict[int, ProcessResult]] = {}
        self._busy_with: set[str] = set()
        self._clusters: dict[str, Cluster] = {}
        self._shown: dict[str, Any] = {}
        self._logs = LogPump(workspace)
        self._helpers = ThreadPoolExecutor(4, "engine")
        self._local = ThreadPoolExecutor(16, "local-run")

    def recover(self) -> None:
        """Take up what the last server left: what waited waits, what ran is run again."""
        with self._workspace.database.read() as session:
            query = select(JobRow).where(JobRow.state != "done").order_by(JobRow.submitted)
            left = list(session.execute(query).scalars())
        for job in left:
            self._jobs[job.run_id] = job
            if job.state == "running":
                self._do(lambda job=job: self._lost(job, "The local workspace was stopped"))
        if left:
            self._start()

    def submit(self, job: JobRow) -> None:
        """Take a job that has just been stored."""
        self._do(lambda: self._jobs.update({job.run_id: job}))

    def cancel(self, run_id: str) -> None:
        """End a job, wherever it is; one that has ended stays as it is."""
        self._do(lambda: self._cancel(run_id))

    def close(self) -> None:
        """End all nodes and processes. What ran is run again after the next start."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(15)
        self._helpers.shutdown(wait=False, cancel_futures=True)
        self._local.shutdown(wait=False, cancel_futures=True)

    def _do(self, event: Callable[[], None]) -> None:
        with self._wake:
            if self._closing:
                return
            self._events.append(event)
            self._start()
            self._wake.notify()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)
            self._thread.start()

    def _loop(self) -> None:
        while True:
            with self._wake:
                if not self._events and not self._closing:
                    is_active = bool(self._jobs or self._clusters)
                    self._wake.wait(_TICK_SECONDS if is_active else None)
                events, self._events = self._events, []
                if self._closing:
                    break
            for step in [*events, self._logs.carry_on, self._prepare, self._dispatch, self._scale]:
                try:
                    step()
                except Exception:
                    # One job's trouble must not stop the others.
                    _log.exception("The engine failed in one step")
        for cluster in self._clusters.values():
            cluster.close()

    # States

    def _save(self, job: JobRow, status: str | None = None, **changes: Any) -> None:
        """Keep the changes of a job, and the status of its run, in one transaction."""
        with self._workspace.database.write() as session:
            row = session.get(JobRow, job.run_id)
            for name, value in changes.items():
                setattr(row, name, value)
                setattr(job, name, value)
            if status is not None:
                run_history.set_status(session, job.run_id, status)

    def _prepare(self) -> None:
        for job in list(self._jobs.values()):
            if job.state != "submitted" or job.run_id in self._busy_with:
                continue
            if job.kind == "local" and not self._is_started(job):
                continue
            self._busy_with.add(job.run_id)
            self._helpers.submit(self._prepare_one, job)

    def _is_started(self, job: JobRow) -> bool:
        if jobs.local_start(self._workspace, job) is not None:
            return True
        if time.time() - _seconds(job.submitted) > _LOCAL_START_SECONDS:
            self._end(job, "Failed", "The SDK asked for a local run and never started it.")
        return False

    def _prepare_one(self, job: JobRow) -> None:
        try:
            self._save(job, "Preparing")
            python = jobs.prepare_environment(
                self._workspace, job, lambda: job.cancel_requested or self._closing
            )
            if job.kind == "cluster":
                jobs.restore_files(self._workspace, job)
        except (EnvironmentBuildError, ServiceError, OSError) as error:
            message = str(error)
            if self._closing:
                return
            self._do(lambda: self._failed_to_prepare(job, message))
            return
        except Exception as error:
            _log.exception("Run %s could not be prepared", job.run_id)
            message = f"The run could not be prepared ({type(error).__name__}: {error})."
            self._do(lambda: self._failed_to_prepare(job, message))
            return
        self._do(lambda: self._prepared(job, str(python)))

    def _failed_to_prepare(self, job: JobRow, message: str) -> None:
        self._busy_with.discard(job.run_id)
        self._end(job, "Canceled" if job.cancel_requested else "Failed", message)

    def _prepared(self, job: JobRow, python: str) -> None:
        self._busy_with.discard(job.run_id)
        if job.cancel_requested:
            self._end(job, "Canceled")
        else:
            self._save(job, "Queued", state="queued", python=python)

    def _dispatch(self) -> None:
        """Give jobs to nodes, the oldest first; one that needs many nodes holds up the others."""
        blocked: set[str] = set()
        for job in sorted(self._jobs.values(), key=lambda job: _seconds(job.submitted)):
            if job.state != "queued":
                continue
            if job.kind == "local":
                self._run(job, None)
                continue
            if job.compute in blocked:
                continue
            cluster = self._clusters.get(job.compute)
            if cluster is not None and cluster.free_nodes >= job.node_count:
                self._run(job, cluster)
            else:
                blocked.add(job.compute)

    def _run(self, job: JobRow, cluster: Cluster | None) -> None:
        self._save(
            job, state="running", attempts=job.attempts + 1, started=job.started or time.time()
        )
        try:
            paths = jobs.write_specifications(self._workspace, job)
        except (ServiceError, OSError) as error:
            self._end(job, "Failed", str(error))
            return
        self._save(job, "Running")
        self._results[job.run_id] = {}
        for rank in range(job.node_count):
            self._logs.follow(job.run_id, *jobs.log_of(self._workspace, job, rank))
        attempt = job.attempts

        def done(rank: int, result: ProcessResult) -> None:
            self._do(lambda: self._process_ended(job, attempt, rank, result))

        if cluster is not None:
            cluster.submit(job.run_id, attempt, paths, done)
        else:
            self._local.submit(self._run_here, str(paths[0]), done)

    def _run_here(self, path: str, done: Callable[[int, ProcessResult], None]) -> None:
        from local_workspace.engine.cluster import ProcessResult

        try:
            result = run_process(path)
        except OSError as error:
            done(0, ProcessResult(False, str(error), 1))
        else:
            done(0, ProcessResult(False, result["reason"], result["exit_code"]))

    def _process_ended(self, job: JobRow, attempt: int, rank: int, result: ProcessResult) -> None:
        if job.state != "running" or attempt != job.attempts:
            return
        results = self._results[job.run_id]
        results[rank] = result
        if len(results) < job.node_count:
            if result.lost or result.exit_code != 0:
                # The others would wait for it for ever.
                (jobs.attempt_folder(self._workspace, job) / CANCEL_FILE).touch()
            return
        if any(one.lost for one in results.values()) and not job.cancel_requested:
            self._lost(job, "A node of the cluster was lost")
            return
        self._save(job, "Finalizing", state="ending")
        self._helpers.submit(self._finish, job, results)

    def _finish(self, job: JobRow, results: dict[int, ProcessResult]) -> None:
        try:
            self._logs.close(job.run_id)
            status, error = finish(self._workspace, job, results)
        except Exception as problem:
            _log.exception("Run %s could not be finished", job.run_id)
            status, error = "Failed", f"The outputs of the run could not be kept: {problem}"
        self._do(lambda: self._end(job, status, error))

    def _lost(self, job: JobRow, reason: str) -> None:
        if job.cancel_requested:
            self._end(job, "Canceled")
        elif job.attempts >= MAX_ATTEMPTS:
            self._end(job, "Failed", f"{reason} while the run was on it, {job.attempts} times.")
        else:
            line = f"{reason} while the run was on it (attempt {job.attempts}). It is run again."
            jobs.write_build_log(self._workspace, job.run_id, line)
            self._logs.close(job.run_id)
            # Its files are restored, so that it begins as it began before.
            state = "submitted" if job.kind == "cluster" else "queued"
            self._save(job, "Queued", state=state)

    def _end(self, job: JobRow, status: str, error: Any = None) -> None:
        with self._workspace.database.write() as session:
            row = session.get(JobRow, job.run_id)
            row.state = job.state = "done"
            run_history.set_status(session, job.run_id, status, error=error)
        self._jobs.pop(job.run_id, None)
        self._results.pop(job.run_id, None)
        self._logs.close(job.run_id)
        jobs.forget(self._workspace, job)

    def _cancel(self, run_id: str) -> None:
        job = self._jobs.get(run_id)
        if job is None or job.state == "ending":
            return
        self._save(job, "CancelRequested", cancel_requested=True)
        if job.state == "running":
            folder = jobs.attempt_folder(self._workspace, job)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / CANCEL_FILE).touch()
        elif run_id not in self._busy_with:
            self._end(job, "Canceled")

    # Nodes

    def _scale(self) -> None:
        needed: dict[str, int] = {}
        for job in self._jobs.values():
            if job.kind == "cluster" and job.state in ("queued", "running"):
                needed[job.compute] = needed.get(job.compute, 0) + job.node_count
        if not needed and not self._clusters:
            return
        with self._workspace.database.read() as session:
            computes = {row.key: row for row in list_computes(session)}
        for name in set(needed) - set(computes):
            for job in [job for job in self._jobs.values() if job.compute == name]:
                self._end(job, "Failed", f"The compute target '{name}' was deleted.")
        for name in set(self._clusters) - set(computes):
            self._clusters.pop(name).close()
        for name, row in computes.items():
            if name not in self._clusters and name not in needed:
                continue
            if name not in self._clusters:
                from local_workspace.engine.cluster import Cluster

                self._clusters[name] = Cluster(name, self._workspace.paths.runs / ".nodes" / name)
            cluster = self._clusters[name]
            target = cluster.scale(
                needed.get(name, 0), row.min_nodes, row.max_nodes, row.idle_seconds
            )
            self._show_nodes(name, cluster, target)

    def _show_nodes(self, name: str, cluster: Cluster, target: int) -> None:
        nodes = [
            Node(node.node_id, "running" if node.run_id else "idle", node.run_id)
            for node in cluster.nodes()
        ]
        if self._shown.get(name) == (nodes, target):
            return
        with self._workspace.database.write() as session:
            if find_compute(session, name) is not None:
                set_nodes(session, name, nodes, target=target)
        self._shown[name] = (nodes, target)


def _seconds(moment: datetime) -> float:
    # SQLite gives moments back without their zone; all are UTC.
    return moment.replace(tzinfo=timezone.utc).timestamp()
