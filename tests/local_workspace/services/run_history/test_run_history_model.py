"""Run history as functions over the store: states, merging, pages."""

import threading
from datetime import datetime, timedelta, timezone

import pytest

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, Conflict, NotFound
from local_workspace.services import run_history
from local_workspace.services.run_history import (
    TERMINAL_STATUSES,
    ExperimentChanges,
    RunChanges,
    apply_event,
    get_run,
    query_runs,
    run_dto,
    set_status,
    upsert_run,
)
from local_workspace.services.run_history.parsing import run_changes
from local_workspace.store.database import Database


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'runs.db'}")
    yield database
    database.close()


@pytest.fixture
def session(database):
    with database.write() as session:
        yield session


def test_a_run_goes_through_its_states_and_stays_where_it_ended(session):
    upsert_run(session, "experiment", "run")
    seen = []
    for status in ("Preparing", "Queued", "Running", "Finalizing", "Completed", "Running"):
        seen.append(set_status(session, "run", status).status)
    assert seen == ["Preparing", "Queued", "Running", "Finalizing", "Completed", "Completed"]
    row = get_run(session, "run")
    assert row.start_time <= row.end_time
    ended = row.end_time
    set_status(session, "run", "Failed", error="late")
    assert (row.status, row.error, row.end_time) == ("Completed", None, ended)


@pytest.mark.parametrize("last", sorted(TERMINAL_STATUSES))
def test_a_requested_cancellation_only_leads_to_an_end(session, last):
    upsert_run(session, "experiment", "run")
    set_status(session, "run", "CancelRequested")
    assert set_status(session, "run", "Running").status == "CancelRequested"
    assert get_run(session, "run").start_time is None
    row = set_status(session, "run", last)
    assert row.status == last
    assert row.end_time is not None


def test_a_run_does_not_end_before_it_began(session):
    upsert_run(session, "experiment", "run")
    begin = utc_now()
    set_status(session, "run", "Running", moment=begin)
    row = set_status(session, "run", "Completed", moment=begin - timedelta(minutes=5))
    dto = run_dto(row)
    assert dto["endTimeUtc"] == dto["startTimeUtc"] == begin.isoformat(timespec="microseconds")


def test_errors_take_the_form_of_the_service(session):
    upsert_run(session, "experiment", "run")
    error = set_status(session, "run", "Failed", error="It broke.").error["error"]
    assert (error["code"], error["message"]) == ("UserError", "It broke.")
    upsert_run(session, "experiment", "other")
    root = {"code": "ServiceError", "message": "Ours."}
    error = set_status(session, "other", "Failed", error=root).error["error"]
    assert (error["code"], error["message"], error["details"]) == ("ServiceError", "Ours.", [])
    upsert_run(session, "experiment", "third")
    whole = {"error": {"code": "X", "message": "Whole."}}
    assert set_status(session, "third", "Failed", error=whole).error == whole
    with pytest.raises(BadRequest, match="'Asleep' is not one of the states"):
        set_status(session, "third", "Asleep")
    with pytest.raises(NotFound):
        set_status(session, "none", "Failed")


def test_changes_are_merged_and_null_changes_nothing(session):
    first = {
        "displayName": "One",
        "target": "cpu",
        "tags": {"a": "1", "b": "2"},
        "inputDatasets": [{"id": 1}],
        "runTypeV2": {"orchestrator": "Execution", "traits": ["x"]},
    }
    second = {
        "displayName": None,
        "target": "gpu",
        "tags": {"b": "3"},
        "properties": None,
        "inputDatasets": [{"id": 1}, {"id": 2}],
        "outputDatasets": [{"id": 3}],
        "runTypeV2": {"traits": ["y"]},
    }
    upsert_run(session, "experiment", "run", run_changes(first), {"userName": "me"})
    row = upsert_run(session, "experiment", "run", run_changes(second), {"userName": "you"})
    dto = run_dto(row)
    assert dto["displayName"] == "One"
    assert dto["target"] == "gpu"
    assert dto["tags"] == {"a": "1", "b": "3"}
    assert dto["inputDatasets"] == [{"id": 1}, {"id": 2}]
    assert dto["outputDatasets"] == [{"id": 3}]
    assert dto["runTypeV2"] == {"orchestrator": "Execution", "traits": ["x", "y"]}
    assert dto["createdBy"] == {"userName": "me"}
    assert dto["dataContainerId"] == "dcid.run"
    assert dto["rootRunId"] == "run"


