"""What cannot run is refused at once, or fails with a reason: never a 5xx, never a traceback."""

import json
import time
import uuid
from functools import partial
from pathlib import Path

import pytest
import requests
from azureml.core import Dataset, Environment, ScriptRunConfig
from azureml.core.runconfig import (
    ApplicationEndpointConfiguration,
    MpiConfiguration,
    PyTorchConfiguration,
)
from azureml.exceptions import ExperimentExecutionException
from execution_helpers import error_of, own_environment, wait_for

from local_workspace.identity.tokens import TokenIssuer


@pytest.fixture
def post(caller):
    """Requests to the execution service that the SDK would not send."""
    return partial(caller("/execution/v1.0{scope}/experiments/errors"), "POST")


def new_id():
    return f"errors_{int(time.time())}_{uuid.uuid4().hex[:8]}"


def refused(answer, status, *words):
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    for word in words:
        assert word in error["message"]
    return error


def test_a_script_that_does_not_exist(lab):
    project = lab.project("print(1)")

    def submit(script):
        return lab.experiment().submit(
            ScriptRunConfig(
                project,
                script=script,
                compute_target=lab.cluster(),
                environment=own_environment(),
            )
        )

    with pytest.raises(ExperimentExecutionException, match="script path doesn't exist"):
        submit("missing.py")
    # The SDK cannot see this one: the file is there and does not go into the snapshot.
    Path(project, ".amlignore").write_text("train.py")
    run = submit("train.py")
    assert wait_for(run) == "Failed"
    message = error_of(run)["message"]
    assert "The script 'train.py' does not exist in the snapshot of the run" in message
    assert ".amlignore" in message


def test_an_unknown_compute_target(lab):
    configuration = lab.configuration("print(1)")
    configuration.run_config.target = "no-such-cluster"
    with pytest.raises(ExperimentExecutionException, match="'no-such-cluster' does not exist"):
        lab.experiment().submit(configuration)


@pytest.mark.parametrize("layout", [MpiConfiguration(node_count=3), {"nodeCount": 3}])
def test_more_nodes_than_the_cluster_can_have(lab, layout):
    configuration = lab.configuration("print(1)")
    if isinstance(layout, dict):
        configuration.run_config.node_count = 3
    else:
        configuration = lab.configuration("print(1)", distributed_job_config=layout)
    with pytest.raises(
        ExperimentExecutionException, match="asks for 3 nodes, and the compute target 'cpu' has at"
    ):
        lab.experiment().submit(configuration)


def test_processes_that_cannot_be_spread_over_the_nodes(lab):
    pytorch = PyTorchConfiguration("Gloo", process_count=3, node_count=2)
    with pytest.raises(ExperimentExecutionException, match="must be a multiple of 'node_count'"):
        lab.submit("print(1)", distributed_job_config=pytorch)


def test_an_input_that_is_not_registered(lab, post):
    datastore = lab.ws.get_default_datastore()
    files = Dataset.File.from_files((datastore, "nothing-here/**"), validate=False)
    configuration = lab.configuration("print(1)", files.as_named_input("raw").as_download())
    definition = {"Configuration": _serialized(configuration), "SnapshotId": str(uuid.uuid4())}
    definition["Configuration"]["data"] = {
        "raw": {
            "dataLocation": {"dataset": {"name": "never-registered"}},
            "mechanism": "download",
        }
    }
    answer = post(f"/snapshotrun?runId={new_id()}", definition)
    refused(answer, 400, "The input 'raw' of the run is not a dataset of this workspace")


def _serialized(configuration):
    from azureml._execution._commands import _serialize_run_config_to_dict

    run_config = configuration.run_config
    run_config.script = configuration.script
    return json.loads(json.dumps(_serialize_run_config_to_dict(run_config), default=str))


def test_a_snapshot_that_is_not_known(lab, post):
    lab.cluster()
    definition = {
        "Configuration": {"script": "train.py", "target": "cpu"},
        "SnapshotId": str(uuid.uuid4()),
    }
    run_id = new_id()
    answer = post(f"/snapshotrun?runId={run_id}", definition)
    refused(answer, 404, definition["SnapshotId"])
    assert post(f"/runId/{run_id}/cancel").status_code == 404


