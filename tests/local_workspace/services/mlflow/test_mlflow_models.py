"""MLflow's models and registry, and the same models seen by the SDK."""

from pathlib import Path

import mlflow
import numpy as np
import pytest
from azureml.core import Experiment, Model
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression


@pytest.fixture(scope="module", autouse=True)
def experiment(tracking):
    mlflow.set_experiment("mlflow-models")


@pytest.fixture(scope="module")
def data():
    features = np.random.default_rng(0).normal(size=(60, 3))
    return features, (features[:, 0] > 0).astype(int)


@pytest.fixture(scope="module")
def logged(data):
    """A run with a fitted model, registered as `first`."""
    fitted = LogisticRegression().fit(*data)
    signature = infer_signature(data[0], fitted.predict(data[0]))
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(
            fitted,
            "model",
            signature=signature,
            registered_model_name="first",
            pip_requirements=["scikit-learn"],
        )
    return run, fitted


def test_a_logged_model_loads_by_run_and_by_name(logged, data):
    run, fitted = logged
    by_run = mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    assert np.array_equal(by_run.coef_, fitted.coef_)
    by_name = mlflow.pyfunc.load_model("models:/first/1")
    assert np.array_equal(by_name.predict(data[0]), fitted.predict(data[0]))
    assert by_name.metadata.signature.inputs is not None
    assert by_name.metadata.run_id == run.info.run_id


def test_a_model_of_mlflow_is_a_model_of_the_sdk(local_workspace, logged, tmp_path):
    run, _ = logged
    model = Model(local_workspace.workspace, "first")
    assert (model.version, model.run_id) == (1, run.info.run_id)
    path = Path(model.download(str(tmp_path)))
    assert sorted(one.name for one in path.iterdir()) == [
        "MLmodel",
        "conda.yaml",
        "model.pkl",
        "python_env.yaml",
        "requirements.txt",
    ]
    seen = local_workspace.workspace.get_run(run.info.run_id)
    assert "model/MLmodel" in seen.get_file_names()


def test_a_model_of_the_sdk_is_a_model_of_mlflow(ws, client, folder):
    (folder / "weights.txt").write_text("1 2 3")
    Model.register(ws, "weights.txt", "by-sdk", tags={"a": "b"})
    version = client.get_model_version("by-sdk", "1")
    assert version.tags == {"a": "b"} and version.status == "READY"
    path = mlflow.artifacts.download_artifacts("models:/by-sdk/1", dst_path=str(folder / "down"))
    found = Path(path) / "weights.txt" if Path(path).is_dir() else Path(path)
    assert found.read_text() == "1 2 3"


def test_versions_stages_and_aliases(logged, client):
    run, fitted = logged
    second = mlflow.register_model(f"runs:/{run.info.run_id}/model", "first", tags={"try": "2"})
    assert second.version == "2"
    client.transition_model_version_stage("first", "1", "Production")
    client.transition_model_version_stage("first", "2", "Production", True)
    assert client.get_model_version("first", "1").current_stage == "Archived"
    assert [one.version for one in client.get_latest_versions("first", ["Production"])] == ["2"]
    loaded = mlflow.sklearn.load_model("models:/first/Production")
    assert np.array_equal(loaded.coef_, fitted.coef_)
    client.set_registered_model_alias("first", "champion", "1")
    assert client.get_model_version_by_alias("first", "champion").version == "1"
    assert mlflow.sklearn.load_model("models:/first@champion").intercept_ == fitted.intercept_
    client.delete_registered_model_alias("first", "champion")
    with pytest.raises(MlflowException, match="champion"):
        client.get_model_version_by_alias("first", "champion")
    with pytest.raises(MlflowException, match="stages"):
        client.transition_model_version_stage("first", "1", "Somewhere")


def test_models_are_described_found_renamed_and_deleted(logged, client):
    run, _ = logged
    client.create_registered_model("told", tags={"team": "blue"}, description="one")
    with pytest.raises(MlflowException, match="already"):
        client.create_registered_model("told")
    source = f"{run.info.artifact_uri}/model"
    client.create_model_version("told", source, run.info.run_id, description="version one")
    client.update_registered_model("told", "two")
    client.set_registered_model_tag("told", "k", "v")
    client.set_model_version_tag("told", "1", "k", "v")
    client.update_model_version("told", "1", "changed")
    found = client.search_registered_models("tags.team = 'blue'")
    assert [(one.name, one.description, one.tags["k"]) for one in found] == [("told", "two", "v")]
    [version] = client.search_model_versions("name = 'told'")
    assert (version.description, version.tags) == ("changed", {"k": "v"})
    versions = client.search_model_versions(f"run_id = '{run.info.run_id}'")
    assert "told" in [one.name for one in versions]
    client.rename_registered_model("told", "told-again")
    assert client.get_model_version("told-again", "1").source == source
    client.delete_model_version("told-again", "1")
    with pytest.raises(MlflowException, match="not found"):
        client.get_model_version("told-again", "1")
    client.delete_registered_model("told-again")
    with pytest.raises(MlflowException, match="not found"):
        client.get_registered_model("told-again")


def test_sources_that_are_none(logged, client):
    run, _ = logged
    client.create_registered_model("no-source")
    with pytest.raises(MlflowException, match="There are no files"):
        client.create_model_version("no-source", f"{run.info.artifact_uri}/nothing")
    with pytest.raises(MlflowException, match="not the address of files"):
        client.create_model_version("no-source", "azureml://elsewhere/x")
    assert client.search_model_versions("name = 'no-source'") == []


def test_autolog_logs_parameters_metrics_and_the_model(local_workspace, data):
    mlflow.sklearn.autolog(log_input_examples=False, log_datasets=False)
    try:
        with mlflow.start_run() as run:
            LogisticRegression(C=0.5).fit(*data)
    finally:
        mlflow.sklearn.autolog(disable=True)
    read = mlflow.get_run(run.info.run_id)
    assert read.data.params["C"] == "0.5"
    seen = Experiment(local_workspace.workspace, "mlflow-models")
    metrics = next(one for one in seen.get_runs() if one.id == run.info.run_id).get_metrics()
    assert 0.9 < metrics["training_roc_auc"] <= 1
    assert mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model").C == 0.5
