"""Experiments: runs by hand, jobs on the cluster, past runs.

What you will do: train a classifier here and log every kind of metric; let the cluster train it
with a script and watch; try several settings as child runs; find all these runs again.

The ideas
- A run is the record of one try: its metrics, pictures, files, code, data and outcome. An
  experiment is the name under which the runs of one question are kept.
- An interactive run is logged by a program or notebook of yours, as it goes. A submitted run is a
  script: Azure ML keeps a copy of its folder (the snapshot), starts it on a compute target in an
  environment, and keeps what it prints, what it logs and what it leaves in outputs/.
- Both log with the same calls; in the script, Run.get_context() is the run.
- Child runs belong to a parent: one question, several tries.

Needs: 01, 02, 03
Cost and time on Azure: a node for some minutes, a few cents. The first job takes about 10 minutes,
5 of them for the environment's build and 5 for the node; the next finds the environment built.
In SDK v2: command(...) and ml_client.jobs.create_or_update; logging is MLflow's (lesson 05).
"""

# %% Sign in
from dotenv import load_dotenv

load_dotenv(override=True)

from itertools import islice
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from azureml.core import Dataset, Environment, Experiment, Run, ScriptRunConfig, Workspace
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import RocCurveDisplay, confusion_matrix, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ws = Workspace.from_config()
dataset = Dataset.get_by_name(workspace=ws, name="diabetes-dataset")
patients = dataset.to_pandas_dataframe()
features, diabetic = patients.drop(columns=["PatientID", "Diabetic"]), patients["Diabetic"]
X_train, X_test, y_train, y_test = train_test_split(
    features, diabetic, test_size=0.3, random_state=0
)

# %% Begin an interactive run
experiment = Experiment(workspace=ws, name="diabetes-training")  # made if it is not there
run = experiment.start_logging(
    display_name="by-hand",  # shown in lists; need not be unique (default: one made up)
    outputs=False,  # folder to upload at the end (default "./outputs": here, all that lies there)
    snapshot_directory=None,  # code to keep, 300 MB at most (default ".": here, all of this folder)
)
print(f"Run:  {run.id}\nPage: {run.get_portal_url()}")

# %% Numbers: one, or one after another
model = make_pipeline(StandardScaler(), LogisticRegression())
for rows in (50, 200, 1000, len(X_train)):
    model.fit(X_train[:rows], y_train[:rows])
    probability = model.predict_proba(X_test)[:, 1]
    auc = roc_auc_score(y_test, probability)
    run.log(
        name="AUC by rows",  # the metric; the same name again makes it a list
        value=auc,  # number or text
        step=rows,  # place on the x axis, an integer (default: one after another)
    )
run.log("AUC", value=auc)  # once: it reads back as one value

# %% Lists, rows, tables
cuts = np.linspace(0, 1, 11).round(1)
run.log_list("Deciles", value=np.quantile(probability, cuts).tolist())
for name, weight in zip(features.columns, model[-1].coef_[0], strict=True):
    run.log_row("Weights", feature=name, weight=weight)  # one row; the columns' names are yours
found = [int((probability >= cut).sum()) for cut in cuts]
run.log_table("Found", value={"threshold": cuts.tolist(), "patients": found})  # column: its values

# %% Pictures
figure, axes = plt.subplots(figsize=(5, 5))
RocCurveDisplay.from_predictions(y_test, probability, ax=axes)
Path("outputs").mkdir(exist_ok=True)
figure.savefig("outputs/04_roc_curve.png")
run.log_image("ROC curve", plot=figure)  # a Matplotlib figure; or path= an image file


# %% Charts: the page of the run draws them from these numbers
def chart(kind, data, version="1.0.0"):
    return {"schema_type": kind, "schema_version": version, "data": data}


classes = {"0": 1 - probability, "1": probability}  # label: how likely each patient is in it
quantiles = np.quantile(np.concatenate(list(classes.values())), cuts)
accuracy = {"class_labels": list(classes)}
for kind, thresholds in {"probability": cuts, "percentile": quantiles}.items():
    accuracy[f"{kind}_thresholds"] = thresholds.tolist()
    accuracy[f"{kind}_tables"] = [  # by class, by threshold: true and false positives, negatives
        [
            confusion_matrix(y_test == int(label), score >= cut).ravel()[[3, 1, 0, 2]].tolist()
            for cut in thresholds
        ]
        for label, score in classes.items()
    ]
run.log_accuracy_table("Accuracy table", value=chart("accuracy_table", accuracy, "1.0.1"))
matrix = confusion_matrix(y_test, probability >= 0.5).tolist()  # a row for each true class
matrix = {"class_labels": list(classes), "matrix": matrix}
run.log_confusion_matrix("Confusion matrix", value=chart("confusion_matrix", matrix))

