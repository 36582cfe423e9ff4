"""Lesson 05 logs with MLflow here and in a job, compares, registers and loads models."""

import contextlib

import numpy as np
import pytest
from azureml.core import Environment
from matplotlib import image
from repository import REPOSITORY
from tracking_doubles import RunsInMlflow, mlflow_at_rest

MODEL = "diabetes-mlflow-model"
TRAINED = 2800  # 70 % of the 4000 patients that are enough here


@contextlib.contextmanager
def prepared(setting, folder, rows):
    """What lessons 01 to 03 leave behind, and MLflow with a store of its own."""
    with setting(folder, runs=_new_runs(folder)) as here, mlflow_at_rest():
        here.data.add_diabetes(rows)
        here.sdk.method(Environment, "get", side_effect=lambda workspace, name: Environment(name))
        yield here


def _new_runs(folder):
    return lambda workspace, sdk: RunsInMlflow(workspace, sdk, folder)


@pytest.fixture(scope="module")
def ran(setting, tmp_path_factory):
    """The lesson, run twice, and the runs it made."""
    with prepared(setting, tmp_path_factory.mktemp("lesson"), rows=4000) as here:
        first = here.run_lesson("05")
        return first, here.run_lesson("05"), here.runs


@pytest.fixture
def lesson(ran):
    return ran[0]


@pytest.fixture
def runs(ran):
    return ran[2]


def run_named(runs, name):
    """The newest run of this name, as MLflow has it."""
    experiment = runs.client.get_experiment_by_name("diabetes-mlflow")
    found = runs.client.search_runs(
        [experiment.experiment_id], f"attributes.run_name = '{name}'", max_results=1
    )
    return found[0]


def test_a_run_by_hand_has_params_metrics_with_steps_and_artifacts(lesson, runs, tmp_path):
    run = run_named(runs, "by-hand")
    assert run.info.status == "FINISHED"
    assert run.data.params == {"model": "logistic regression", "regularization": "1.0"}
    assert run.data.tags["lesson"] == "05"
    history = runs.client.get_metric_history(run.info.run_id, "AUC_by_rows")
    assert [point.step for point in history] == [50, 200, 1000, TRAINED]
    assert history[-1].value == run.data.metrics["AUC"]
    assert 0.80 < run.data.metrics["AUC"] < 0.88
    picture = runs.client.download_artifacts(run.info.run_id, "charts/roc_curve.png", str(tmp_path))
    saved = image.imread(lesson.folder / "outputs" / "05_roc_curve.png")
    assert saved.shape[0] > 300
    assert image.imread(picture).shape[0] > 300
    files = [item.path for item in runs.client.list_artifacts(run.info.run_id)]
    assert files == ["03_conda.yml", "charts", "columns.json"]
    values = ", ".join(f"{point.step}: {point.value:.3f}" for point in history)
    assert f"AUC by rows: {values}" in lesson.output


def test_autologging_records_settings_and_training_metrics(lesson, runs):
    run = run_named(runs, "autolog")
    assert run.data.params["learning_rate"] == "0.1"
    assert run.data.params["max_iter"] == "100"
    assert run.data.metrics["training_roc_auc"] > run.data.metrics["AUC"] > 0.92
    assert "  learning_rate = 0.1" in lesson.output
    assert f"Autologged: {len(run.data.params)} parameters" in lesson.output
    assert [item.path for item in runs.client.list_artifacts(run.info.run_id, "model")]


def test_the_job_logs_to_its_own_run(lesson, runs):
    config = runs.submitted[0]
    assert (REPOSITORY / config.source_directory / config.script).is_file()
    assert config.run_config.target == "ml-sdk-cc"
    assert config.run_config.environment.name == "ml-sdk-env"
    job = runs.named("job")
    run = runs.client.get_run(job.run_id)
    assert f"Logging to the run {job.run_id}" in job.log
    assert run.info.status == "FINISHED"
    assert run.data.params["regularization"] == "100.0"
    assert 0.80 < run.data.metrics["AUC"] < 0.88
    assert job.metrics == {}, "everything is logged with MLflow"


def test_compares_the_runs_best_first(lesson, runs):
    header, *rows = lesson.rows("Runs, best first:")
    assert header == ["run", "name", "status", "AUC", "regularization"]
    assert rows[0][1] == "autolog" and {row[1] for row in rows} == {"autolog", "by-hand", "job"}
    scores = [float(row[3]) for row in rows]
    assert sorted(scores, reverse=True) == scores
    assert {row[2] for row in rows} == {"FINISHED"}


def test_shows_the_run_as_the_sdk_sees_it(ran, runs):
    run = run_named(runs, "autolog")
    output = ran[1].output
    score = f"AUC {run.data.metrics['AUC']:.3f}"
    assert f"The SDK on {run.info.run_id}: Completed, {score}" in output
    assert "\n  model/MLmodel\n" in output
    assert f"Best:  https://portal/runs/{run.info.run_id}" in output


def test_registers_the_best_run_each_time_and_moves_the_stage(ran, runs):
    versions = sorted(
        runs.client.search_model_versions(f"name = '{MODEL}'"), key=lambda item: item.version
    )
    assert [(item.version, item.current_stage) for item in versions] == [
        (1, "Archived"),
        (2, "Staging"),
    ]
    names = {runs.client.get_run(item.run_id).info.run_name for item in versions}
    assert names == {"autolog"}
    _, *rows = ran[1].rows(f"Versions of {MODEL}:")
    assert {tuple(row[:2]) for row in rows} == {("1", "Archived"), ("2", "Staging")}


def test_loads_the_models_back_and_predicts(lesson, runs):
    first_job = next(record for record in runs.records if record.name == "job")
    run = runs.client.get_run(first_job.run_id)
    loaded = [f"runs:/{first_job.run_id}/model:", "AUC", f"{run.data.metrics['AUC']:.3f}"]
    assert loaded in lesson.rows("Loaded back:")
    best = next(row for row in lesson.rows("Runs, best first:") if row[1] == "autolog")
    registered = [f"models:/{MODEL}/1:", "AUC", f"{float(best[3]):.3f}"]
    assert registered in lesson.rows("Loaded back:")
    assert "The model takes Pregnancies, PlasmaGlucose, DiastolicBloodPressure" in lesson.output
    model, rows = lesson.names["trees"], lesson.names["X_test"].head(3)
    assert f"It says of three patients: {np.asarray(model.predict(rows)).tolist()}" in lesson.output
    signature = lesson.names["general"].metadata.signature
    assert {column.type.name for column in signature.inputs} == {"double"}


@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [
        ("run_name=", "name=", "name"),
        ("auc, step=rows", "auc, at=rows", "at"),
        ("log_datasets=", "log_data=", "log_data"),
        ("signature=", "schema=", "schema"),
    ],
)
def test_a_wrong_call_is_refused(setting, tmp_path, right, wrong, named):
    refused = pytest.raises((TypeError, AttributeError), match=named)
    with prepared(setting, tmp_path, rows=300) as here, refused:
        here.run_lesson("05", edit=lambda text: text.replace(right, wrong))
