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
from importlib.util import find_spec

if not (find_spec("azureml") and find_spec("dotenv")):
    raise SystemExit("This Python lacks the SDK: type `python run.py 04`, which brings its own.")

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
# Python's own numbers only: numpy's integers are refused in them, and become text in log().
# .tolist() makes Python's of an array's numbers, and of a single one, too.
thresholds = np.linspace(0, 1, 11).round(1)
run.log_list("Deciles", value=np.quantile(probability, thresholds).tolist())
for name, weight in zip(features.columns, model[-1].coef_[0].tolist(), strict=True):
    run.log_row("Weights", feature=name, weight=weight)  # one row; the columns' names are yours
above = [(probability >= threshold).sum().tolist() for threshold in thresholds]
run.log_table("Found", value={"threshold": thresholds.tolist(), "patients": above})  # by column

# %% Pictures
figure, axes = plt.subplots(figsize=(5, 5))
RocCurveDisplay.from_predictions(y_test, probability, ax=axes)
Path("outputs").mkdir(exist_ok=True)
figure.savefig("outputs/04_roc_curve.png")
run.log_image("ROC curve", plot=figure)  # a Matplotlib figure; or path= an image file


# %% Charts: the page of the run draws them from these numbers
def chart(kind, version="1.0.0", **data):
    return {"schema_type": kind, "schema_version": version, "data": data}


matrix = confusion_matrix(y_test, probability >= 0.5).tolist()  # a row for each true class
value = chart("confusion_matrix", class_labels=["0", "1"], matrix=matrix)
run.log_confusion_matrix("Confusion matrix", value=value)

# An accuracy table has such counts at many thresholds, for each class against the rest.
scores = [1 - probability, probability]  # how likely each patient is in class 0, in class 1
percentiles = np.quantile(np.concatenate(scores), thresholds)  # equally many scores in between
tables = {}
for kind, limits in [("probability", thresholds), ("percentile", percentiles)]:
    of_classes = [[], []]
    for label in (0, 1):
        for limit in limits:
            (tn, fp), (fn, tp) = confusion_matrix(y_test == label, scores[label] >= limit).tolist()
            of_classes[label].append([tp, fp, tn, fn])  # true and false positives, negatives
    tables |= {f"{kind}_thresholds": limits.tolist(), f"{kind}_tables": of_classes}
value = chart("accuracy_table", version="1.0.1", class_labels=["0", "1"], **tables)
run.log_accuracy_table("Accuracy table", value=value)

# Two charts for a regression, here of the BMI on the other columns: how far off the guesses are
# (guessed minus true), and what is guessed on average, by what is true.
others, bmi = features.columns.drop("BMI"), X_test["BMI"]
guess = LinearRegression().fit(X_train[others], X_train["BMI"]).predict(X_test[others])
sizes, edges = np.histogram(guess - bmi, bins=10)
value = chart("residuals", bin_edges=edges.tolist(), bin_counts=sizes.tolist())
run.log_residuals("BMI residuals", value=value)
bins, edges = pd.qcut(bmi, 5, retbins=True)  # five bins of equally many patients
by_bin = pd.Series(guess, index=bmi.index).groupby(bins).agg(["mean", "std", "size"])
by_bin.columns = ["bin_averages", "bin_errors", "bin_counts"]  # errors: standard deviations
value = chart("predictions", bin_edges=edges.tolist(), **by_bin.to_dict("list"))
run.log_predictions("BMI predictions", value=value)

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
named = dataset.as_named_input("diabetes")  # name under which the script gets it
config = ScriptRunConfig(
    source_directory="experiments",  # goes along, 300 MB at most; .amlignore keeps files out
    script="04_experiment_script.py",  # path in it
    arguments=["--input-data", named, "--regularization", 1.0],  # as on a command line
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
time = pd.Timestamp(details["endTimeUtc"]) - pd.Timestamp(details["startTimeUtc"])
print(f"{details['status']} on {details['target']} after {time.seconds} seconds")
for used in details["inputDatasets"]:
    print(f"Read {used['dataset'].name} as {used['consumptionDetails']['inputName']}")
metrics = job.get_metrics()  # of pictures and charts: where their file is
print("\nMetrics of the job:")
for name in ("Rows", "Diabetic share", "Regularization", "Accuracy", "AUC"):
    print(f"  {name:15}{metrics[name]:9.3f}")
print("\nFiles of the job:\n  " + "\n  ".join(job.get_file_names()))
job.download_file("outputs/model.pkl", output_file_path="outputs/04_model_of_job.pkl")
downloaded = joblib.load("outputs/04_model_of_job.pkl")
auc = roc_auc_score(y_test, downloaded.predict_proba(X_test)[:, 1])
print(f"\nAUC of the model from the cluster, here: {auc:.3f}")

# %% Several tries: child runs
parent = experiment.start_logging(
    display_name="regularization", outputs=False, snapshot_directory=None
)
for rate in (1, 1000, 100_000):
    with parent.child_run(name=f"rate-{rate}") as child:  # completes at its end, or fails
        model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / rate))
        probability = model.fit(X_train, y_train).predict_proba(X_test)[:, 1]
        child.log("Regularization", value=rate)
        child.log("AUC", value=roc_auc_score(y_test, probability))
parent.complete()
# parent.submit_child(config) makes a job a child; lesson 09 lets Azure ML choose the settings.
tries = [child.get_metrics() for child in parent.get_children()]
print("\nTries:\n" + pd.DataFrame(tries).sort_values("Regularization").to_string(index=False))

# %% Find past runs, newest first
past_runs = []
for past in islice(experiment.get_runs(), 5):  # include_children=True for the tries, too
    auc = past.get_metrics(name="AUC").get("AUC")  # {} if it has logged none
    past_runs.append({"run": past.id, "name": past.display_name, "AUC": auc})
print("\nPast runs:\n" + pd.DataFrame(past_runs).to_string(index=False))
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