# For a regression: guess the BMI from the other columns.
others, bmi = features.columns.drop("BMI"), X_test["BMI"]
guess = LinearRegression().fit(X_train[others], X_train["BMI"]).predict(X_test[others])
counts, edges = np.histogram(guess - bmi, bins=10)
residuals = {"bin_edges": edges.tolist(), "bin_counts": counts.tolist()}
run.log_residuals("BMI residuals", value=chart("residuals", residuals))  # guessed minus true
bins, edges = pd.cut(bmi, bins=5, retbins=True)
by_bin = pd.Series(guess, index=bmi.index).groupby(bins).agg(["mean", "std", "size"]).fillna(0)
by_bin.columns = ["bin_averages", "bin_errors", "bin_counts"]  # what is guessed, by what is true
predictions = {**by_bin.to_dict("list"), "bin_edges": edges.tolist()}
run.log_predictions("BMI predictions", value=chart("predictions", predictions))

# %% Tags, properties, files; then the end
run.tag("lesson", value="04")  # texts to find runs by; they can be changed and removed
run.add_properties({"dataset": f"{dataset.name}:{dataset.version}"})  # can never be changed
joblib.dump(model, "outputs/04_model.pkl")
run.upload_file("outputs/model.pkl", path_or_stream="outputs/04_model.pkl")  # first its new name
run.complete()  # or run.fail("why"); `with experiment.start_logging() as run:` does either itself

# %% Read back
print("\nMetrics of the run:")
for name, value in run.get_metrics().items():  # a value, a list, or {column: list}
    print(f"  {name:17}{type(value).__name__:6}{str(value)[:70]}")
print("\nFiles of the run:\n  " + "\n  ".join(run.get_file_names()))

# %% Run a script on the cluster
data = dataset.as_named_input("diabetes")  # name under which the script gets it
config = ScriptRunConfig(
    source_directory="experiments",  # goes along, 300 MB at most; .amlignore keeps files out
    script="04_experiment_script.py",  # path in it
    arguments=["--input-data", data, "--regularization", 1.0],  # as on a command line
    compute_target="ml-sdk-cc",  # a cluster; "local" is this machine, to try things (the default)
    environment=Environment.get(workspace=ws, name="ml-sdk-env"),  # the script's packages
    max_run_duration_seconds=1800,  # seconds until it is cancelled (default 30 days)
)
job = experiment.submit(config, tags={"lesson": "04"})  # returns at once: the job waits its turn
details = job.wait_for_completion(
    show_output=True,  # print the job's log while it grows (default False)
    raise_on_error=True,  # raise if the job fails (default True)
)

# %% What came of it
started, ended = pd.to_datetime([details["startTimeUtc"], details["endTimeUtc"]])
print(f"{details['status']} on {details['target']} after {(ended - started).seconds} seconds")
for used in details["inputDatasets"]:
    print(f"Read {used['dataset'].name} as {used['consumptionDetails']['inputName']}")
numbers = pd.to_numeric(pd.Series(job.get_metrics()), errors="coerce").dropna()
print("\nMetrics of the job:\n" + numbers.round(3).to_string())
print("\nFiles of the job:\n  " + "\n  ".join(job.get_file_names()))
job.download_file("outputs/model.pkl", output_file_path="outputs/04_model_of_job.pkl")
probability = joblib.load("outputs/04_model_of_job.pkl").predict_proba(X_test)[:, 1]
print(f"\nAUC of the model from the cluster, here: {roc_auc_score(y_test, probability):.3f}")

# %% Several tries: child runs
parent = experiment.start_logging(
    display_name="regularization", outputs=False, snapshot_directory=None
)
for rate in (1, 1000, 100_000):
    with parent.child_run(name=f"rate-{rate}") as child:  # completes at its end, or fails
        model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / rate))
        model.fit(X_train, y_train)
        child.log("Regularization", value=rate)
        child.log("AUC", value=roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]))
parent.complete()
# parent.submit_child(config) makes a job a child; lesson 09 lets Azure ML choose the settings.
tries = [child.get_metrics() for child in parent.get_children()]
print("\nTries:\n" + pd.DataFrame(tries).sort_values("Regularization").to_string(index=False))

# %% Find past runs, newest first
rows = [
    {"run": past.id, "name": past.display_name, **past.get_metrics(name="AUC")}
    for past in islice(experiment.get_runs(), 5)  # include_children=True for the tries, too
]
print("\nPast runs:\n" + pd.DataFrame(rows).to_string(index=False))
tagged = list(experiment.get_runs(tags={"lesson": "04"}))  # or tags="lesson": whatever its value
same_data = list(experiment.get_runs(properties={"dataset": f"{dataset.name}:{dataset.version}"}))
completed = list(Run.list(experiment, status="Completed", include_children=True))
print(f"With the tag: {len(tagged)}, on this data: {len(same_data)}, completed: {len(completed)}")
same = Run.get(workspace=ws, run_id=job.id)  # by its id alone, whatever the experiment
print(f"{same.id} is {same.get_status()}: {same.get_portal_url()}")

# %% What next
# A job that waits or runs is stopped by job.cancel(). Runs cost a little storage; an experiment
# is hidden by experiment.archive().
print("\nNext: 05_mlflow.py logs the same with MLflow.")
