"""What lessons 04 and 05 leave behind in the workspace."""

import re


def test_04_the_job_ran_on_the_cluster_and_kept_everything(clone):
    answer = clone.ask(
        """
import joblib, tempfile
from azureml.core import Experiment
runs = list(Experiment(ws, "diabetes-training").get_runs())
job = next(run for run in runs if run.get_details().get("target") == "ml-sdk-cc")
details = job.get_details()
with tempfile.TemporaryDirectory() as folder:
    job.download_file("outputs/model.pkl", folder + "/model.pkl")
    job.download_file("user_logs/std_log.txt", folder + "/log.txt")
    model, log = joblib.load(folder + "/model.pkl"), open(folder + "/log.txt").read()
frame = ws.datasets["diabetes-dataset"].to_pandas_dataframe()
features = frame.drop(columns=["PatientID", "Diabetic"])
from sklearn.metrics import roc_auc_score
scores = model.predict_proba(features)[:, 1]
answer = {
    "status": details["status"],
    "script": details["runDefinition"]["script"],
    "inputs": [one["consumptionDetails"]["inputName"] for one in details["inputDatasets"]],
    "metrics": {name: value for name, value in job.get_metrics().items()
                if isinstance(value, float)},
    "auc": float(roc_auc_score(frame["Diabetic"], scores)),
    "files": job.get_file_names(),
    "log": log,
}
"""
    )
    assert answer["status"] == "Completed" and answer["script"] == "04_experiment_script.py"
    assert answer["inputs"]
    auc = next(value for name, value in answer["metrics"].items() if name.lower() == "auc")
    assert 0.80 < auc < 0.88
    # The model that was kept is the one that was measured.
    assert abs(answer["auc"] - auc) < 0.02
    assert "outputs/model.pkl" in answer["files"] and "user_logs/std_log.txt" in answer["files"]
    assert f"{auc:.3f}" in answer["log"]


def test_04_every_kind_of_metric_reads_back(clone):
    answer = clone.ask(
        """
from azureml.core import Experiment
kinds = {}
for run in Experiment(ws, "diabetes-training").get_runs():
    for name, value in run.get_metrics().items():
        kinds[name] = type(value).__name__ if not isinstance(value, dict) else sorted(value)[:2]
answer = {"kinds": kinds,
          "children": sum(1 for run in Experiment(ws, "diabetes-training").get_runs()
                          for _ in run.get_children())}
"""
    )
    kinds = answer["kinds"].values()
    assert "float" in kinds and "list" in kinds
    assert any(isinstance(kind, list) for kind in kinds)
    assert answer["children"] >= 3


def test_05_both_clients_see_the_same_runs(clone):
    answer = clone.ask(
        """
import mlflow
from azureml.core import Experiment
mlflow.set_tracking_uri(ws.get_mlflow_tracking_uri())
found = {run.info.run_id: run for run in mlflow.MlflowClient().search_runs(
    [mlflow.get_experiment_by_name("diabetes-mlflow").experiment_id])}
seen = {run.id: run for run in Experiment(ws, "diabetes-mlflow").get_runs(include_children=True)}
answer = {
    "same": sorted(found) == sorted(seen),
    "finished": [run.info.status for run in found.values()],
    "job": [run.info.run_id for run in found.values()
            if seen[run.info.run_id].get_details().get("target") == "ml-sdk-cc"],
    "metrics": {run_id: run.data.metrics for run_id, run in found.items()},
    "params": {run_id: run.data.params for run_id, run in found.items()},
}
"""
    )
    assert answer["same"] and set(answer["finished"]) == {"FINISHED"}
    # One for each time that the lesson ran: other tests run it again.
    assert answer["job"]
    for job in answer["job"]:
        auc = [value for name, value in answer["metrics"][job].items() if "auc" in name.lower()]
        assert auc and 0.80 < auc[0] < 0.88
        assert any(answer["params"][job])


def test_05_the_registered_model_is_the_same_for_both(clone):
    answer = clone.ask(
        """
import mlflow
from azureml.core import Model
mlflow.set_tracking_uri(ws.get_mlflow_tracking_uri())
model = Model(ws, "diabetes-mlflow-model")
version = mlflow.MlflowClient().get_model_version(model.name, str(model.version))
loaded = mlflow.pyfunc.load_model(f"models:/{model.name}/{model.version}")
frame = ws.datasets["diabetes-dataset"].take(50).to_pandas_dataframe()
inputs = loaded.metadata.get_input_schema().input_names()
predicted = loaded.predict(frame[inputs].astype("float64"))
answer = {"run": model.run_id == version.run_id, "stage": version.current_stage,
          "inputs": inputs, "rows": len(predicted)}
"""
    )
    assert answer["run"] and answer["stage"] == "Staging"
    assert "PatientID" not in answer["inputs"] and len(answer["inputs"]) == 8
    assert answer["rows"] == 50


def test_the_jobs_logs_were_streamed_into_the_lessons_output(clone):
    for number in ("04", "05"):
        log = clone.log(number)
        assert re.search(r"RunId: diabetes-\w+_\d+_[0-9a-f]{8}", log), number
        assert "Execution Summary" in log
