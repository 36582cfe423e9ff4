"""Metrics through the SDK: every kind, what they become, what is refused."""

import json
import math
from datetime import timedelta

import matplotlib
import pytest
from azureml.core import Experiment, Run

from local_workspace.clock import utc_now
from local_workspace.errors import NotFound
from local_workspace.services import metric
from local_workspace.services.run_history import upsert_run
from local_workspace.store.database import Database

matplotlib.use("Agg")
from matplotlib import pyplot

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture(scope="module")
def experiment(local_workspace):
    return Experiment(local_workspace.workspace, "metrics")


@pytest.fixture
def run(experiment):
    return experiment.start_logging(snapshot_directory=None)


@pytest.fixture
def metrics(run, local_workspace):
    """Log what the test does with the run, then read it back with another object."""

    def read(**options):
        run.flush()
        return Run.get(local_workspace.workspace, run.id).get_metrics(**options)

    return read


@pytest.fixture
def call(caller):
    """Call the metric service directly: call(run id, operation, body) gives the response."""
    send = caller("/metric/v2.0{scope}/runs")

    def call(run_id, operation, body):
        # By hand, because `requests` sends no NaN.
        return send("POST", f"/{run_id}/{operation}", data=json.dumps(body))

    return call


def test_scalars_keep_their_type(run, metrics):
    run.log("whole", 3)
    run.log("double", 0.25)
    run.log("text", "ü")
    run.log("truth", True)
    run.log("large", 2**60 + 1)
    found = metrics()
    assert found == {"whole": 3, "double": 0.25, "text": "ü", "truth": True, "large": 2**60 + 1}
    assert type(found["whole"]) is int
    assert type(found["truth"]) is bool
    assert metrics(name="whole") == {"whole": 3}
    assert metrics(name="no-such-metric") == {}


def test_a_metric_logged_again_becomes_a_list_in_its_order(run, metrics):
    for value in (3, 1, 2.5):
        run.log("loss", value)
    run.log_list("list", [1, 2.5, 3])
    assert metrics() == {"loss": [3.0, 1.0, 2.5], "list": [1.0, 2.5, 3.0]}


def test_rows_and_tables(run, metrics):
    run.log_row("row", x=1, word="a")
    run.log_row("rows", x=1, word="a")
    run.log_row("rows", x=2, word="b")
    run.log_table("table", {"x": [1.5, 2.5], "name": ["a", "b"]})
    run.log_row("growing", x=1.0)
    run.log_row("growing", x=2.0, y=4.0, note="late")
    found = metrics()
    assert found["row"] == {"x": 1, "word": "a"}
    assert found["rows"] == {"x": [1, 2], "word": ["a", "b"]}
    assert found["table"] == {"x": [1.5, 2.5], "name": ["a", "b"]}
    growing = found["growing"]
    assert (growing["x"], growing["note"]) == ([1.0, 2.0], [None, "late"])
    assert math.isnan(growing["y"][0])
    assert growing["y"][1] == 4.0


def test_numbers_that_are_none_come_back(run, metrics, call):
    run.log("nan", float("nan"))
    run.log("up", float("inf"))
    run.log("down", float("-inf"))
    run.log_row("row", x=float("nan"), y=1.0)
    found = metrics()
    assert math.isnan(found["nan"])
    assert (found["up"], found["down"]) == (math.inf, -math.inf)
    assert math.isnan(found["row"]["x"])
    # JSON has no such numbers: other clients must be able to read the answer.
    answer = call(run.id, "full", {"metricName": "up"}).text
    assert json.loads(answer, parse_constant=pytest.fail)["value"][0]["data"] == {"up": "Infinity"}


