"""MLflow: log, compare and keep models with an open tool.

What you will do: point MLflow to the workspace; log a run by hand and one by itself; log from a
job; compare the runs by their metrics; keep the best model, register it, and load it back.

The ideas
- MLflow is an open-source tool for tracking experiments. Your workspace is one of the servers it
  can log to: what you log with MLflow and what you log with the SDK are the same runs.
- A run in MLflow has parameters (settings, once), metrics (numbers, with steps), tags and
  artifacts (files). Autologging records these from the training library, without a line of yours.
- A model in MLflow's format is a folder: the model, the packages it needs, and its signature, that
  is the columns it takes and what it gives. Registering gives it a name and a version.
- Code that logs with MLflow runs unchanged with SDK v2 and with other MLflow servers.

Needs: 01, 02, 03
Cost and time on Azure: as lesson 04: a node for some minutes, a few cents.
In SDK v2: the same code; v2 has no logging of its own.
"""

# %% Sign in, and point MLflow to the workspace
from importlib.util import find_spec

if not (find_spec("azureml") and find_spec("dotenv")):
    raise SystemExit("This Python lacks the SDK: type `python run.py 05`, which brings its own.")

from dotenv import load_dotenv

load_dotenv(override=True)

from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
import pandas as pd
import sklearn
from azureml.core import Dataset, Environment, Experiment, Run, ScriptRunConfig, Workspace
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import RocCurveDisplay, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ws = Workspace.from_config()
mlflow.set_tracking_uri(ws.get_mlflow_tracking_uri())  # the package azureml-mlflow does the rest
mlflow.set_experiment("diabetes-mlflow")  # made if it is not there

dataset = Dataset.get_by_name(workspace=ws, name="diabetes-dataset")
patients = dataset.to_pandas_dataframe()
# As floats: a model's signature tells integers apart, and refuses those with gaps later.
features = patients.drop(columns=["PatientID", "Diabetic"]).astype(float)
X_train, X_test, y_train, y_test = train_test_split(
    features, patients["Diabetic"], test_size=0.3, random_state=0
)

# %% A run by hand
with mlflow.start_run(
    run_name="by-hand",  # need not be unique (default: one made up)
    tags={"lesson": "05"},  # texts to find runs by (default: none)
) as run:  # finished when the block ends, failed if it raises
    mlflow.log_params({"model": "logistic regression", "regularization": 1.0})  # once and for all
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0))
    for rows in (50, 200, 1000, len(X_train)):
        model.fit(X_train[:rows], y_train[:rows])
        probability = model.predict_proba(X_test)[:, 1]
        auc = roc_auc_score(y_test, probability)
        mlflow.log_metric("AUC_by_rows", auc, step=rows)  # a number; step: an integer (default 0)
    mlflow.log_metric("AUC", auc)
    figure, axes = plt.subplots(figsize=(5, 5))
    RocCurveDisplay.from_predictions(y_test, probability, ax=axes)
    mlflow.log_figure(figure, "charts/roc_curve.png")  # name in the run; folders are made
    Path("outputs").mkdir(exist_ok=True)
    figure.savefig("outputs/05_roc_curve.png")
    mlflow.log_dict({"columns": list(features.columns)}, "columns.json")
    mlflow.log_artifact("experiments/03_conda.yml")  # any file; log_artifacts for a folder
print(f"Run by hand: {run.info.run_id}")

# %% A run by itself: autologging
mlflow.sklearn.autolog(
    log_models=False,  # the model, too; below we do it ourselves (default True)
    log_datasets=False,  # a note on the data, which Azure ML does not keep (default True)
    log_post_training_metrics=False,  # what sklearn.metrics says later, too (default True)
)
with mlflow.start_run(run_name="autolog", tags={"lesson": "05"}) as auto:
    trees = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.1, random_state=0)
    trees.fit(X_train, y_train)
    mlflow.log_metric("AUC", roc_auc_score(y_test, trees.predict_proba(X_test)[:, 1]))

    mlflow.sklearn.log_model(
        trees,
        artifact_path="model",  # folder in the run
        signature=infer_signature(X_test, trees.predict(X_test)),  # columns in, result out
        input_example=X_test.head(3),  # rows kept with it, to try it with (default: none)
        pip_requirements=[f"scikit-learn=={sklearn.__version__}"],  # default: MLflow finds out
    )
