"""`Run.get_context()` inside of a job: the run and its workspace, alive."""

import json
from pathlib import Path

import pytest
from azureml.core import Dataset, Environment, Experiment, Model, Run
from azureml.data import OutputFileDatasetConfig
from execution_helpers import json_of, own_environment, text_of, wait_for

from local_workspace.identity.tokens import LEEWAY_SECONDS, TokenIssuer
from local_workspace.settings import Settings


@pytest.fixture(scope="module")
def table(local_workspace, tmp_path_factory):
    """A registered table of three rows."""
    folder = tmp_path_factory.mktemp("table")
    (folder / "rows.csv").write_text("x,y\n1,a\n2,b\n3,c\n")
    store = local_workspace.workspace.get_default_datastore()
    Dataset.File.upload_directory(str(folder), (store, "context"), show_progress=False)
    table = Dataset.Tabular.from_delimited_files((store, "context/rows.csv"))
    return table.register(local_workspace.workspace, "context-table", create_new_version=True)


def completed(run, tmp_path):
    """Wait for the run; what its script said in outputs/seen.json."""
    assert wait_for(run) == "Completed", text_of(run, "user_logs/std_log.txt", tmp_path)
    return json_of(run, "outputs/seen.json", tmp_path)


def test_the_workspace_of_the_run(lab, table, tmp_path):
    registered = own_environment(KIND="registered")
    registered.name = "context-environment"
    registered.register(lab.ws)
    run = lab.submit(
        """
        import json
        from azureml.core import Dataset, Datastore, Environment, Experiment, Run
        run = Run.get_context()
        ws = run.experiment.workspace
        rows = run.input_datasets["raw"].to_pandas_dataframe()
        by_name = Dataset.get_by_name(ws, "context-table")
        json.dump(
            {
                "workspace": [ws.name, ws.resource_group, ws.subscription_id],
                "experiment": run.experiment.name,
                "rows": rows.to_dict("list"),
                "input": [run.input_datasets["raw"].name, run.input_datasets["raw"].version],
                "by_name": by_name.to_pandas_dataframe().shape,
                "datasets": "context-table" in ws.datasets,
                "default": ws.get_default_datastore().name,
                "blob": Datastore.get(ws, "workspaceblobstore").container_name,
                "environment": Environment.get(ws, "context-environment").environment_variables,
                "own_environment": run.get_environment().name,
                "clusters": sorted(ws.compute_targets),
            },
            open("outputs/seen.json", "w"),
        )
        """,
        table.as_named_input("raw"),
        environment=Environment.get(lab.ws, "context-environment"),
    )
    seen = completed(run, tmp_path)
    assert seen["workspace"] == [lab.ws.name, lab.ws.resource_group, lab.ws.subscription_id]
    assert seen["experiment"] == "execution"
    assert seen["rows"] == {"x": [1, 2, 3], "y": ["a", "b", "c"]}
    assert seen["input"] == ["context-table", table.version]
    assert seen["by_name"] == [3, 2]
    assert seen["datasets"] is True
    assert seen["default"] == lab.ws.get_default_datastore().name
    assert seen["blob"] == lab.ws.get_default_datastore().container_name
    assert seen["environment"] == {"KIND": "registered"}
    assert seen["own_environment"] == "context-environment"
    assert "cpu" in seen["clusters"]


def test_what_a_script_notes_about_its_run(lab, tmp_path):
    run = lab.submit(
        """
        import json
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
        from azureml.core import Run
        run = Run.get_context()
        for step in range(3):
            run.log("loss", 1 / (step + 1))
        run.log("name", "a text")
        run.log_list("list", [1, 2, 3])
        run.log_row("row", x=1, y=2.5)
        run.log_table("table", {"x": [1, 2], "y": [0.1, 0.2]})
        pyplot.plot([1, 2], [3, 4])
        run.log_image("plot", plot=pyplot)
        run.tag("kind", "test")
        run.add_properties({"seed": "7"})
        open("extra.txt", "w").write("uploaded while it runs")
        run.upload_file("outputs/extra.txt", "extra.txt")
        run.flush()
        seen = {
            "metrics": sorted(run.get_metrics()),
            "files": run.get_file_names(),
            "status": run.get_status(),
            "tags": run.get_tags(),
            "parent": run.parent,
            "type": type(run).__name__,
            "number": run.number,
        }
        json.dump(seen, open("outputs/seen.json", "w"))
        run.complete()
        """
    )
    seen = completed(run, tmp_path)
    names = ["list", "loss", "name", "plot", "row", "table"]
    assert seen["metrics"] == names
    assert "outputs/extra.txt" in seen["files"]
    assert (seen["status"], seen["parent"], seen["type"]) == ("Running", None, "_SubmittedRun")
    assert seen["tags"]["kind"] == "test"
    assert seen["number"] == run.number
    metrics = run.get_metrics()
    assert sorted(metrics) == names
    assert metrics["loss"] == [1, 1 / 2, 1 / 3]
    assert metrics["table"] == {"x": [1, 2], "y": [0.1, 0.2]}
    assert run.get_properties()["seed"] == "7"
    assert run.get_tags()["kind"] == "test"
    assert text_of(run, "outputs/extra.txt", tmp_path) == "uploaded while it runs"
    assert any(name.startswith("plot") and name.endswith(".png") for name in run.get_file_names())