def test_a_parent_that_is_not_known(lab, post):
    configuration = {"command": "true", "target": "local"}
    definition = {"Configuration": configuration, "ParentRunId": "no-such-parent"}
    answer = post(f"/snapshotrun?runId={new_id()}", definition)
    refused(answer, 404, "no-such-parent")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ([], "JSON object"),
        ({}, "no 'Configuration'"),
        ({"Configuration": "train.py"}, "no 'Configuration'"),
        ({"Configuration": {"target": "local"}}, "neither a 'script' nor a 'command'"),
        (
            {"Configuration": {"script": "a.py", "target": "local", "nodeCount": 2}},
            "has one node",
        ),
        ({"Configuration": {"script": "a.py", "nodeCount": -1}}, "whole number of at least 1"),
        (
            {"Configuration": {"script": "a.py", "maxRunDurationSeconds": -5}},
            "'max_run_duration_seconds' must be between 1 and",
        ),
        ({"Configuration": {"script": "a.py", "target": ["x"]}}, "'target' must be"),
        ({"Configuration": {"script": ["a.py"]}}, "'script' must be"),
        ({"Configuration": {"command": {"a": 1}}}, "'command' must be"),
        ({"Configuration": {"script": "a.py", "arguments": "x"}}, "'arguments' must be"),
        ({"Configuration": {"script": "a.py", "environment": []}}, "'environment' must be"),
        ({"Configuration": {"script": "a.py", "docker": "yes"}}, "'docker' must be"),
        ({"Configuration": {"script": "a.py", "data": [1]}}, "'data' must be"),
        ({"Configuration": {"script": "a.py", "outputData": {"x": 1}}}, "'outputData' must be"),
        ({"Configuration": {"script": "a.py", "history": 7}}, "'history' must be"),
        (
            {"Configuration": {"script": "a.py", "environmentVariables": ["A=1"]}},
            "'environmentVariables' must be",
        ),
        (
            {"Configuration": {"script": "a.py", "environment": {"environmentVariables": "A=1"}}},
            "'environmentVariables' must be",
        ),
        (
            {"Configuration": {"script": "a.py", "environmentVariables": {"A": "x\0"}}},
            "'Configuration.environmentVariables.A' contains the character NUL",
        ),
        (
            {"Configuration": {"script": "a.py", "data": {"x": {"dataLocation": "here"}}}},
            "'dataLocation' of 'x' must be",
        ),
        (
            {"Configuration": {"script": "a.py", "history": {"directoriesToWatch": ["../.."]}}},
            "folders inside the one of the run",
        ),
        ({"Configuration": {"script": "a.py"}, "ParentRunId": 5}, "'parentRunId' must be"),
        (
            {"Configuration": {"script": "a.py", "communicator": "OpenMpi", "mpi": 3}},
            "'mpi' must be",
        ),
    ],
)
def test_definitions_that_are_none(post, body, word):
    refused(post(f"/snapshotrun?runId={new_id()}", body), 400, word)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Script": "a.py"}, ["'Script' is not a field of the run", "Is 'script' meant?"]),
        ({"jobName": "x"}, ["'jobName' is not a field", "Remove it."]),
        ({"history": {"ambientAuthentication": {"method": None}}}, ["is not a field of 'history'"]),
        ({"docker": {"useDockr": True}}, ["of 'docker'", "Is 'useDocker' meant?"]),
        ({"data": {"x": {"pathOnCompte": "y"}}}, ["of 'x'", "Is 'pathOnCompute' meant?"]),
        (
            {"outputData": {"x": {"additionalOptions": {"uploadOptions": {"overwrit": True}}}}},
            ["of 'uploadOptions'"],
        ),
        ({"dataReferences": {"x": {"dataStore": "y"}}}, ["Is 'dataStoreName' meant?"]),
        ({"dataReferences": {"x": "y"}}, ["'dataReferences' must be a JSON object of objects"]),
        ({"dataReferences": {"a b": {"dataStoreName": "y"}}}, ["cannot be the name of a data"]),
        (
            {"dataReferences": {"x": {"dataStoreName": "y", "mode": "stream"}}},
            ["has the mode 'stream'; there are mount, download and upload"],
        ),
        ({"dataReferences": {"x": {"dataStoreName": 5}}}, ["'dataStoreName' of the data"]),
        (
            {"dataReferences": {"x": {"dataStoreName": "y", "overwrite": "yes"}}},
            ["'overwrite' of the data reference 'x' must be true or false"],
        ),
    ],
)
def test_fields_that_are_not_understood_are_refused(post, fields, words):
    definition = {"Configuration": {"script": "train.py", "target": "local", **fields}}
    refused(post(f"/snapshotrun?runId={new_id()}", definition), 400, *words)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda run_config: setattr(run_config, "priority", 3), "priority"),
        (
            lambda run_config: setattr(run_config, "source_directory_data_store", "data"),
            "sourceDirectoryDataStore",
        ),
        (
            lambda run_config: run_config.services.update(
                ssh=ApplicationEndpointConfiguration(type="SSH")
            ),
            "applicationEndpoints",
        ),
    ],
)
def test_what_only_azure_offers_is_refused(lab, change, field):
    configuration = lab.configuration("print(1)")
    change(configuration.run_config)
    with pytest.raises(ExperimentExecutionException, match=f"asks for '{field}', which the local"):
        lab.experiment().submit(configuration)


