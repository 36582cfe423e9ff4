"""Published pipelines, endpoints and schedules by the SDK, and by plain HTTP."""

from datetime import timedelta

import pytest
import requests
from azureml.core import Experiment
from azureml.data.datapath import DataPath, DataPathComputeBinding
from azureml.pipeline.core import (
    Pipeline,
    PipelineEndpoint,
    PipelineParameter,
    PipelineRun,
    PublishedPipeline,
    Schedule,
    ScheduleRecurrence,
    TimeZone,
)
from execution_helpers import json_of, wait_until

from local_workspace.clock import as_utc, utc_now
from local_workspace.services import pipelines

SAY_ARGUMENTS = """
import json, sys
json.dump(sys.argv[1:], open("outputs/arguments.json", "w"))
"""


@pytest.fixture
def rate():
    return PipelineParameter("rate", default_value=1)


@pytest.fixture
def step(bench, rate):
    return bench.step("say", SAY_ARGUMENTS, rate)


@pytest.fixture
def published(bench, step):
    return Pipeline(bench.ws, [step]).publish("says its rate", description="d", version="1.0")


def arguments_of(run, folder):
    (step,) = run.get_steps()
    return json_of(step, "outputs/arguments.json", folder)


def post(bench, address, body, **options):
    header = bench.ws._auth_object.get_authentication_header()
    return requests.post(address, json=body, headers=header, timeout=60, **options)


def run_of(bench, experiment, run_id):
    run = PipelineRun(Experiment(bench.ws, experiment), run_id)
    assert bench.end(run) == "Finished"
    return run


def test_a_published_pipeline_is_run_by_its_address(bench, published, folder):
    assert published.status == "Active"
    body = {"ExperimentName": "by-rest", "ParameterAssignments": {"rate": 7}, "Tags": {"a": "b"}}
    answer = post(bench, published.endpoint, body)
    assert answer.status_code == 200
    run = run_of(bench, "by-rest", answer.json()["Id"])
    assert arguments_of(run, folder) == ["7"]
    assert run.get_tags() == {"a": "b"}
    # As Azure Data Factory writes it.
    answer = post(bench, published.endpoint, {"experimentName": "by-rest"})
    assert arguments_of(run_of(bench, "by-rest", answer.json()["Id"]), folder) == ["1"]
    assert {one.id for one in PipelineRun.get_pipeline_runs(bench.ws, published.id)} == {
        run.id,
        answer.json()["Id"],
    }


def test_what_an_address_refuses(bench, published):
    assert requests.post(published.endpoint, json={}, timeout=60).status_code == 401
    for body, words in (
        ({}, "'ExperimentName'"),
        ({"ExperimentName": "no blanks"}, "'no blanks'"),
        ({"ExperimentName": 5}, "must be text"),
        ({"ExperimentName": "x", "ParameterAssignments": {"other": 1}}, "no parameter 'other'"),
        ({"ExperimentName": "x", "ParameterAssignments": {"rate": "much"}}, "a whole number"),
        ({"ExperimentName": "x", "ParameterAssignments": {"rate": [1]}}, "must be text or"),
    ):
        answer = post(bench, published.endpoint, body)
        assert answer.status_code == 400, body
        assert words in answer.json()["error"]["message"]
    published.disable()
    assert PublishedPipeline.get(bench.ws, published.id).status == "Disabled"
    assert published.id not in [one.id for one in PublishedPipeline.list(bench.ws)]
    answer = post(bench, published.endpoint, {"ExperimentName": "x"})
    assert "is disabled" in answer.json()["error"]["message"]
    published.enable()
    assert post(bench, published.endpoint, {"ExperimentName": "x"}).status_code == 200


def test_a_publication_keeps_its_own_arguments(bench, folder):
    def publish(word):
        step = bench.step("same name", SAY_ARGUMENTS, word)
        return Pipeline(bench.ws, [step]).publish(f"says {word}")

    one, _ = publish("one"), publish("two")
    run = one.submit(bench.ws, "publications")
    bench.end(run)
    assert arguments_of(run, folder) == ["one"]


def test_an_endpoint_keeps_its_address(bench, published, rate, folder):
    endpoint = PipelineEndpoint.publish(
        bench.ws, name="pipelines-endpoint", description="d", pipeline=published
    )
    other = bench.run(bench.step("say", SAY_ARGUMENTS, "other", rate)).publish_pipeline("2", "", "")
    address = endpoint.endpoint
    endpoint.add_default(other)
    again = PipelineEndpoint.get(bench.ws, name="pipelines-endpoint")
    assert (again.endpoint, again.default_version) == (address, "1")
    assert [one.id for one in again.list_pipelines()] == [published.id, other.id]
    answer = post(bench, address, {"ExperimentName": "by-endpoint"})
    run = run_of(bench, "by-endpoint", answer.json()["Id"])
    assert arguments_of(run, folder) == ["other", "1"]
    run = again.submit("by-endpoint", pipeline_version="0")
    bench.end(run)
    assert arguments_of(run, folder) == ["1"]
    answer = post(bench, f"{address}/5", {"ExperimentName": "x"})
    assert "no version '5'" in answer.json()["error"]["message"]
    again.disable()
    answer = post(bench, address, {"ExperimentName": "x"})
    assert "is disabled" in answer.json()["error"]["message"]


