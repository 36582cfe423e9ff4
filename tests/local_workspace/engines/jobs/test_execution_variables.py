"""What a job finds in its environment, and what it does not."""

from pathlib import Path

import pytest

from local_workspace.engines.jobs.attempt import Attempt
from local_workspace.engines.jobs.variables import job_environment
from local_workspace.services.execution.parsing import parse_job, parse_submission
from local_workspace.services.run_history import upsert_run


@pytest.fixture
def workspace(workspace):
    """With the run of the job."""
    with workspace.database.write() as session:
        upsert_run(session, "variables", "variables_1_00000000")
    return workspace


ATTEMPT = Attempt(2, Path("/somewhere/bin/python"))


@pytest.fixture
def job():
    submission = parse_submission(
        {
            "Configuration": {
                "script": "train.py",
                "target": "cpu",
                "environment": {"environmentVariables": {"A": "environment", "B": 1}},
                "environmentVariables": {"A": "run", "AZUREML_RUN_ID": "another"},
            }
        }
    )
    return parse_job(submission, "variables_1_00000000", "variables", lambda _reference: "")


def test_a_job_on_a_cluster_sees_nothing_of_the_shell_that_started_the_server(
    workspace, job, monkeypatch
):
    monkeypatch.setenv("MY_CLOUD_PASSWORD", "secret")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "secret")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("LC_NUMERIC", "C")
    variables = job_environment(workspace, job, ATTEMPT)
    assert "secret" not in variables.values()
    assert variables["https_proxy"] == "http://proxy:3128"
    assert {"localhost", "127.0.0.1"} <= set(variables["no_proxy"].split(","))
    assert variables["LC_NUMERIC"] == "C"
    assert variables["HOME"].startswith(str(workspace.paths.root))


def test_a_local_job_has_the_environment_of_its_caller_without_what_signs_a_user_in(workspace, job):
    caller = {
        "MINE": "1",
        "HOME": "/home/me",
        "PATH": "/mine",
        "MSI_SECRET": "secret",
        "AZURE_STORAGE_KEY": "secret",
        "PYTHONPATH": "/mine/lib",
        "AZUREML_RUN_ID": "the run I am in",
    }
    variables = job_environment(workspace, job, ATTEMPT, caller)
    assert (variables["MINE"], variables["HOME"]) == ("1", "/home/me")
    assert variables["PATH"].split(":")[:2] == ["/somewhere/bin", "/mine"]
    assert "secret" not in variables.values()
    assert variables["PYTHONPATH"].endswith("/job_side/site")
    assert variables["AZUREML_RUN_ID"] == "variables_1_00000000"


def test_variables_of_the_run_win_over_those_of_the_environment_and_lose_to_the_workspaces(
    workspace, job
):
    variables = job_environment(workspace, job, ATTEMPT)
    assert variables["A"] == "run"
    assert variables["B"] == "1"
    assert variables["AZUREML_RUN_ID"] == "variables_1_00000000"
    assert variables["AZUREML_RUN_ATTEMPT"] == "2"


def test_the_token_is_that_of_the_run(workspace, job):
    variables = job_environment(workspace, job, ATTEMPT)
    principal = workspace.tokens.verify(variables["AZUREML_RUN_TOKEN"])
    assert principal.run_id == "variables_1_00000000"
    assert variables["MLFLOW_TRACKING_TOKEN"] == variables["AZUREML_RUN_TOKEN"]
    assert workspace.settings.storage_key not in variables.values()
    assert workspace.settings.msi_secret not in variables.values()