def test_what_other_frameworks_need_is_said_to_be_missing(post):
    definition = {"Configuration": {"script": "a.py", "framework": "PySpark"}}
    answer = post(f"/snapshotrun?runId={new_id()}", definition)
    error = refused(answer, 404, "The framework 'PySpark' is not offered")
    assert error["code"] == "NotImplementedByLocalWorkspace"


def test_a_run_id_that_cannot_be_one(post):
    definition = {"Configuration": {"command": "true", "target": "local"}}
    refused(post("/snapshotrun?runId=../../x", definition), 400, "cannot be the id of a run")
    assert post("/snapshotrun", definition).status_code == 400


def test_a_local_run_needs_its_definition(post):
    refused(post(f"/localrun?runId={new_id()}", {"a": 1}), 400, "no part 'definition.json'")
    files = {"files": ("definition.json", "{")}
    refused(post(f"/localrun?runId={new_id()}", files=files), 400, "'definition.json' is not JSON")


def test_the_id_of_another_run_is_not_taken(lab, post):
    run = lab.experiment("errors").start_logging(snapshot_directory=None)
    definition = {"Configuration": {"command": "true", "target": "local"}}
    refused(post(f"/snapshotrun?runId={run.id}", definition), 409, "that was not submitted")
    refused(post(f"/runId/{run.id}/cancel"), 404, "nothing executes it")
    run.complete()


def test_a_request_that_is_repeated_makes_one_run(lab):
    run = lab.submit("print(1)")
    details = run.get_details()
    settings = lab.server.settings
    token, _ = TokenIssuer(settings).issue(lab.server.origin)
    answer = requests.post(
        f"{lab.server.origin}/execution/v1.0{settings.scope}/experiments/execution/snapshotrun",
        params={"runId": run.id},
        json={
            "Configuration": details["runDefinition"],
            "SnapshotId": details["properties"]["ContentSnapshotId"],
        },
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert answer.status_code == 200 and answer.json() == {"runId": run.id}
    assert wait_for(run) == "Completed"
    assert lab.states_of(run).count("Running") == 1


def test_cancel_of_a_run_that_does_not_exist(post):
    refused(post("/runId/no-such-run/cancel"), 404, "'no-such-run' not found")


def test_a_registered_environment_that_is_not_there(post, lab):
    lab.cluster()
    snapshot = lab.submit("print(1)").get_snapshot_id()
    configuration = {
        "script": "train.py",
        "target": "cpu",
        "environment": {"name": "never-registered", "version": "1"},
    }
    definition = {"Configuration": configuration, "SnapshotId": snapshot}
    answer = post(f"/snapshotrun?runId={new_id()}", definition)
    assert answer.status_code == 404
    assert "never-registered" in answer.json()["error"]["message"]


def test_a_requirement_that_is_none(lab):
    environment = Environment("wrong")
    environment.python.conda_dependencies.add_pip_package("not a requirement !!")
    run = lab.submit("print(1)", environment=environment)
    assert wait_for(run) == "Failed"
    assert "not a requirement !!" in error_of(run)["message"]


def test_variables_that_cannot_be_in_an_environment(lab):
    environment = own_environment()
    environment.environment_variables = {"WITH=EQUALS": "1"}
    with pytest.raises(ExperimentExecutionException, match="'WITH=EQUALS' cannot be an"):
        lab.submit("print(1)", environment=environment)
