"""A pipeline goes on where it was, whatever happens to the server between two steps."""

from contextlib import contextmanager

import pytest
from execution_helpers import wait_until

from local_workspace.engines import base
from local_workspace.engines.pipelines import PipelinesEngine, starting
from local_workspace.errors import NotFound
from local_workspace.services import datastore, execution, pipelines, run_history
from local_workspace.services.pipelines import modules, runs
from local_workspace.services.pipelines.parsing import submission_info
from local_workspace.store.tables.pipelines import PipelineRunRow


class Jobs:
    """In the place of the jobs engine: jobs end when a test says so."""

    def __init__(self):
        self.canceled = []

    def submit(self, run_id):
        pass

    def cancel(self, run_id):
        self.canceled.append(run_id)


class Bench:
    """One pipeline of two steps, one after the other, in a workspace without a server."""

    def __init__(self, workspace):
        self.workspace = workspace
        self.jobs = Jobs()
        workspace.engines.add("jobs", self.jobs)

    @contextmanager
    def server(self):
        """The engine, as a server has it from its start to its end."""
        engine = PipelinesEngine(self.workspace)
        engine.start()
        try:
            yield engine
        finally:
            engine.close()

    def submit(self, **options):
        with self.workspace.database.write() as session:
            ids = [self.module(session, name) for name in ("first", "second")]
            session.flush()
            nodes = [
                {"Id": str(number), "ModuleId": module_id, "Runconfig": '{"script": "s.py"}'}
                for number, module_id in enumerate(ids)
            ]
            edge = {
                "SourceOutputPort": {"NodeId": "0", "PortName": "out"},
                "DestinationInputPort": {"NodeId": "1", "PortName": "in"},
            }
            graph = modules.add_graph(session, {"ModuleNodes": nodes, "Edges": [edge]}, {})
            row = runs.make_run(session, graph.id, "pipelines", submission_info(options))
            runs.submit(session, row)
            return row.run_id

    def module(self, session, name):
        """The id of a module, which is made once, as clients do."""
        try:
            return modules.module_by_hash(session, name).id
        except NotFound:
            return modules.add_module(session, module(name)).id

    def step(self, run_id, node):
        with self.workspace.database.read() as session:
            return pipelines.find_step(session, run_id, node)

    def begins(self, run_id, node):
        return wait_until(lambda: self.step(run_id, node)).step_run_id

    def end_step(self, step_run_id, status="Completed"):
        with self.workspace.database.write() as session:
            execution.end_job(session, step_run_id, status)

    def unfinished(self):
        with self.workspace.database.read() as session:
            return pipelines.unfinished_runs(session)

    def status(self, run_id):
        with self.workspace.database.read() as session:
            return run_history.get_run(session, run_id).status


def module(name):
    return {
        "Name": name,
        "IsDeterministic": name == "first",
        "IdentifierHash": name,
        "StructuredInterface": {
            "Inputs": [{"Name": "in", "IsOptional": True}],
            "Outputs": [{"Name": "out"}],
            "MetadataParameters": [{"Name": "Target", "DefaultValue": "cpu"}],
        },
    }


@pytest.fixture
def bench(workspace, monkeypatch):
    datastore.ensure_default_datastores(workspace)
    monkeypatch.setattr(starting.execution, "check_job", lambda _session, _job: "cpu")
    return Bench(workspace)


def test_a_step_that_ends_while_the_server_is_off_is_followed_by_the_next(bench):
    with bench.server():
        run = bench.submit()
        first = bench.begins(run, "0")
        assert bench.step(run, "1") is None
    bench.end_step(first)
    with bench.server():
        second = bench.begins(run, "1")
        bench.end_step(second)
        wait_until(lambda: bench.status(run) == "Completed")
    assert bench.step(run, "0").step_run_id == first
    assert bench.step(run, "0").outputs["out"]["path"] == f"azureml/{first}/out"


def test_a_run_that_was_submitted_while_nobody_listened_begins(bench):
    run = bench.submit()
    with bench.server():
        bench.begins(run, "0")


def test_a_step_is_begun_once_however_often_it_is_looked_at(bench):
    with bench.server() as engine:
        run = bench.submit()
        first = bench.begins(run, "0")
        for _ in range(20):
            engine.wake(run)
        bench.end_step(first)
        bench.begins(run, "1")
    with bench.workspace.database.read() as session:
        assert len(pipelines.steps_of(session, run)) == 2


def test_what_goes_wrong_again_and_again_fails_the_run_with_the_reason(bench, monkeypatch):
    monkeypatch.setattr(base, "FIRST_DELAY_SECONDS", 0.0)

    def broken(*_):
        raise OSError("the table is gone")

    monkeypatch.setattr("local_workspace.engines.pipelines.engine.start_step", broken)
    with bench.server():
        run = bench.submit()
        wait_until(lambda: bench.status(run) == "Failed")
    with bench.workspace.database.read() as session:
        error = run_history.get_run(session, run).error
        assert "the table is gone" in error["error"]["message"]
        assert session.get(PipelineRunRow, run).state == pipelines.DONE


def test_the_cancellation_of_a_run_is_not_lost_with_the_server(bench):
    with bench.server():
        run = bench.submit()
        first = bench.begins(run, "0")
    with bench.workspace.database.write() as session:
        runs.request_cancel(session, run)
    with bench.server():
        wait_until(lambda: bench.jobs.canceled == [first])
        bench.end_step(first)
        wait_until(lambda: bench.status(run) == "Canceled")
    assert bench.status(first) == "Canceled"


def test_results_of_a_run_that_was_canceled_afterwards_are_taken(bench):
    with bench.server():
        earlier = bench.submit()
        first = bench.begins(earlier, "0")
    bench.end_step(first)
    with bench.workspace.database.write() as session:
        runs.request_cancel(session, earlier)
    with bench.server():
        wait_until(lambda: bench.status(earlier) == "Canceled")
        run = bench.submit()
        bench.begins(run, "1")
    step = bench.step(run, "0")
    assert step.reused_run_id == first
    assert step.outputs["out"]["path"] == f"azureml/{first}/out"


def test_a_run_that_is_ended_in_run_history_begins_no_more_steps(bench):
    with bench.server():
        run = bench.submit()
        first = bench.begins(run, "0")
        with bench.workspace.database.write() as session:
            run_history.set_status(session, run, "Canceled")
        wait_until(lambda: bench.jobs.canceled == [first])
        bench.end_step(first)
        wait_until(lambda: run not in bench.unfinished())
    assert bench.step(run, "1") is None


def test_outputs_of_what_completed_are_known_after_a_bad_end(bench):
    with bench.server():
        run = bench.submit()
        first = bench.begins(run, "0")
    bench.end_step(first)
    with bench.workspace.database.write() as session:
        runs.request_cancel(session, run)
    with bench.server():
        wait_until(lambda: bench.status(run) == "Canceled")
    assert bench.step(run, "0").outputs["out"]["path"] == f"azureml/{first}/out"
