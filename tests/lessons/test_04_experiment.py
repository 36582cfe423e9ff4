"""Lesson 04 logs a run by hand, submits a script, makes child runs, and finds them all again."""

import io

import joblib
import numpy as np
import pytest
from azureml.core import Environment
from matplotlib import image
from repository import REPOSITORY

FEATURES = 8
TESTED = 4_500  # 30 % of 15,000 patients


def prepare(setting, rows=None):
    """What lessons 01 to 03 leave behind."""
    setting.data.add_diabetes(rows)
    setting.sdk.method(Environment, "get", side_effect=lambda workspace, name: Environment(name))


@pytest.fixture(scope="module")
def ran(setting, tmp_path_factory):
    """The lesson, run once, and the runs it made."""
    with setting(tmp_path_factory.mktemp("lesson")) as here:
        prepare(here)
        return here.run_lesson("04"), here.runs


@pytest.fixture
def lesson(ran):
    return ran[0]


@pytest.fixture
def runs(ran):
    return ran[1]


def test_every_kind_of_metric_is_logged_by_hand(lesson, runs):
    record = runs.named("by-hand")
    metrics = record.metrics
    assert 0.80 < metrics["AUC"] < 0.88
    assert len(metrics["AUC by rows"]) == 4 and metrics["AUC by rows"][-1] == metrics["AUC"]
    assert record.steps["AUC by rows"] == [50, 200, 1000, 10_500]
    assert len(metrics["Deciles"]) == 11 and sorted(metrics["Deciles"]) == metrics["Deciles"]
    assert metrics["Weights"]["feature"][0] == "Pregnancies"
    assert len(metrics["Weights"]["weight"]) == FEATURES
    found = metrics["Found"]
    assert found["threshold"][0] == 0 and found["patients"][0] == TESTED
    assert sorted(found["patients"], reverse=True) == found["patients"]

    shown = lesson.rows("Metrics of the run:")
    assert ["AUC", "float", str(metrics["AUC"])] in shown
    assert len(shown) == len(metrics) == 10


def test_the_accuracy_table_counts_every_patient_once(lesson, runs):
    table = runs.named("by-hand").charts["Accuracy table"]
    assert table["class_labels"] == ["0", "1"]
    for kind in ("probability", "percentile"):
        thresholds = table[f"{kind}_thresholds"]
        counts = np.array(table[f"{kind}_tables"])
        assert counts.shape == (2, len(thresholds), 4)
        assert sorted(thresholds) == thresholds
        assert (counts.sum(axis=2) == TESTED).all()
        true_positive, false_positive, true_negative, false_negative = np.moveaxis(counts, 2, 0)
        for of_class in true_positive + false_negative, true_negative + false_positive:
            assert (of_class == of_class[:, :1]).all(), (
                "a class has the same size at each threshold"
            )
        assert (np.diff(true_positive) <= 0).all() and (np.diff(false_positive) <= 0).all()
    assert (true_positive + false_negative)[0, 0] + (true_positive + false_negative)[1, 0] == TESTED


def test_the_other_charts_fit_the_data(lesson, runs):
    charts = runs.named("by-hand").charts
    matrix = np.array(charts["Confusion matrix"]["matrix"])
    half = charts["Accuracy table"]["probability_tables"][1][5]
    assert matrix.ravel()[[3, 1, 0, 2]].tolist() == half, "the same counts at the threshold 0.5"
    residuals = charts["BMI residuals"]
    assert sum(residuals["bin_counts"]) == TESTED
    assert len(residuals["bin_edges"]) == len(residuals["bin_counts"]) + 1
    predictions = charts["BMI predictions"]
    assert sum(predictions["bin_counts"]) == TESTED
    assert len(predictions["bin_edges"]) == len(predictions["bin_averages"]) + 1
    assert sorted(predictions["bin_averages"]) == predictions["bin_averages"]
    assert all(18 < average < 56 for average in predictions["bin_averages"])
    assert all(np.isfinite(predictions["bin_errors"]))


