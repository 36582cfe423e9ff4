"""The script of lesson 05 logs everything with MLflow, into the run of its job."""

import io

import mlflow
import numpy as np
import pandas as pd
import pytest
from azureml.core.run import _SubmittedRun
from matplotlib import image
from repository import REPOSITORY
from run_doubles import run_script
from tracking_doubles import RunsInMlflow, mlflow_at_rest

SCRIPT = REPOSITORY / "experiments" / "04_experiment_script_mlflow.py"
ROWS = 3000


@pytest.fixture
def job(data, sdk, workspace, tmp_path):
    """Runs the script as a job; gives the run as MLflow has it, the client, and the output."""

    def run_it(frame, *arguments):
        runs = RunsInMlflow(workspace, sdk, tmp_path)
        mlflow.set_tracking_uri(runs.uri)
        runs.client.create_experiment("some")
        context = runs.run(_SubmittedRun, run_id=runs.new_job("some", {}))
        context.input_datasets = {"diabetes": data.tabular(frame)}
        arguments = ["--input-data", "some-id", *arguments]
        with runs.job_environment(runs.records[0]):
            output = run_script(sdk, SCRIPT, arguments, context, tmp_path)
        assert runs.records[0].metrics == {}, "nothing is logged with the SDK"
        return runs.client.get_run(context.id), runs.client, output

    with mlflow_at_rest():
        yield run_it


@pytest.fixture
def frame(data):
    return data.add_diabetes(ROWS).to_pandas_dataframe()


def test_logs_into_the_run_of_the_job(job, frame, tmp_path):
    run, client, output = job(frame, "--regularization", "10")
    assert f"Logging to the run {run.info.run_id}" in output
    assert len(client.search_runs([run.info.experiment_id])) == 1, "no second run is made"
    assert run.data.params == {"regularization": "10.0", "rows": str(ROWS)}
    assert 0.80 < run.data.metrics["AUC"] < 0.88
    assert 0.75 < run.data.metrics["accuracy"] < 0.85
    history = client.get_metric_history(run.info.run_id, "AUC_by_rows")
    assert [point.step for point in history] == [200, 1000, 2100]
    assert history[-1].value == run.data.metrics["AUC"]

    model = mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    assert model[-1].C == 0.1, "scikit-learn's C is the inverse of the penalty"
    picture = client.download_artifacts(run.info.run_id, "roc_curve.png", str(tmp_path))
    assert image.imread(picture).shape[0] > 300
    table = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/summary.csv")
    summary = pd.read_csv(io.StringIO(table), index_col=0)
    assert summary.loc["mean", "Age"] == pytest.approx(frame["Age"].mean())


def test_the_model_has_a_signature_and_an_example(job, frame):
    run, _, _ = job(frame)
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    columns = list(frame.drop(columns=["PatientID", "Diabetic"]).columns)
    assert model.metadata.get_input_schema().input_names() == columns
    assert list(model.input_example.columns) == columns
    predicted = model.predict(frame[columns].astype(float))
    assert (predicted == frame["Diabetic"]).mean() == pytest.approx(
        run.data.metrics["accuracy"], abs=0.03
    )


def test_leaves_out_incomplete_and_repeated_patients(job, frame):
    damaged = pd.concat([frame, frame.head(10)], ignore_index=True)
    damaged.loc[100:104, "BMI"] = np.nan
    run, _, _ = job(damaged)
    assert run.data.params["rows"] == str(ROWS - 5)