# Schedules


def due(opened, schedule):
    """Have a schedule come due: an update makes the workspace look at it."""
    with opened.database.write() as session:
        row = pipelines.get_schedule(session, schedule.id)
        row.next_fire = utc_now() - timedelta(days=3)
    schedule.update(description="due")


def runs_of(schedule):
    return schedule.get_pipeline_runs()


def test_a_schedule_without_a_start_begins_at_once_and_goes_on(bench, published, opened, folder):
    schedule = Schedule.create(
        bench.ws,
        name="every hour",
        pipeline_id=published.id,
        experiment_name="scheduled",
        recurrence=ScheduleRecurrence(frequency="Hour", interval=1),
        pipeline_parameters={"rate": 3},
    )
    (first,) = wait_until(lambda: runs_of(schedule))
    assert bench.end(first) == "Finished"
    assert arguments_of(first, folder) == ["3"]
    assert first.properties["azureml.scheduleid"] == schedule.id
    # Three days of a workspace that was off are one run.
    due(opened, schedule)
    wait_until(lambda: len(runs_of(schedule)) == 2)
    with opened.database.read() as session:
        row = pipelines.get_schedule(session, schedule.id)
    assert as_utc(row.next_fire) > utc_now()
    assert schedule.get_last_pipeline_run().id == runs_of(schedule)[0].id

    schedule.disable()
    assert schedule.id not in [one.id for one in Schedule.list(bench.ws)]
    with opened.database.write() as session:
        pipelines.get_schedule(session, schedule.id).next_fire = utc_now() - timedelta(days=3)
    again = Schedule.get(bench.ws, schedule.id)
    assert (again.status, again.recurrence.frequency) == ("Disabled", "Hour")
    again.enable()
    assert len(runs_of(again)) == 2
    again.disable()


def test_a_weekly_schedule_waits_for_its_moment(bench, published, opened):
    schedule = Schedule.create(
        bench.ws,
        name="weekly",
        pipeline_id=published.id,
        experiment_name="scheduled",
        recurrence=ScheduleRecurrence(
            frequency="Week",
            interval=1,
            start_time="2026-01-01T00:00:00",
            time_zone=TimeZone.GMTStandardTime,
            week_days=["Monday"],
            time_of_day="3:30",
        ),
    )
    with opened.database.read() as session:
        moment = pipelines.get_schedule(session, schedule.id).next_fire
    assert (moment.weekday(), moment.minute) == (0, 30)
    assert runs_of(schedule) == []
    assert schedule.get_last_pipeline_run() is None
    assert [one.id for one in Schedule.get_schedules_for_pipeline_id(bench.ws, published.id)] == [
        schedule.id
    ]
    schedule.disable()


def test_a_changed_blob_starts_a_run_with_its_path(bench, opened, folder):
    path = PipelineParameter("changed", default_value=DataPath(bench.store, "watched"))
    binding = (path, DataPathComputeBinding(mode="mount"))
    step = bench.step("say", SAY_ARGUMENTS, binding, inputs=[binding])
    pipeline = Pipeline(bench.ws, [step]).publish("watches")

    def put(name):
        (folder / name).write_text("x")
        bench.store.upload_files(
            [str(folder / name)], target_path="watched", overwrite=True, show_progress=False
        )

    put("earlier.txt")
    schedule = Schedule.create(
        bench.ws,
        name="watches",
        pipeline_id=pipeline.id,
        experiment_name="scheduled",
        datastore=bench.store,
        polling_interval=1,
        data_path_parameter_name="changed",
        path_on_datastore="watched",
    )
    due(opened, schedule)
    put("later.txt")
    bench.store.upload_files(
        [str(folder / "later.txt")], target_path="watched/below", show_progress=False
    )
    due(opened, schedule)
    (run,) = wait_until(lambda: runs_of(schedule))
    assert bench.end(run) == "Finished"
    (path,) = arguments_of(run, folder)
    assert path.endswith("/watched/later.txt")
    schedule.disable()


def test_a_schedule_that_never_fires_is_refused(bench, published):
    with pytest.raises(Exception, match="needs a recurrence, or a datastore"):
        Schedule.create(
            bench.ws, name="never", pipeline_id=published.id, experiment_name="scheduled"
        )
