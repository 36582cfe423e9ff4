"""MLflow inside submitted jobs: the job's own run, without any sign-in, seen from both sides."""

import json

from execution_helpers import error_of, text_of, wait_for


def test_start_run_takes_the_run_of_the_job(lab, client, tmp_path):
    script = """
        import json, os
        import mlflow
        from azureml.core import Run

        with mlflow.start_run() as run:
            assert run.info.run_id == os.environ["AZUREML_RUN_ID"]
            mlflow.log_param("rate", 0.1)
            for step in range(3):
                mlflow.log_metric("loss", 1 / (step + 1), step=step)
            mlflow.log_text("from MLflow", "notes/note.txt")
            Run.get_context().log("by_the_sdk", 7)
            with mlflow.start_run(nested=True, run_name="inner") as inner:
                mlflow.log_metric("inner_loss", 0.5)
        client = mlflow.MlflowClient()
        print(json.dumps({
            "experiment": client.get_experiment(run.info.experiment_id).name,
            "status": client.get_run(run.info.run_id).info.status,
            "inner": inner.info.run_id,
        }))
    """
    run = lab.submit(script)
    assert wait_for(run) == "Completed", error_of(run)
    log = text_of(run, "user_logs/std_log.txt", tmp_path)
    told = json.loads(next(line for line in log.splitlines() if line.startswith("{")))
    # A job ends when its process ends, whatever its script says about its run.
    assert told["experiment"] == "execution" and told["status"] == "RUNNING"

    assert run.get_metrics() == {"loss": [1.0, 1 / 2, 1 / 3], "by_the_sdk": 7}
    assert "notes/note.txt" in run.get_file_names()
    (child,) = run.get_children()
    assert (child.id, child.display_name) == (told["inner"], "inner")
    assert child.get_status() == "Completed" and child.get_metrics() == {"inner_loss": 0.5}

    seen = client.get_run(run.id)
    assert (seen.info.status, seen.data.params) == ("FINISHED", {"rate": "0.1"})
    assert seen.data.metrics == {"loss": 1 / 3, "by_the_sdk": 7.0}
    paths = {one.path for one in client.list_artifacts(run.id)}
    assert {"notes", "user_logs"} <= paths


def test_a_job_that_fails_is_a_failed_run(lab, client):
    script = """
        import mlflow
        with mlflow.start_run():
            mlflow.log_metric("loss", 1.0)
            raise ValueError("the loss explodes")
    """
    run = lab.submit(script)
    assert wait_for(run) == "Failed"
    assert "the loss explodes" in error_of(run)["message"]
    seen = client.get_run(run.id)
    assert (seen.info.status, seen.data.metrics) == ("FAILED", {"loss": 1.0})


VARIABLES = ("MLFLOW_TRACKING_TOKEN", "AZUREML_RUN_TOKEN", "MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI")


def test_a_job_needs_no_more_than_its_variables(lab, client, tmp_path):
    """As a process of another language would: plain HTTP with the token of the run."""
    script = """
        import json, os, time, urllib.request
        names = json.loads(os.environ["NAMES"])
        assert all(os.environ[name] for name in names)
        address = os.environ["MLFLOW_TRACKING_URI"].replace("azureml://", "https://").rstrip("?")
        def call(path, body):
            request = urllib.request.Request(
                f"{address}/api/2.0/mlflow/{path}",
                json.dumps(body).encode(),
                {
                    "Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"],
                    "Content-Type": "application/json",
                },
            )
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        now = int(time.time() * 1000)
        values = [{"key": "depth", "value": n, "timestamp": now, "step": n} for n in range(4)]
        call("runs/log-batch", {"run_id": os.environ["MLFLOW_RUN_ID"], "metrics": values})
    """
    configuration = lab.configuration(script)
    configuration.run_config.environment_variables = {"NAMES": json.dumps(VARIABLES)}
    run = lab.experiment().submit(configuration)
    assert wait_for(run) == "Completed", error_of(run)
    history = client.get_metric_history(run.id, "depth")
    assert [(one.step, one.value) for one in history] == [(n, float(n)) for n in range(4)]