def test_children_of_a_job(lab, tmp_path):
    with Experiment(lab.ws, "execution").start_logging(snapshot_directory=None) as outer:
        run = outer.submit_child(
            lab.configuration(
                """
                import json
                from azureml.core import Experiment, Run
                run = Run.get_context()
                for depth in (2, 3):
                    with run.child_run(f"depth {depth}") as child:
                        child.log("accuracy", depth / 10)
                        child.tag("depth", str(depth))
                batch = run.create_children(count=2)
                for number, child in enumerate(batch):
                    child.log("number", number)
                    child.complete()
                other = Experiment(run.experiment.workspace, "context-other").start_logging(
                    snapshot_directory=None
                )
                other.log("elsewhere", 1)
                other.complete()
                def accuracy(child):
                    return child.get_metrics().get("accuracy", 0)
                best = max(run.get_children(), key=accuracy)
                seen = {"parent": run.parent.id, "best": best.id, "other": other.id}
                json.dump(seen, open("outputs/seen.json", "w"))
                """
            )
        )
        seen = completed(run, tmp_path)
    children = {child.id: child for child in run.get_children()}
    assert len(children) == 4
    assert {child.get_status() for child in children.values()} == {"Completed"}
    assert {child.parent.id for child in children.values()} == {run.id}
    assert seen["parent"] == outer.id
    assert children[seen["best"]].get_metrics() == {"accuracy": 0.3}
    # The SDK puts the name of the parent, here none, in front.
    assert children[seen["best"]].name == ">depth 3"
    assert Run.get(lab.ws, seen["other"]).get_metrics() == {"elsewhere": 1}
    assert Run.get(lab.ws, seen["other"]).experiment.name == "context-other"


def test_a_dataset_made_in_a_job_is_there_afterwards(lab, tmp_path):
    output = OutputFileDatasetConfig("prepared").register_on_complete("context-prepared")
    run = lab.submit(
        """
        import json, os, sys
        from azureml.core import Dataset, Run
        run = Run.get_context()
        ws = run.experiment.workspace
        with open(os.path.join(run.output_datasets["prepared"], "made.csv"), "w") as file:
            file.write("x\\n41\\n42\\n")
        os.makedirs("made")
        with open("made/rows.csv", "w") as file:
            file.write("x\\n1\\n")
        store = ws.get_default_datastore()
        Dataset.File.upload_directory("made", (store, "context-made"), overwrite=True)
        made = Dataset.Tabular.from_delimited_files((store, "context-made/rows.csv"))
        made = made.register(ws, "context-made", create_new_version=True)
        json.dump({"version": made.version}, open("outputs/seen.json", "w"))
        """,
        output,
    )
    seen = completed(run, tmp_path)
    made = Dataset.get_by_name(lab.ws, "context-made", version=seen["version"])
    assert made.to_pandas_dataframe().x.tolist() == [1]
    prepared = Dataset.get_by_name(lab.ws, "context-prepared")
    (path,) = prepared.download(str(tmp_path / "prepared"))
    assert path.endswith("made.csv") and Path(path).read_text() == "x\n41\n42\n"


def test_a_job_goes_on_when_its_token_has_ended(lab, local_workspace, tmp_path):
    script = """
        import json, os, sys, time
        from urllib.error import HTTPError
        from urllib.request import Request, urlopen
        while not os.path.exists(sys.argv[1]):
            time.sleep(0.02)
        token, expires = json.load(open(sys.argv[1]))
        os.environ |= {"AZUREML_RUN_TOKEN": token, "AZUREML_RUN_TOKEN_EXPIRY": str(expires)}
        from azureml.core import Run
        run = Run.get_context()
        run.tag("before", "the end")
        address = os.environ["AZUREML_SERVICE_ENDPOINT"] + "/history/v1.0" + os.environ[
            "AZUREML_WORKSPACE_SCOPE"
        ] + "/runs/" + run.id
        header = {"Authorization": f"Bearer {token}"}
        def status():
            try:
                return urlopen(Request(address, headers=header)).status
            except HTTPError as error:
                return error.code
        seen = {"at first": status()}
        while status() != 401:
            time.sleep(0.1)
        run.tag("after", "the end")
        json.dump(seen, open("outputs/seen.json", "w"))
    """
    run = lab.submit(script, str(lab.gate()))
    wait_for(run, "Running")
    tokens = TokenIssuer(Settings.load(local_workspace.paths.settings))
    # It is taken for a little longer than it says, for clocks that differ.
    token, expires = tokens.issue(
        local_workspace.origin, run_id=run.id, lifetime=8 - LEEWAY_SECONDS
    )
    short = token, expires + LEEWAY_SECONDS
    lab.gate("new").write_text(json.dumps(short))
    lab.gate("new").rename(lab.gate())
    assert completed(run, tmp_path) == {"at first": 200}
    tags = run.get_tags()
    assert (tags["before"], tags["after"]) == ("the end", "the end")


def test_a_model_registered_in_a_job(lab, tmp_path):
    run = lab.submit(
        """
        import json
        from azureml.core import Model, Run
        run = Run.get_context()
        open("model.txt", "w").write("weights")
        run.upload_file("outputs/model.txt", "model.txt")
        model = run.register_model("context-model", model_path="outputs/model.txt", tags={"a": "b"})
        path = Model(run.experiment.workspace, "context-model").download(target_dir="back")
        seen = {"version": model.version, "back": open(path).read()}
        json.dump(seen, open("outputs/seen.json", "w"))
        """
    )
    seen = completed(run, tmp_path)
    assert seen["back"] == "weights"
    model = Model(lab.ws, "context-model", version=seen["version"])
    assert model.tags == {"a": "b"}
    assert model.run_id == run.id
