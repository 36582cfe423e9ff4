"""The engine: takes jobs from the queue to nodes and through their states to their end.

The queue is the table of jobs. One thread moves everything and is woken by what happens; the work
that takes time (environments, files, outputs, nodes) is done by others beside it. Nothing here
runs in the threads that answer requests.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import select

from local_workspace.engines.environments.builder import EnvironmentBuildError
from local_workspace.engines.jobs import preparing as jobs
from local_workspace.engines.jobs.finishing import ending, keep_files
from local_workspace.engines.jobs.log_pump import LogPump
from local_workspace.engines.nodes.keeper import NodeKeeper
from local_workspace.engines.nodes.node import CANCEL_FILE, run_node
from local_workspace.engines.nodes.outcomes import NodeOutcome, ProcessOutcome
from local_workspace.engines.nodes.warm_processes import WarmProcesses
from local_workspace.errors import ServiceError
from local_workspace.services import run_history
from local_workspace.services.execution.layout import layout_of
from local_workspace.store.tables.execution import JobRow
from local_workspace.workspace import LocalWorkspace

_log = logging.getLogger(__name__)

# While jobs run: how often their logs are carried on and their nodes looked at.
_TICK_SECONDS = 0.25
# While there are nodes and no jobs.
_IDLE_TICK_SECONDS = 1.0
# A job whose node is lost is given to another one this often altogether.
MAX_ATTEMPTS = 3
# How long the SDK may take from asking for a local run to starting it.
_LOCAL_START_SECONDS = 300
_STOPPED = "The local workspace was stopped"


class Engine:
    """Runs the jobs of one workspace; does nothing, and costs nothing, until there is one."""

    name = "jobs"

    def __init__(self, workspace: LocalWorkspace) -> None:
        self._workspace = workspace
        self._wake = threading.Condition()
        self._events: list[Callable[[], None]] = []
        self._closing = False
        self._thread: threading.Thread | None = None
        self._jobs: dict[str, JobRow] = {}
        self._outcomes: dict[str, dict[int, NodeOutcome]] = {}
        self._being_prepared: set[str] = set()
        self._logs = LogPump(workspace)
        self.warm = WarmProcesses()
        # Environments may take minutes to build: they must not hold up the ends of other jobs.
        self._preparers = ThreadPoolExecutor(16, "prepare")
        self._helpers = ThreadPoolExecutor(4, "engine")
        self._local = ThreadPoolExecutor(16, "local-run")
        self._nodes = NodeKeeper(workspace, self._helpers, lambda: self._do(lambda: None))

    def start(self) -> None:
        """Take up what the last server left: what waited waits, what ran is run again."""
        with self._workspace.database.read() as session:
            query = select(JobRow).where(JobRow.state != "done").order_by(JobRow.submitted)
            left = list(session.execute(query).scalars())
        jobs.forget_others(self._workspace, {job.run_id for job in left})
        for job in left:
            self._jobs[job.run_id] = job
            if job.state == "ending":
                self._do(lambda job=job: self._finish_again(job))
            elif job.state == "running":
                self._do(lambda job=job: self._lost(job, _STOPPED))
            elif job.cancel_requested:
                self._do(lambda job=job: self._end(job, "Canceled"))
        if left:
            self._start_loop()

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
        for job in list(self._jobs.values()):
            if job.state == "running":
                self._end_processes(job)
        if self._thread is not None:
            self._thread.join(20)
        for pool in (self._preparers, self._helpers, self._local):
            pool.shutdown(wait=False, cancel_futures=True)
        self.warm.close()

    def _do(self, event: Callable[[], None]) -> None:
        with self._wake:
            if self._closing:
                return
            self._events.append(event)
            self._start_loop()
            self._wake.notify()

    def _start_loop(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)
            self._thread.start()

    def _loop(self) -> None:
        while True:
            with self._wake:
                if not self._events and not self._closing:
                    idle = _IDLE_TICK_SECONDS if self._nodes.is_active else None
                    self._wake.wait(_TICK_SECONDS if self._jobs else idle)
                events, self._events = self._events, []
                if self._closing:
                    break
            for step in [*events, self._logs.carry_on, self._prepare, self._scale, self._dispatch]:
                try:
                    step()
                except Exception:
                    # One job's trouble must not stop the others.
                    _log.exception("The engine failed in one step")
        self._nodes.close()

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
        if status is not None:
            _log.info("Run %s: %s", job.run_id, status)

    def _prepare(self) -> None:
        for job in list(self._jobs.values()):
            if jobs.local_kill(self._workspace, job):
                self._cancel(job.run_id)
            if job.state != "submitted" or job.run_id in self._being_prepared:
                continue
            if job.kind == "local" and not self._is_started(job):
                continue
            self._being_prepared.add(job.run_id)
            self._preparers.submit(self._prepare_one, job)

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
            self._do(lambda: self._failed_to_prepare(job, message))
        except Exception as error:
            _log.exception("Run %s could not be prepared", job.run_id)
            message = f"The run could not be prepared ({type(error).__name__}: {error})."
            self._do(lambda: self._failed_to_prepare(job, message))
        else:
            self._do(lambda: self._prepared(job, str(python)))

    def _failed_to_prepare(self, job: JobRow, message: str) -> None:
        self._being_prepared.discard(job.run_id)
        self._end(job, "Failed", message)

    def _prepared(self, job: JobRow, python: str) -> None:
        self._being_prepared.discard(job.run_id)
        if job.cancel_requested:
            self._end(job, "Canceled")
        elif job.state == "submitted":
            self._save(job, "Queued", state="queued", python=python)

    def _dispatch(self) -> None:
        """Give jobs to nodes, the oldest first; one that needs many nodes holds up the others."""
        blocked: set[str] = set()
        queued = [job for job in self._jobs.values() if job.state == "queued"]
        for job in sorted(queued, key=lambda job: _seconds(job.submitted)):
            if job.kind == "local":
                self._run(job)
            elif job.compute not in blocked:
                cluster = self._nodes.cluster(job.compute)
                if cluster is not None and cluster.free_nodes >= job.node_count:
                    self._run(job)
                else:
                    blocked.add(job.compute)

    def _run(self, job: JobRow) -> None:
        job.attempts += 1
        job.started = job.started or time.time()
        try:
            specifications = jobs.write_specifications(self._workspace, job)
        except (ServiceError, OSError) as error:
            self._end(job, "Failed", str(error))
            return
        except Exception as error:
            _log.exception("Run %s could not be started", job.run_id)
            message = f"The run could not be started ({type(error).__name__}: {error})."
            self._end(job, "Failed", {"code": "ServiceError", "message": message})
            return
        self._save(job, "Running", state="running", attempts=job.attempts, started=job.started)
        self._outcomes[job.run_id] = {}
        for rank in range(layout_of(job.configuration).processes):
            self._logs.follow(job.run_id, *jobs.log_of(self._workspace, job, rank))
        attempt = job.attempts

        def done(node: int, outcome: NodeOutcome) -> None:
            self._do(lambda: self._node_ended(job, attempt, node, outcome))

        cluster = self._nodes.cluster(job.compute) if job.kind == "cluster" else None
        if cluster is not None:
            cluster.submit(job.run_id, attempt, specifications, done)
        else:
            self._local.submit(_run_here, specifications[0], done)

    def _node_ended(self, job: JobRow, attempt: int, node: int, outcome: NodeOutcome) -> None:
        if job.state != "running" or attempt != job.attempts:
            return
        outcomes = self._outcomes[job.run_id]
        outcomes[node] = outcome
        workers = job.node_count - layout_of(job.configuration).parameter_servers
        if len(outcomes) < job.node_count:
            if not outcome.is_good or all(node in outcomes for node in range(workers)):
                # The others would wait for it for ever.
                self._end_processes(job)
        elif any(one.is_lost for one in outcomes.values()):
            self._lost(job, "A node of the cluster was lost")
        else:
            self._finish(job, [outcomes[node] for node in sorted(outcomes)])

    def _end_processes(self, job: JobRow) -> None:
        folder = jobs.attempt_folder(self._workspace, job)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CANCEL_FILE).touch()

    def _finish(self, job: JobRow, outcomes: list[NodeOutcome]) -> None:
        _write_outcomes(self._ended_file(job), outcomes)
        self._save(job, None if job.cancel_requested else "Finalizing", state="ending")
        self._helpers.submit(self._finish_one, job, outcomes)

    def _finish_again(self, job: JobRow) -> None:
        try:
            outcomes = _read_outcomes(self._ended_file(job))
        except (OSError, ValueError):
            self._lost(job, _STOPPED)
            return
        for rank in range(layout_of(job.configuration).processes):
            self._logs.follow(job.run_id, *jobs.log_of(self._workspace, job, rank))
        self._helpers.submit(self._finish_one, job, outcomes)

    def _ended_file(self, job: JobRow) -> Path:
        return jobs.attempt_folder(self._workspace, job) / "ended.json"

    def _finish_one(self, job: JobRow, outcomes: list[NodeOutcome]) -> None:
        try:
            self._logs.close(job.run_id)
            keep_files(self._workspace, job)
            status, error = ending(self._workspace, job, outcomes)
        except Exception as problem:
            _log.exception("Run %s could not be finished", job.run_id)
            message = f"The outputs of the run could not be kept: {problem}"
            status, error = "Failed", {"code": "ServiceError", "message": message}
        self._do(lambda: self._end(job, status, error))

    def _lost(self, job: JobRow, reason: str) -> None:
        if job.cancel_requested:
            self._end(job, "Canceled")
        elif job.attempts >= MAX_ATTEMPTS:
            message = f"{reason} while the run was on it, {job.attempts} times."
            self._end(job, "Failed", {"code": "ServiceError", "message": message})
        else:
            line = f"{reason} while the run was on it (attempt {job.attempts}). It is run again."
            jobs.note_in_logs(self._workspace, job, line)
            self._logs.close(job.run_id)
            # Its files are restored, so that it begins as it began before.
            self._save(job, "Queued", state="submitted" if job.kind == "cluster" else "queued")

    def _end(self, job: JobRow, status: str, error: Any = None) -> None:
        if job.cancel_requested:
            status, error = "Canceled", None
        with self._workspace.database.write() as session:
            row = session.get(JobRow, job.run_id)
            row.state = job.state = "done"
            run_history.set_status(session, job.run_id, status, error=error)
        _log.info("Run %s: %s", job.run_id, status)
        self._jobs.pop(job.run_id, None)
        self._outcomes.pop(job.run_id, None)
        self._logs.close(job.run_id)
        self._helpers.submit(jobs.forget, self._workspace, job)

    def _cancel(self, run_id: str) -> None:
        job = self._jobs.get(run_id)
        if job is None or job.cancel_requested:
            return
        self._save(job, "CancelRequested", cancel_requested=True)
        if job.state == "running":
            self._end_processes(job)
        elif job.state != "ending" and run_id not in self._being_prepared:
            self._end(job, "Canceled")

    def _scale(self) -> None:
        needed: dict[str, int] = {}
        soon: set[str] = set()
        on_clusters = [job for job in self._jobs.values() if job.kind == "cluster"]
        for job in on_clusters:
            if job.state == "submitted":
                soon.add(job.compute)
            elif job.state != "ending":
                needed[job.compute] = needed.get(job.compute, 0) + job.node_count
        computes = self._nodes.keep(needed, soon)
        for name in set(needed) | soon:
            broken = self._nodes.failure(name)
            for job in [job for job in on_clusters if job.compute == name]:
                if name not in computes and job.state != "ending":
                    self._end_processes(job)
                    self._end(job, "Failed", f"The compute target '{name}' was deleted.")
                elif broken is not None and job.state == "queued":
                    self._end(job, "Failed", {"code": "ServiceError", "message": broken})
                elif job.state == "queued" and job.node_count > computes[name].max_nodes:
                    message = (
                        f"The run asks for {job.node_count} nodes, and the compute target '{name}' "
                        f"has at most {computes[name].max_nodes} now."
                    )
                    self._end(job, "Failed", message)


def _run_here(paths: list[Path], done: Callable[[int, NodeOutcome], None]) -> None:
    """A local run: its process is one of the server's own machine, on no node."""
    try:
        found = run_node([str(path) for path in paths])
    except OSError as error:
        done(0, NodeOutcome(failure=f"{type(error).__name__}: {error}"))
    else:
        done(0, NodeOutcome([ProcessOutcome(**process) for process in found]))


def _write_outcomes(path: Path, outcomes: list[NodeOutcome]) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps([asdict(outcome) for outcome in outcomes]), encoding="utf-8")
    temporary.replace(path)


def _read_outcomes(path: Path) -> list[NodeOutcome]:
    found = json.loads(path.read_text(encoding="utf-8"))
    return [
        NodeOutcome(**{**outcome, "processes": [ProcessOutcome(**p) for p in outcome["processes"]]})
        for outcome in found
    ]


def _seconds(moment: datetime) -> float:
    # SQLite gives moments back without their zone; all are UTC.
    return moment.replace(tzinfo=timezone.utc).timestamp()