def test_properties_can_be_overwritten_by_the_service_only(session):
    upsert_run(session, "experiment", "run", run_changes({"properties": {"p": "1"}}))
    upsert_run(session, "experiment", "run", run_changes({"properties": {"p": "1", "q": "2"}}))
    with pytest.raises(BadRequest, match="immutable"):
        upsert_run(session, "experiment", "run", run_changes({"properties": {"p": "2"}}))
    change = run_changes({"properties": {"p": "2"}})
    row = upsert_run(session, "experiment", "run", change, overwrite_properties=True)
    assert row.properties == {"p": "2", "q": "2"}


def test_a_run_belongs_to_one_experiment(session):
    upsert_run(session, "one", "run")
    with pytest.raises(Conflict):
        upsert_run(session, "two", "run")


def archive(session, experiment):
    run_history.update_experiment(
        session, experiment.experiment_id, ExperimentChanges(is_archived=True)
    )


def test_a_new_run_goes_to_the_active_experiment_and_a_child_to_that_of_its_parent(session):
    first = run_history.ensure_experiment(session, "one")
    running = upsert_run(session, first, "running")
    archive(session, first)
    # Changes of a run that is there make no experiment.
    upsert_run(session, "one", "running", RunChanges(description="goes on"))
    child = upsert_run(session, "one", "child", RunChanges(parent_run_id="running"))
    assert run_history.get_experiment(session, "one") is first

    by_row, by_name = upsert_run(session, first, "r1"), upsert_run(session, "one", "r2")
    second = run_history.get_experiment(session, "one")
    assert second is not first and first.archived is not None and second.archived is None
    assert by_row.experiment_id == by_name.experiment_id == second.experiment_id
    assert running.experiment_id == child.experiment_id == first.experiment_id
    assert upsert_run(session, "one", "running", RunChanges(description="still")) is running
    assert upsert_run(session, first, "r1", RunChanges(description="as its client asks")) is by_row


def test_of_archived_experiments_of_a_name_the_last_is_found(session):
    made = []
    for _ in range(3):
        made.append(run_history.ensure_experiment(session, "again"))
        archive(session, made[-1])
    assert len(set(made)) == 3
    assert run_history.get_experiment(session, "again") is made[-1]


def test_descendants_know_their_root(session):
    upsert_run(session, "experiment", "root")
    upsert_run(session, "experiment", "child", run_changes({"parentRunId": "root"}))
    row = upsert_run(session, "experiment", "grandchild", run_changes({"parentRunId": "child"}))
    assert (row.root_run_id, row.parent_run_id, row.number) == ("root", "child", 3)
    with pytest.raises(NotFound, match="'nobody' not found"):
        upsert_run(session, "experiment", "orphan", run_changes({"parentRunId": "nobody"}))