def test_a_text_among_numbers_does_not_keep_the_others_from_being_read(run, metrics):
    run.log("before", 1)
    run.log_list("mixed", [1.5, "a", float("nan"), 2.5])
    run.log_table("columns", {"number": [1.5, "a", float("inf")]})
    read = metrics()
    assert read["before"] == 1
    assert read["mixed"][::2] == [1.5, 2.5] and math.isnan(read["mixed"][1])
    assert read["columns"] == {"number": [1.5, math.inf]}
    assert "holds double and cannot take string" in warnings_of(run)


def test_pictures_and_charts_are_files_of_the_run(run, metrics, tmp_path):
    pyplot.plot([1, 2])
    pyplot.savefig("saved.png")
    run.log_image("plot", plot=pyplot)
    run.log_image("picture", path=str(tmp_path / "saved.png"))
    matrix = {
        "schema_type": "confusion_matrix",
        "schema_version": "1.0.0",
        "data": {"class_labels": ["0", "1"], "matrix": [[3, 1], [0, 4]]},
    }
    residuals = {"schema_type": "residuals", "schema_version": "1.0.0", "data": {"bin_edges": [0]}}
    predictions = {**residuals, "schema_type": "predictions"}
    table = {**residuals, "schema_type": "accuracy_table"}
    run.log_confusion_matrix("matrix", matrix)
    run.log_residuals("residuals", residuals)
    run.log_predictions("predictions", predictions)
    run.log_accuracy_table("accuracy", table)
    found = metrics()
    place = f"aml://artifactId/ExperimentRun/dcid.{run.id}/"
    assert {name: value[: len(place)] for name, value in found.items()} == dict.fromkeys(
        ("plot", "picture", "matrix", "residuals", "predictions", "accuracy"), place
    )
    names = run.get_file_names()
    assert found["plot"][len(place) :] in names
    assert str(tmp_path / "saved.png").lstrip("/") in names
    for name, document in (
        ("matrix", matrix),
        ("residuals", residuals),
        ("predictions", predictions),
        ("accuracy", table),
    ):
        run.download_file(name, "back.json")
        with open("back.json") as file:
            assert json.load(file) == document
    populated = metrics(name="matrix", populate=True)["matrix"]
    assert json.loads(populated.data) == matrix


def warnings_of(run):
    return " ".join(warning["message"] for warning in run.get_details()["warnings"])


def test_text_of_ten_megabytes_is_refused_and_the_rest_is_kept(run, metrics):
    run.log("before", 1)
    run.log("novel", "x" * 10_000_000)
    run.log("after", 2)
    assert metrics() == {"before": 1, "after": 2}
    assert "'novel' has 10000000 bytes" in warnings_of(run)
    assert "Upload it as a file" in warnings_of(run)


def test_a_name_has_one_kind_of_value(run, metrics):
    run.log("x", 1)
    run.log("x", "text")
    run.log_row("x", x=1)
    assert metrics() == {"x": 1}
    assert "holds int and cannot take string" in warnings_of(run)
    assert "azureml.v1.scalar and cannot take a value of type azureml.v1.table" in warnings_of(run)


def test_the_same_batch_sent_twice_is_logged_once(run, call):
    value = {"metricId": run.id, "createdUtc": "2026-01-31T10:00:00Z", "data": {"m": 1}}
    batch = {"values": [{"name": "m", "columns": {"m": "int"}, "value": [value, value]}]}
    for _ in range(2):
        assert call(run.id, "batch", batch).json() == {"errors": []}
    answer = call(run.id, "full", {"metricName": "m"}).json()
    assert [value["data"] for value in answer["value"]] == [{"m": 1}]


def test_values_of_a_time_and_with_a_step(run, call):
    values = [
        {"metricId": f"{run.id}{n}", "createdUtc": f"2026-01-31T1{n}:00:00Z", "step": n * 10,
         "data": {"m": n}}
        for n in range(4)
    ]  # fmt: skip
    batch = {"values": [{"name": "m", "columns": {"m": "int"}, "value": values}]}
    assert call(run.id, "batch", batch).json() == {"errors": []}
    span = {"startTime": "2026-01-31T11:00:00Z", "endTime": "2026-01-31T12:00:00Z"}
    answer = call(run.id, "full", {"metricName": "m", **span}).json()
    assert [(v["step"], v["data"]["m"]) for v in answer["value"]] == [(10, 1), (20, 2)]


