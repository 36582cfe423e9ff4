"""A workspace with its engines in this process, one life of it after the other."""

import json
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from execution_helpers import wait_until

from local_workspace.engines import base
from local_workspace.engines.jobs import steps as jobs
from local_workspace.engines.nodes import NodeOutcome, ProcessOutcome
from local_workspace.paths import Paths
from local_workspace.services import execution, run_history
from local_workspace.settings import Settings
from local_workspace.startup import running
from local_workspace.workspace import LocalWorkspace

GOOD = NodeOutcome([ProcessOutcome(0, "exited", 0)])


class Bench:
    """Local runs without processes: `process(specification, done)` stands in for one."""

    def __init__(self, folder):
        self.folder = folder
        self.settings = Settings()
        self.workspace = None
        self.process = lambda _specification, done: done(0, GOOD)

    @contextmanager
    def server(self, before=lambda _workspace: None):
        """One life of the server, which has an orderly end."""
        self.workspace = LocalWorkspace(Paths(self.folder / "root"), self.settings, 1)
        before(self.workspace)
        with running(self.workspace):
            yield self.workspace.engines.jobs

    @contextmanager
    def records(self):
        """A session on the records, also while there is no server."""
        with self.workspace.database.write() as session:
            yield session

    def submit(self, name, max_seconds=None):
        """A local run, as the SDK submits and starts it; its id."""
        run_id = f"{name}_1_00000000"
        definition = {
            "Configuration": {
                "script": "train.py",
                "target": "local",
                "maxRunDurationSeconds": max_seconds,
                "environment": {"name": "own", "python": {"userManagedDependencies": True}},
            }
        }
        job_folder = self.workspace.paths.runs / run_id
        job_folder.mkdir(parents=True)
        project = self.project(run_id)
        project.mkdir()
        (job_folder / "environment.json").write_text(json.dumps({}))
        (job_folder / "start").write_text(f"{project}\n")
        execution.submit_run(self.workspace, "bench", run_id, definition)
        return run_id

    def project(self, run_id):
        """Where a local run runs."""
        return self.folder / run_id

    def row(self, run_id):
        """How far a job is."""
        with self.workspace.database.read() as session:
            return execution.find_job(session, run_id)

    def run(self, run_id):
        with self.workspace.database.read() as session:
            run = run_history.get_run(session, run_id)
            return SimpleNamespace(status=run.status, error=run.error)

    def begins(self, run_id, attempt):
        wait_until(lambda: (row := self.row(run_id)).state == "running" and row.attempts == attempt)

    def ends(self, run_id):
        wait_until(lambda: self.run(run_id).status in run_history.TERMINAL_STATUSES)
        return self.run(run_id).status


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "FIRST_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(base, "LONGEST_DELAY_SECONDS", 0.05)
    (tmp_path / "root").mkdir()
    bench = Bench(tmp_path)

    def run_here(paths, done):
        specification = json.loads(Path(paths[0]).read_text())
        bench.process({**specification, "folder_of_attempt": Path(paths[0]).parent}, done)

    monkeypatch.setattr(jobs, "_run_here", run_here)
    return bench
