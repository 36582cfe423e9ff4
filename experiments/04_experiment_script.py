"""The job of lesson 04: clean the patients' data, train a classifier, log what came of it.

It runs on a compute target, in the environment ml-sdk-env. Nothing in it says where: the data
arrives by its name, and the run, into which everything is logged, is the one the job belongs to.

It leaves behind: metrics, two pictures, a confusion matrix, outputs/summary.csv and
outputs/model.pkl.
"""

import argparse
from pathlib import Path

import joblib
import matplotlib
import matplotlib.pyplot as plt
from azureml.core import Run
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import RocCurveDisplay, accuracy_score, confusion_matrix, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

matplotlib.use("Agg")  # draw into files: a node has no screen

# The arguments of the ScriptRunConfig arrive as on any command line. The dataset's place is taken
# by its id; reading it by its name, below, is the easier way.
parser = argparse.ArgumentParser()
parser.add_argument("--input-data", required=True, help="the dataset of patients")
parser.add_argument("--regularization", type=float, default=1.0, help="strength of the L2 penalty")
arguments = parser.parse_args()

# In a job this is the job's run. Outside of one it is an offline run, which has no datasets.
run = Run.get_context()

# --- Data
patients = run.input_datasets["diabetes"].to_pandas_dataframe()
complete = patients.dropna().drop_duplicates(subset="PatientID")
print(f"{len(patients)} rows read, {len(complete)} complete and of different patients")
run.log("Rows", len(complete))
run.log("Diabetic share", complete["Diabetic"].mean())

# What lies in outputs/ when the job ends belongs to the run: nobody has to upload it.
outputs = Path("outputs")
outputs.mkdir(exist_ok=True)
complete.describe().to_csv(outputs / "summary.csv")

figure, axes = plt.subplots(figsize=(6, 4))
for label, group in complete.groupby("Diabetic"):
    axes.hist(group["Age"], bins=range(20, 80, 5), alpha=0.5, label=f"Diabetic {label}")
axes.set(xlabel="Age (years)", ylabel="Patients")
axes.legend()
run.log_image("Age by diagnosis", plot=figure)

# --- Training
# PatientID says nothing about the patient. The scaler is part of the model, so that whoever
# loads the model need not know about it.
features = complete.drop(columns=["PatientID", "Diabetic"])
X_train, X_test, y_train, y_test = train_test_split(
    features, complete["Diabetic"], test_size=0.3, random_state=0
)
model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / arguments.regularization))
model.fit(X_train, y_train)

# --- Evaluation
predicted = model.predict(X_test)
probability = model.predict_proba(X_test)[:, 1]
accuracy = accuracy_score(y_test, predicted)
auc = roc_auc_score(y_test, probability)
print(f"Regularization {arguments.regularization:g}: accuracy {accuracy:.3f}, AUC {auc:.3f}")
run.log("Regularization", arguments.regularization)
run.log("Accuracy", accuracy)
run.log("AUC", auc)

figure, axes = plt.subplots(figsize=(5, 5))
RocCurveDisplay.from_predictions(y_test, probability, name="Logistic regression", ax=axes)
axes.plot([0, 1], [0, 1], linestyle="--", color="grey", label="Guessing (AUC = 0.50)")
axes.legend(loc="lower right")
run.log_image("ROC curve", plot=figure)

run.log_confusion_matrix(
    "Confusion matrix",
    value={
        "schema_type": "confusion_matrix",
        "schema_version": "1.0.0",
        "data": {
            "class_labels": ["0", "1"],
            "matrix": confusion_matrix(y_test, predicted).tolist(),
        },
    },
)

# --- The model
joblib.dump(model, outputs / "model.pkl")

# No run.complete() here: the run completes when the script ends, and fails if it raises.
