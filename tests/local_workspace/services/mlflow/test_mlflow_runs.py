"""MLflow's client on the local workspace, and the same runs seen by the SDK."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
import pandas as pd
import pytest
from azureml.core import Experiment
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.rest_utils import http_request, verify_rest_response

pytestmark = pytest.mark.usefixtures("tracking")


@pytest.fixture
def experiment(request):
    """An experiment for one test, active in this process."""
    name = request.node.name.replace("[", "-").replace("]", "")
    return mlflow.set_experiment(name)


def sdk_run(local_workspace, run):
    """The SDK's view of an MLflow run."""
    return local_workspace.workspace.get_run(run.info.run_id)


def test_a_run_of_mlflow_is_a_run_of_the_sdk(local_workspace, experiment, client):
    with mlflow.start_run(run_name="first", description="what it is for") as run:
        mlflow.log_params({"rate": 0.1, "solver": "lbfgs"})
        mlflow.log_metric("auc", 0.5, step=1)
        mlflow.log_metric("auc", 0.75, step=2)
        mlflow.log_metric("loss", math.nan)
        mlflow.set_tag("stage", "trial")
        mlflow.log_text("hello", "notes/a.txt")
        during = sdk_run(local_workspace, run)
        assert during.get_status() == "Running"
    seen = sdk_run(local_workspace, run)
    assert seen.id == run.info.run_id and seen.get_status() == "Completed"
    assert seen.display_name == "first" and seen.description == "what it is for"
    assert [
        one.id for one in Experiment(seen.experiment.workspace, experiment.name).get_runs()
    ] == [run.info.run_id]
    metrics = seen.get_metrics()
    assert metrics["auc"] == [0.5, 0.75] and math.isnan(metrics["loss"])
    assert seen.get_tags()["stage"] == "trial"
    assert seen.get_file_names() == ["notes/a.txt"]

    read = client.get_run(run.info.run_id)
    assert read.info.status == "FINISHED" and read.info.end_time >= read.info.start_time
    assert read.data.params == {"rate": "0.1", "solver": "lbfgs"}
    assert read.data.metrics["auc"] == 0.75 and math.isnan(read.data.metrics["loss"])
    assert read.data.tags["mlflow.note.content"] == "what it is for"
    history = client.get_metric_history(run.info.run_id, "auc")
    assert [(one.step, one.value) for one in history] == [(1, 0.5), (2, 0.75)]


def test_a_run_of_the_sdk_is_a_run_of_mlflow(local_workspace, client, tmp_path, experiment):
    run = Experiment(local_workspace.workspace, experiment.name).start_logging(
        display_name="by hand", snapshot_directory=None
    )
    run.log("auc", 0.25)
    run.log("auc", 0.5)
    run.log_list("primes", [2, 3, 5])
    run.log_table("angles", {"angle": [1, 2], "sine": [0.5, 0.25]})
    run.tag("stage", "trial")
    (tmp_path / "model.txt").write_text("weights")
    run.upload_file("outputs/model.txt", str(tmp_path / "model.txt"))
    run.complete()
    [read] = client.search_runs([experiment.experiment_id])
    assert read.info.run_id == run.id and read.info.run_name == "by hand"
    assert read.info.status == "FINISHED"
    assert read.data.metrics["auc"] == 0.5 and "angles" not in read.data.metrics
    assert [one.value for one in client.get_metric_history(run.id, "primes")] == [2, 3, 5]
    assert read.data.tags["stage"] == "trial"
    assert "outputs/model.txt" in [one.path for one in client.list_artifacts(run.id, "outputs")]
    uri = f"{read.info.artifact_uri}/outputs/model.txt"
    assert mlflow.artifacts.load_text(uri) == "weights"


def test_nested_runs_are_children(local_workspace, experiment):
    with mlflow.start_run() as parent, mlflow.start_run(nested=True) as child:
        pass
    seen = sdk_run(local_workspace, parent)
    assert [one.id for one in seen.get_children()] == [child.info.run_id]
    assert sdk_run(local_workspace, child).parent.id == parent.info.run_id


def test_a_child_made_by_the_sdk_is_nested_for_mlflow(local_workspace, client, experiment):
    parent = Experiment(local_workspace.workspace, experiment.name).start_logging(
        snapshot_directory=None
    )
    child = parent.child_run(name="inner")
    child.complete()
    parent.complete()
    filter_string = f"tags.mlflow.parentRunId = '{parent.id}'"
    [found] = client.search_runs([experiment.experiment_id], filter_string)
    assert found.info.run_id == child.id