@pytest.mark.parametrize(
    ("operation", "body", "status"),
    [
        ("batch", {}, 400),
        ("batch", [], 400),
        ("full", {}, 400),
        ("full", {"metricName": "none"}, 404),
        ("full", {"metricName": "none", "continuationToken": "x"}, 400),
        ("full", {"metricName": "none", "startTime": "soon"}, 400),
    ],
)
def test_requests_that_make_no_sense(run, call, operation, body, status):
    assert call(run.id, operation, body).status_code == status


@pytest.mark.parametrize(
    "bad",
    [
        "text",
        {"name": "m"},
        {"name": "m", "value": [5]},
        {"name": "m", "columns": {"m": "int"}, "value": [{"data": 5}]},
        {"name": "m", "columns": 5, "value": [{"data": {"m": 1}}]},
        {"name": "m", "columns": {"m": "int"}, "value": [{"data": {"m": 1}, "step": "one"}]},
        {"name": "m", "columns": {"m": "int"}, "value": [{"data": {"m": 1}, "step": 2**70}]},
        {"name": "", "columns": {"": "int"}, "value": [{"data": {"": 1}}]},
        {"name": "m" * 256, "columns": {"m": "int"}, "value": [{"data": {"m": 1}}]},
        {"name": "m", "columns": {"m": "int"}, "value": [{"data": {"m": 1}, "createdUtc": "now"}]},
    ],
)
def test_one_bad_metric_does_not_hinder_the_others(run, call, bad):
    good = {"name": "good", "columns": {"good": "int"}, "value": [{"data": {"good": 1}}]}
    answer = call(run.id, "batch", {"values": [bad, good]})
    assert answer.status_code == 200, answer.text
    [error] = answer.json()["errors"]
    assert error["errorResponse"]["error"]["message"]
    assert run.get_metrics() == {"good": 1}


def test_metrics_of_an_unknown_run(call):
    for operation, body in (("batch", {"values": []}), ("list", {}), ("full", {"metricName": "m"})):
        assert call("no-such-run", operation, body).status_code == 404


def test_many_values_come_back_complete(run, call):
    count = 10_500
    for start in range(0, count, 2_100):
        values = [{"data": {"m": n / 4}} for n in range(start, start + 2_100)]
        batch = {"values": [{"name": "m", "columns": {"m": "double"}, "value": values}]}
        assert call(run.id, "batch", batch).json() == {"errors": []}
    assert run.get_metrics("m") == {"m": [n / 4 for n in range(count)]}


def test_the_latest_value_is_that_of_the_highest_step(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'metrics.db'}")
    now = utc_now()
    with database.write() as session:
        upsert_run(session, "experiment", "run")
        for value, step, seconds in ((1.0, 5, 0), (9.0, 4, 9), (2.0, 5, 1), (math.nan, 5, 1)):
            moment = now + timedelta(seconds=seconds)
            logged = metric.scalar("m", value, step=step, timestamp=moment)
            assert metric.log_values(session, "run", [logged]) == {}
    with database.read() as session:
        row = metric.latest_scalars(session, ["run", "other"])["run"]["m"]
        assert metric.as_number(row.latest_value, row.latest_special) == 2.0
        values = metric.full_metric(session, "run", "m").values
        assert [v.value for v in values] == [1.0, 9.0, 2.0, None]
        assert math.isnan(metric.as_number(values[3].value, values[3].special))
    with database.write() as session:
        metric.delete_metrics(session, "run")
        assert metric.list_metrics(session, "run") == []
        with pytest.raises(NotFound):
            metric.full_metric(session, "run", "m")
    database.close()
