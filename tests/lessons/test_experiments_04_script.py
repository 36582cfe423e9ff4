"""The script of lesson 04 cleans the data, trains, logs, and leaves a model in outputs/."""

import ast
import io
import re
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import yaml
from azureml.core.run import _SubmittedRun
from matplotlib import image
from repository import REPOSITORY
from run_doubles import run_script

SCRIPT = REPOSITORY / "experiments" / "04_experiment_script.py"


@pytest.fixture
def run(runs, data, tmp_path, sdk):
    """Runs the script on a frame; gives its record and what it printed."""

    def run_it(frame, *arguments):
        context = runs.run(_SubmittedRun)
        context.input_datasets = {"diabetes": data.tabular(frame)}
        arguments = ["--input-data", "some-id", *arguments]
        output = run_script(sdk, SCRIPT, arguments, context, tmp_path)
        return runs.record_of(context), output

    return run_it


@pytest.fixture
def frame(data):
    return data.add_diabetes().to_pandas_dataframe()


def test_trains_a_model_that_finds_a_signal(run, frame, tmp_path):
    record, output = run(frame)
    metrics = record.metrics
    assert metrics["Rows"] == 15_000
    assert metrics["Diabetic share"] == pytest.approx(frame["Diabetic"].mean())
    assert 0.80 < metrics["AUC"] < 0.88
    assert 0.75 < metrics["Accuracy"] < 0.85
    assert metrics["Regularization"] == 1.0
    assert (
        f"Regularization 1: accuracy {metrics['Accuracy']:.3f}, AUC {metrics['AUC']:.3f}" in output
    )

    matrix = np.array(record.charts["Confusion matrix"]["matrix"])
    assert matrix.sum() == 4_500
    assert np.trace(matrix) / matrix.sum() == pytest.approx(metrics["Accuracy"])
    for name in ("ROC curve", "Age by diagnosis"):
        picture = image.imread(io.BytesIO(record.files[f"{name}_1.png"]))
        assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 2, (
            "it shows something"
        )

    model = joblib.load(tmp_path / "outputs" / "model.pkl")
    # The model scales by itself: it takes the columns as they are in the data.
    features = frame.drop(columns=["PatientID", "Diabetic"])
    assert list(model.feature_names_in_) == list(features.columns)
    assert model.predict(features).mean() == pytest.approx(0.28, abs=0.05)
    summary = pd.read_csv(tmp_path / "outputs" / "summary.csv", index_col=0)
    assert summary.loc["mean", "Age"] == pytest.approx(frame["Age"].mean())


def test_leaves_out_incomplete_and_repeated_patients(run, frame):
    frame = frame.head(3000)
    damaged = pd.concat([frame, frame.head(10)], ignore_index=True)
    damaged.loc[100:104, "BMI"] = np.nan
    record, output = run(damaged)
    assert record.metrics["Rows"] == 2995
    assert "3010 rows read, 2995 complete and of different patients" in output


def test_regularization_is_the_strength_of_the_penalty(run, frame, tmp_path):
    weak, _ = run(frame, "--regularization", "0.1")
    free = joblib.load(tmp_path / "outputs" / "model.pkl")[-1].coef_
    strong, _ = run(frame, "--regularization", "100000")
    bound = joblib.load(tmp_path / "outputs" / "model.pkl")[-1].coef_
    assert strong.metrics["Regularization"] == 100_000
    assert np.abs(bound).max() < np.abs(free).max() / 10
    assert strong.metrics["Accuracy"] < weak.metrics["Accuracy"] - 0.05


def test_says_which_argument_is_missing(runs, data, sdk, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run_script(sdk, SCRIPT, [], runs.run(_SubmittedRun), tmp_path)
    assert "--input-data" in capsys.readouterr().err


@pytest.mark.parametrize(
    "script", sorted(SCRIPT.parent.glob("04_*.py")), ids=lambda path: path.name
)
def test_the_environment_of_the_jobs_has_what_the_scripts_import(script):
    conda = yaml.safe_load((SCRIPT.parent / "03_conda.yml").read_text())
    packages = {re.split(r"[=\[]", line)[0] for line in conda["dependencies"][-1]["pip"]}
    names = {"azureml": "azureml-core", "sklearn": "scikit-learn"}
    tree = ast.parse(script.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [node.module]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in getattr(node, "names", [])]
        )
    }
    others = imported - sys.stdlib_module_names
    assert {"azureml", "sklearn", "matplotlib"} <= others
    assert {names.get(name, name) for name in others} <= packages