def test_failed_and_killed_runs(local_workspace, experiment, client):
    with pytest.raises(ValueError), mlflow.start_run() as failed:
        raise ValueError("boom")
    assert sdk_run(local_workspace, failed).get_status() == "Failed"
    killed = client.create_run(experiment.experiment_id)
    client.set_terminated(killed.info.run_id, "KILLED")
    assert sdk_run(local_workspace, killed).get_status() == "Canceled"


def test_a_run_that_ended_can_go_on(local_workspace, experiment):
    with mlflow.start_run() as run:
        pass
    with mlflow.start_run(run_id=run.info.run_id):
        assert sdk_run(local_workspace, run).get_status() == "Running"
        mlflow.log_metric("late", 1)
    assert sdk_run(local_workspace, run).get_metrics() == {"late": 1}
    assert sdk_run(local_workspace, run).get_status() == "Completed"


def test_artifacts_go_up_and_down(experiment, client, tmp_path):
    (tmp_path / "up" / "deep").mkdir(parents=True)
    (tmp_path / "up" / "a b ä%.txt").write_text("one")
    (tmp_path / "up" / "deep" / "two.bin").write_bytes(bytes(range(256)) * 5000)
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(tmp_path / "up"), "files")
        mlflow.log_dict({"a": [1, 2]}, "data.json")
        figure, axes = plt.subplots()
        axes.plot([1, 2])
        mlflow.log_figure(figure, "plot.png")
        plt.close(figure)
    names = [one.path for one in client.list_artifacts(run.info.run_id)]
    assert names == ["data.json", "files", "plot.png"]
    local = client.download_artifacts(run.info.run_id, "files", str(tmp_path))
    for name in ("a b ä%.txt", "deep/two.bin"):
        assert (tmp_path / "up" / name).read_bytes() == Path(local, name).read_bytes()
    assert mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/data.json") == {"a": [1, 2]}


def test_search_by_metrics_params_tags_and_attributes(experiment, client):
    ids = {}
    for name, rate, auc in (("a", "0.1", 0.7), ("b", "0.2", 0.9), ("c", "0.3", 0.8)):
        with mlflow.start_run(run_name=name) as run:
            mlflow.log_param("rate", rate)
            mlflow.log_metric("auc", auc)
            mlflow.set_tag("even", str(name == "b"))
        ids[run.info.run_id] = name

    def found(filter_string="", order_by=None, **options):
        page = client.search_runs(
            [experiment.experiment_id], filter_string, order_by=order_by, **options
        )
        return [ids[one.info.run_id] for one in page]

    assert found(order_by=["metrics.auc DESC"]) == ["b", "c", "a"]
    assert found("metrics.auc > 0.75", ["metrics.auc"]) == ["c", "b"]
    assert found("params.rate = '0.1'") == ["a"]
    assert found("tags.even = 'True' and metrics.auc >= 0.9") == ["b"]
    assert found("attributes.run_name LIKE 'c%'") == ["c"]
    assert found("attributes.status = 'FAILED'") == []
    assert found() == ["c", "b", "a"]
    first = client.search_runs([experiment.experiment_id], max_results=2, order_by=["params.rate"])
    rest = client.search_runs(
        [experiment.experiment_id],
        max_results=2,
        order_by=["params.rate"],
        page_token=first.token,
    )
    assert [ids[one.info.run_id] for one in [*first, *rest]] == ["a", "b", "c"]
    assert rest.token is None or rest.token == ""


def test_batches_and_paged_histories(experiment, client):
    run = client.create_run(experiment.experiment_id)
    metrics = [Metric("loss", 1 / step, 1_700_000_000_000 + step, step) for step in range(1, 901)]
    client.log_batch(run.info.run_id, metrics, [Param("p", "1")], [RunTag("t", "2")])
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [one.step for one in history] == list(range(1, 901))
    assert history[1].value == 0.5 and history[1].timestamp == 1_700_000_000_002
    read = client.get_run(run.info.run_id).data
    assert read.metrics["loss"] == 1 / 900 and read.params == {"p": "1"} and read.tags["t"] == "2"


def test_asynchronous_logging_arrives(experiment, client):
    with mlflow.start_run() as run:
        for step in range(5):
            mlflow.log_metric("loss", step, step=step, synchronous=False)
        mlflow.flush_async_logging()
    assert len(client.get_metric_history(run.info.run_id, "loss")) == 5