def filled(session, count):
    start = datetime(2026, 1, 31, tzinfo=timezone.utc)
    for number in range(count):
        changes = {
            "target": "cpu" if number % 2 else "gpu",
            "startTimeUtc": (start + timedelta(hours=number // 2)).isoformat(),
            "displayName": None if number % 3 else f"name {number}",
            "runTypeV2": {"orchestrator": "Execution", "traits": ["even"] * (number % 2 == 0)},
        }
        upsert_run(session, "experiment", f"run-{number:03d}", run_changes(changes))


def ids(session, **query):
    return [row.run_id for row in query_runs(session, **query).rows]


@pytest.mark.parametrize(
    "order", ["StartTimeUtc desc", "RunId asc", "DisplayName asc, StartTimeUtc desc", "Target desc"]
)
def test_pages_leave_nothing_out_and_repeat_nothing(session, order):
    filled(session, 23)
    whole = ids(session, order_by=order)
    assert len(set(whole)) == 23
    found, token = [], None
    for number in range(100):
        page = query_runs(session, order_by=order, top=4, continuation=token)
        found += [row.run_id for row in page.rows]
        token = page.continuation
        # A run that comes in meanwhile moves no other one.
        new = {"startTimeUtc": "2030-01-01T00:00:00Z", "target": "zzz"}
        upsert_run(session, "experiment", f"new-{number}", run_changes(new))
        if token is None:
            break
    assert [run_id for run_id in found if run_id.startswith("run")] == whole


def test_orders(session):
    filled(session, 6)
    assert ids(session, order_by="RunId asc") == [f"run-{n:03d}" for n in range(6)]
    assert ids(session, order_by="RunNumber desc") == [f"run-{n:03d}" for n in range(5, -1, -1)]
    newest = ids(session)
    assert {*newest[:2]} == {"run-004", "run-005"}
    for wrong in ("Color desc", "Tags asc", "StartTimeUtc sideways"):
        with pytest.raises(BadRequest):
            query_runs(session, order_by=wrong)
    token = query_runs(session, order_by="RunId asc", top=1).continuation
    with pytest.raises(BadRequest, match="continuation"):
        query_runs(session, order_by="RunId asc, Target asc", continuation=token)


def test_filters_on_type_target_and_time(session):
    filled(session, 6)
    # As the SDK writes them.
    trait = "(RunTypeV2/Traits/even ne null) or (RunTypeV2/Traits/even eq null)"
    assert sorted(ids(session, filter=trait)) == ["run-000", "run-002", "run-004"]
    assert sorted(ids(session, filter=f"({trait} and (Target eq cpu))")) == [
        "run-000",
        "run-002",
        "run-004",
    ]
    assert len(ids(session, filter="(RunTypeV2/Orchestrator eq Execution)")) == 6
    assert ids(session, filter="StartTimeUtc lt 2026-01-31T01:00:00Z and Target eq 'cpu'") == [
        "run-001"
    ]
    assert ids(session, filter="DisplayName eq 'name 3' or RunNumber eq 1") == [
        "run-003",
        "run-000",
    ]


def test_deleted_runs_are_left_out_unless_asked_for(session):
    filled(session, 2)
    get_run(session, "run-000").lifecycle_stage = "deleted"
    session.flush()
    assert ids(session) == ["run-001"]
    assert len(ids(session, include_deleted=True)) == 2


def test_events_bring_their_own_times(session):
    upsert_run(session, "experiment", "run")
    prefix = "Microsoft.MachineLearning.Run."
    begin, end = "2026-01-31T10:00:00.1234567Z", "2026-01-31T11:00:00+00:00"
    apply_event(session, "run", {"name": f"{prefix}Start", "data": {"StartTime": begin}})
    apply_event(session, "run", {"name": f"{prefix}Heartbeat", "data": {"TimeToLiveSeconds": 5}})
    info = {"Code": "NoNodes", "Message": "Waiting."}
    apply_event(session, "run", {"name": f"{prefix}QueueingInfo", "data": info})
    assert run_dto(get_run(session, "run"))["queueingInfo"] == {
        "code": "NoNodes",
        "message": "Waiting.",
    }
    apply_event(session, "run", {"name": f"{prefix}Completed", "data": {"EndTime": end}})
    dto = run_dto(get_run(session, "run"))
    assert dto["startTimeUtc"] == "2026-01-31T10:00:00.123456+00:00"
    assert dto["endTimeUtc"] == "2026-01-31T11:00:00.000000+00:00"
    assert dto["queueingInfo"] is None


def test_twenty_writers_lose_nothing(database):
    def write(writer):
        for number in range(10):
            with database.write() as session:
                upsert_run(session, "shared", f"{writer}-{number}")
                tag = run_changes({"tags": {f"{writer}-{number}": "x"}})
                upsert_run(session, "shared", "common", tag)

    with database.write() as session:
        upsert_run(session, "shared", "common")
    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert len(get_run(session, "common").tags) == 200
        numbers = [row.number for row in query_runs(session, top=500).rows]
        assert sorted(numbers) == list(range(1, 202))
        experiment_id = get_run(session, "common").experiment_id
        assert run_history.count_by_status(session, experiment_id) == {"NotStarted": 201}
