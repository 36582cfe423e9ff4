"""What the services tell of runs, metrics and compute targets: after the commit, once."""

import pytest
from mlflow.entities import Metric, RunStatus

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest
from local_workspace.events import ComputeChanged, Event, MetricsLogged, RunEnded, RunStatusChanged
from local_workspace.paths import Paths
from local_workspace.services import metric
from local_workspace.services.compute.parsing import cluster_changes, cluster_wanted
from local_workspace.services.compute.records import delete_compute, put_compute, update_compute
from local_workspace.services.mlflow.tracking_store import TrackingStore
from local_workspace.services.run_history import apply_event, set_status, upsert_run
from local_workspace.services.run_history.parsing import run_changes
from local_workspace.settings import Settings
from local_workspace.workspace import LocalWorkspace

CLUSTER = {
    "properties": {
        "computeType": "AmlCompute",
        "properties": {"vmSize": "STANDARD_D2_V2", "scaleSettings": {"maxNodeCount": 2}},
    }
}


@pytest.fixture
def workspace(tmp_path):
    workspace = LocalWorkspace(Paths(tmp_path), Settings(), 1)
    yield workspace
    workspace.close()


@pytest.fixture
def events(workspace):
    """The events that were published, in their order."""
    seen = []
    workspace.events.subscribe((Event,), seen.append)
    return seen


@pytest.fixture
def database(workspace):
    return workspace.database


@pytest.fixture
def child(database):
    """A child run, whose parent is its root."""
    with database.write() as session:
        upsert_run(session, "experiment", "parent")
        upsert_run(session, "experiment", "child", run_changes({"parentRunId": "parent"}))
    return "child"


def test_a_run_tells_of_each_state_and_once_of_its_end(database, events, child):
    for status in ("Queued", "Queued", "Running", "Completed", "Failed", "Completed"):
        with database.write() as session:
            set_status(session, child, status)
    assert events == [
        RunStatusChanged(child, "Queued", "parent", "parent"),
        RunStatusChanged(child, "Running", "parent", "parent"),
        RunEnded(child, "Completed", "parent", "parent"),
    ]


def test_states_come_by_a_change_and_by_an_event_of_the_client(database, events, child):
    with database.write() as session:
        upsert_run(session, "experiment", "parent", run_changes({"status": "Running"}))
        apply_event(session, child, {"name": "Microsoft.MachineLearning.Run.Canceled"})
    assert events == [
        RunStatusChanged("parent", "Running", None, "parent"),
        RunEnded(child, "Canceled", "parent", "parent"),
    ]


def test_nothing_is_told_before_the_commit_or_of_what_was_taken_back(database, events, child):
    with database.write() as session:
        set_status(session, child, "Running")
        metric.log_values(session, child, [metric.scalar("m", 1.0)])
        assert events == []
    assert len(events) == 2
    events.clear()
    with pytest.raises(BadRequest), database.write() as session:
        set_status(session, child, "Completed")
        metric.log_values(session, child, [metric.scalar("m", 2.0)])
        put_compute(session, Settings(), "cluster", cluster_wanted("cluster", CLUSTER))
        raise BadRequest("Taken back.")
    assert events == []
    with database.write() as session:
        set_status(session, child, "Completed")
    assert events == [RunEnded(child, "Completed", "parent", "parent")]


def test_metrics_are_named_once_each_and_only_if_kept(database, events, child):
    values = [
        metric.scalar("loss", 1.0),
        metric.scalar("auc", 0.5),
        metric.scalar("loss", 0.5),
        metric.Value("loss", {"loss": "text"}, utc_now()),
        metric.scalar("", 1.0),
    ]
    with database.write() as session:
        assert sorted(metric.log_values(session, child, values)) == [3, 4]
    assert events == [MetricsLogged(child, ("loss", "auc"))]
    events.clear()
    with database.write() as session:
        assert metric.log_values(session, child, [metric.scalar("", 1.0)])
    assert events == []


def test_runs_and_batches_of_mlflow_are_told_alike(workspace, database, events):
    store = TrackingStore(workspace)
    with database.write() as session:
        upsert_run(session, "experiment", "other")
    (experiment,) = store.search_experiments()
    run = store.create_run(experiment.experiment_id, None, None, [], "first").info.run_id
    store.log_batch(run, [Metric("m", 1.0, 1, 0), Metric("m", 2.0, 1, 1)], [], [])
    store.log_metric(run, Metric("n", 1.0, 1, 0))
    store.update_run_info(run, RunStatus.FINISHED, 2, None)
    store.update_run_info(run, RunStatus.RUNNING, None, None)
    store.update_run_info(run, RunStatus.FAILED, 3, None)
    assert events == [
        RunStatusChanged(run, "Running", None, run),
        MetricsLogged(run, ("m",)),
        MetricsLogged(run, ("n",)),
        RunEnded(run, "Completed", None, run),
        RunStatusChanged(run, "Running", None, run),
        RunEnded(run, "Failed", None, run),
    ]


def test_a_compute_target_tells_that_it_was_made_changed_and_deleted(database, events):
    settings = Settings()
    for change in (
        lambda session: put_compute(
            session, settings, "Cluster", cluster_wanted("Cluster", CLUSTER)
        ),
        lambda session: update_compute(
            session, settings, "CLUSTER", cluster_changes({"tags": {"a": "b"}})
        ),
        lambda session: delete_compute(session, "cluster", "Delete"),
    ):
        with database.write() as session:
            change(session)
        assert events == [ComputeChanged("cluster")]
        events.clear()
    with pytest.raises(BadRequest), database.write() as session:
        put_compute(session, settings, "x", cluster_wanted("x", CLUSTER))
    assert events == []