mlflow.sklearn.autolog(disable=True)
logged = mlflow.get_run(auto.info.run_id).data
print(f"Autologged: {len(logged.params)} parameters, {len(logged.metrics)} metrics, such as")
for name in ("learning_rate", "max_iter", "max_leaf_nodes"):
    print(f"  {name} = {logged.params[name]}")

# %% A run on the cluster: in a job, MLflow finds workspace and run by itself
experiment = Experiment(workspace=ws, name="diabetes-mlflow")
config = ScriptRunConfig(
    source_directory="experiments",
    script="04_experiment_script_mlflow.py",
    arguments=["--input-data", dataset.as_named_input("diabetes"), "--regularization", 100.0],
    compute_target="ml-sdk-cc",
    environment=Environment.get(workspace=ws, name="ml-sdk-env"),  # has mlflow and azureml-mlflow
)
job = experiment.submit(config, tags={"lesson": "05"})
job.wait_for_completion(show_output=True)

# %% Compare runs by a metric
found = mlflow.search_runs(
    experiment_names=["diabetes-mlflow"],  # default: the one that is set
    filter_string="tags.lesson = '05' and metrics.AUC > 0.5",  # joined by and; there is no or
    max_results=10,  # default 100,000
)
# Azure ML cannot order by a metric (order_by=["metrics.AUC DESC"], in MLflow): pandas can.
found = found.sort_values("metrics.AUC", ascending=False)
table = found[["run_id", "tags.mlflow.runName", "status", "metrics.AUC", "params.regularization"]]
table.columns = ["run", "name", "status", "AUC", "regularization"]
print("\nRuns, best first:\n" + table.to_string(index=False))

client = MlflowClient()  # for what has no short form
history = client.get_metric_history(run.info.run_id, key="AUC_by_rows")  # a run has its last value
print("\nAUC by rows:", ", ".join(f"{point.step}: {point.value:.3f}" for point in history))

# %% The same run, seen by the SDK
same = Run.get(workspace=ws, run_id=auto.info.run_id)
print(f"\nThe SDK on {same.id}: {same.get_status()}, AUC {same.get_metrics('AUC')['AUC']:.3f}")
print("Files:\n  " + "\n  ".join(same.get_file_names()))

# %% Register the best model
best = found.iloc[0]
version = mlflow.register_model(
    model_uri=f"runs:/{best.run_id}/model",  # run and folder in it
    name="diabetes-mlflow-model",  # each registration is a new version of the name
)
# A stage says how far a version has come: None, Staging, Production, Archived. MLflow now prefers
# aliases (client.set_registered_model_alias), which Azure ML's documentation does not list.
client.transition_model_version_stage(
    name=version.name,
    version=version.version,
    stage="Staging",
    archive_existing_versions=True,  # those that are in the stage now (default False)
)
versions = client.search_model_versions(f"name = '{version.name}'")
stages = [{"version": v.version, "stage": v.current_stage, "run": v.run_id} for v in versions]
print("\nVersions of diabetes-mlflow-model:\n" + pd.DataFrame(stages).to_string(index=False))

# %% Load it back and use it
print("\nLoaded back:")
for uri in (f"runs:/{job.id}/model", f"models:/{version.name}/{version.version}"):
    loaded = mlflow.sklearn.load_model(uri)  # the object itself, with all its methods
    score = roc_auc_score(y_test, loaded.predict_proba(X_test)[:, 1])
    print(f"  {uri}: AUC {score:.3f}")
general = mlflow.pyfunc.load_model(f"models:/{version.name}/Staging")  # of any library: predict
print(f"\nThe model takes {', '.join(general.metadata.get_input_schema().input_names())}")
print(f"It says of three patients: {general.predict(X_test.head(3)).tolist()}")

# %% Where to see it
# A run's page shows parameters, metrics, pictures and the model's files, whichever way they came.
# The local workspace has MLflow's own pages, too: `python -m local_workspace open`, then MLflow.
print(f"\nRuns:  {experiment.get_portal_url()}")
print(f"Best:  {same.get_portal_url()}")

# %% What next
print("\nNext: 06_pipeline.py makes a pipeline of steps.")