def test_tags_properties_and_files_of_the_interactive_run(lesson, runs):
    record = runs.named("by-hand")
    assert record.status == "Completed"
    assert record.tags == {"lesson": "04"}
    assert record.properties == {"dataset": "diabetes-dataset:1"}
    assert joblib.load(io.BytesIO(record.files["outputs/model.pkl"])).n_features_in_ == FEATURES
    saved = image.imread(lesson.folder / "outputs" / "04_roc_curve.png")
    assert saved.shape[0] > 300
    assert ["outputs/model.pkl"] in lesson.rows("Files of the run:")
    assert f"Page: https://portal/runs/{record.run_id}" in lesson.output


def test_submits_the_script_with_the_dataset_as_named_input(lesson, runs):
    (config,) = runs.submitted
    assert config.run_config.target == "ml-sdk-cc"
    assert config.run_config.environment.name == "ml-sdk-env"
    assert config.run_config.max_run_duration_seconds == 1800
    assert (REPOSITORY / config.source_directory / config.script).is_file()
    assert config.arguments[1].name == "diabetes"
    assert runs.named("job").inputs["diabetes"].name == "diabetes-dataset"


def test_shows_what_came_of_the_job(lesson, runs):
    job = runs.named("job")
    assert job.tags == {"lesson": "04"}
    assert job.log in lesson.output, "the log of the job is shown while it runs"
    assert "Completed on ml-sdk-cc after 90 seconds" in lesson.output
    assert "Read diabetes-dataset as diabetes" in lesson.output
    shown = {" ".join(row[:-1]): row[-1] for row in lesson.rows("Metrics of the job:")}
    assert shown == {
        "AUC": f"{job.metrics['AUC']:.3f}",
        "Accuracy": f"{job.metrics['Accuracy']:.3f}",
        "Diabetic share": "0.330",
        "Regularization": "1.000",
        "Rows": "15000.000",
    }
    assert ["outputs/model.pkl"] in lesson.rows("Files of the job:")
    assert f"AUC of the model from the cluster, here: {job.metrics['AUC']:.3f}" in lesson.output
    assert (lesson.folder / "outputs" / "04_model_of_job.pkl").is_file()


def test_tries_are_child_runs(lesson, runs):
    parent = runs.named("regularization")
    children = [record for record in runs.records if record.parent == parent.run_id]
    assert [child.name for child in children] == ["rate-1", "rate-1000", "rate-100000"]
    assert {child.status for child in [parent, *children]} == {"Completed"}
    scores = [child.metrics["AUC"] for child in children]
    assert sorted(scores, reverse=True) == scores and scores[0] - scores[-1] > 0.001
    rows = lesson.rows("Tries:")
    assert [row[-1] for row in rows[1:]] == ["1", "1000", "100000"]


def test_finds_runs_of_this_and_of_an_earlier_time(setting, tmp_path):
    with setting(tmp_path) as here:
        prepare(here, rows=2000)
        first, second = here.run_lesson("04"), here.run_lesson("04")
    assert "With the tag: 2, on this data: 1, completed: 6" in first.output
    assert "With the tag: 4, on this data: 2, completed: 12" in second.output
    header, *rows = second.rows("Past runs:")
    assert header == ["run", "name", "AUC"]
    names = ["regularization", "job", "by-hand", "regularization", "job"]
    assert [row[1] for row in rows[:5]] == names
    job = here.runs.named("job")
    assert f"{job.run_id} is Completed: https://portal/runs/{job.run_id}" in second.output


@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [
        ("step=rows", "at=rows", "at"),
        ("run.log_list(", "run.log_values(", "log_values"),
        ("plot=figure", "figure=figure", "figure"),
        ("path_or_stream=", "path=", "path"),
        ("compute_target=", "target=", "target"),
        ('tags={"lesson": "04"})  # returns', 'labels={"lesson": "04"})  # returns', "labels"),
        ("show_output=True", "output=True", "output"),
        ("output_file_path=", "path=", "path"),
        ("snapshot_directory=None,", "snapshot=None,", "snapshot"),
        (".sum().tolist()", ".sum()", "numpy.int64"),
    ],
)
def test_a_wrong_call_is_refused(setting, tmp_path, right, wrong, named):
    with setting(tmp_path) as here:
        prepare(here, rows=300)
        with pytest.raises((TypeError, AttributeError), match=named):
            here.run_lesson("04", edit=lambda text: text.replace(right, wrong))
