"""The job of lesson 05: the job of lesson 04, which logs with MLflow instead of the SDK.

Only the data still comes by the SDK. Everything that is logged is logged with MLflow, which in a
job knows its workspace and its run by itself; the same lines work with any MLflow server.

It leaves behind: parameters, metrics, a picture, a table, and a model in MLflow's format.
"""

import argparse

import matplotlib
import matplotlib.pyplot as plt
import mlflow
import sklearn
from azureml.core import Run
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import RocCurveDisplay, accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

matplotlib.use("Agg")  # draw into files: a node has no screen

parser = argparse.ArgumentParser()
parser.add_argument("--input-data", required=True, help="the dataset of patients")
parser.add_argument("--regularization", type=float, default=1.0, help="strength of the L2 penalty")
arguments = parser.parse_args()

# --- Data: as numbers with a decimal point, because the model's signature tells integers apart
patients = Run.get_context().input_datasets["diabetes"].to_pandas_dataframe()
complete = patients.dropna().drop_duplicates(subset="PatientID")
features = complete.drop(columns=["PatientID", "Diabetic"]).astype(float)
X_train, X_test, y_train, y_test = train_test_split(
    features, complete["Diabetic"], test_size=0.3, random_state=0
)

# In a job, the first start_run() opens the job's own run instead of a new one.
with mlflow.start_run() as run:
    print(f"Logging to the run {run.info.run_id}")
    mlflow.log_param("regularization", arguments.regularization)
    mlflow.log_param("rows", len(complete))

    # --- Training, on more and more patients: each value has its step
    for rows in (200, 1000, len(X_train)):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / arguments.regularization))
        model.fit(X_train[:rows], y_train[:rows])
        probability = model.predict_proba(X_test)[:, 1]
        mlflow.log_metric("AUC_by_rows", roc_auc_score(y_test, probability), step=rows)

    # --- Evaluation
    auc = roc_auc_score(y_test, probability)
    accuracy = accuracy_score(y_test, model.predict(X_test))
    mlflow.log_metrics({"AUC": auc, "accuracy": accuracy})
    print(f"Regularization {arguments.regularization:g}: accuracy {accuracy:.3f}, AUC {auc:.3f}")

    figure, axes = plt.subplots(figsize=(5, 5))
    RocCurveDisplay.from_predictions(y_test, probability, ax=axes)
    mlflow.log_figure(figure, "roc_curve.png")
    mlflow.log_text(complete.describe().to_csv(), "summary.csv")

    # --- The model: with it, MLflow keeps which columns it wants and what it needs to be loaded
    mlflow.sklearn.log_model(
        model,
        artifact_path="model",
        signature=infer_signature(X_test, model.predict(X_test)),
        input_example=X_test.head(3),
        pip_requirements=[f"scikit-learn=={sklearn.__version__}"],
    )