def test_experiments(local_workspace, client):
    made = client.create_experiment("mlflow-experiments", tags={"team": "blue"})
    assert client.get_experiment(made).tags == {"team": "blue"}
    with pytest.raises(MlflowException, match="already exists"):
        client.create_experiment("mlflow-experiments")
    with pytest.raises(MlflowException, match="cannot be the name"):
        client.create_experiment("a/b c")
    client.set_experiment_tag(made, "team", "red")
    client.rename_experiment(made, "mlflow-renamed")
    assert Experiment(local_workspace.workspace, "mlflow-renamed").id == made
    client.delete_experiment(made)
    archived = Experiment.list(local_workspace.workspace, view_type="ArchivedOnly")
    assert "mlflow-renamed" in [one.name for one in archived]
    deleted = client.search_experiments(ViewType.DELETED_ONLY, filter_string="tags.team = 'red'")
    assert [one.experiment_id for one in deleted] == [made]
    client.restore_experiment(made)
    assert client.get_experiment_by_name("mlflow-renamed").lifecycle_stage == "active"


def test_the_name_of_a_deleted_experiment_is_free(client):
    first = client.create_experiment("mlflow-again")
    client.delete_experiment(first)
    second = client.create_experiment("mlflow-again")
    assert second != first
    assert client.get_experiment_by_name("mlflow-again").experiment_id == second
    with pytest.raises(MlflowException, match="cannot be reactivated"):
        client.restore_experiment(first)


def test_without_an_experiment_it_is_the_default_one(local_workspace, client):
    run = client.create_run("0")
    assert run.info.run_id in [
        one.id for one in Experiment(local_workspace.workspace, "Default").get_runs()
    ]


def test_deleted_runs_are_hidden_and_come_back(local_workspace, experiment, client):
    run = client.create_run(experiment.experiment_id)
    client.delete_run(run.info.run_id)
    assert list(client.search_runs([experiment.experiment_id])) == []
    assert list(Experiment(local_workspace.workspace, experiment.name).get_runs()) == []
    with pytest.raises(MlflowException, match="must be in the 'active' state"):
        client.log_metric(run.info.run_id, "m", 1)
    client.restore_run(run.info.run_id)
    assert len(client.search_runs([experiment.experiment_id])) == 1


def test_inputs_are_kept_and_searched(experiment, client):
    frame = pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0]})
    with mlflow.start_run() as run:
        mlflow.log_input(mlflow.data.from_pandas(frame, name="patients"), context="training")
    [one] = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert one.dataset.name == "patients" and one.tags[0].value == "training"
    assert json.loads(one.dataset.profile)["num_rows"] == 2
    found = client.search_runs([experiment.experiment_id], "dataset.name = 'patients'")
    assert [each.info.run_id for each in found] == [run.info.run_id]
    assert list(client.search_runs([experiment.experiment_id], "dataset.name = 'other'")) == []


def test_mistakes_are_told(experiment, client):
    run = client.create_run(experiment.experiment_id)
    client.log_param(run.info.run_id, "rate", 1)
    client.log_param(run.info.run_id, "rate", 1)
    with pytest.raises(MlflowException, match="Changing param values is not allowed"):
        client.log_param(run.info.run_id, "rate", 2)
    with pytest.raises(MlflowException, match="'nobody' not found"):
        client.get_run("nobody")
    with pytest.raises(MlflowException, match="not found"):
        client.get_experiment("nobody")
    with pytest.raises(MlflowException, match="Invalid"):
        client.search_runs([experiment.experiment_id], "what is this")
    with pytest.raises(MlflowException, match="not part of MLflow 2"):
        _post(client, "logged-models", {})
    with pytest.raises(MlflowException, match="keeps no traces"):
        _post(client, "traces", {"experiment_id": experiment.experiment_id})


def _post(client, path, body):
    store = client._tracking_client.store
    endpoint = f"/api/2.0/mlflow/{path}"
    answer = http_request(store.get_host_creds(), endpoint, "POST", json=body)
    return verify_rest_response(answer, endpoint)


def test_twenty_clients_log_at_once(local_workspace, experiment, client):
    run = client.create_run(experiment.experiment_id)

    def by_mlflow(worker):
        own = mlflow.MlflowClient()
        for step in range(10):
            own.log_metric(run.info.run_id, f"m{worker}", step, step=step)

    def by_sdk(worker):
        own = sdk_run(local_workspace, run)
        for step in range(10):
            own.log(f"m{worker}", step, step=step)
        own.flush(timeout_seconds=60)

    with ThreadPoolExecutor(20) as pool:
        started = [pool.submit(by_mlflow if worker % 2 else by_sdk, worker) for worker in range(20)]
        for one in started:
            one.result()
    for worker in range(20):
        history = client.get_metric_history(run.info.run_id, f"m{worker}")
        assert [one.value for one in history] == list(range(10))
