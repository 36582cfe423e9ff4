"""The environment variables of a job's processes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from local_workspace.client_environment import client_environment, server_environment
from local_workspace.engines.jobs.attempt import Attempt
from local_workspace.services import run_history
from local_workspace.services.execution import Job
from local_workspace.variables import OF_ANOTHER_PYTHON, OF_THE_MACHINE, SIGNING_A_USER_IN
from local_workspace.workspace import LocalWorkspace

TOKEN_SECONDS = 24 * 3600
# What every Python of a job runs at its start, so that its last metrics are sent at its end.
_SITE = Path(__file__).parents[2] / "job_side" / "site"


def callers_environment(path: Path) -> dict[str, str] | None:
    """For compute_target='local': the environment of the program that submitted the run."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def job_environment(
    workspace: LocalWorkspace,
    job: Job,
    attempt: Attempt,
    caller: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What every process of a job has in its environment; it holds the token of the run.

    A job on a cluster starts from little, one with compute_target='local' from the environment of
    its `caller`. Raises NotFound when the run is not there.
    """
    if caller is None:
        base = {
            name: value
            for name, value in server_environment(os.environ).items()
            if name in OF_THE_MACHINE or name.startswith("LC_")
        }
    else:
        base = server_environment(caller)
    variables = {
        **base,
        **client_environment(workspace.paths, workspace.settings, base, all_roots=True),
    }
    for name in SIGNING_A_USER_IN | OF_ANOTHER_PYTHON:
        variables.pop(name, None)
    if caller is None:
        home = workspace.paths.sdk / "job-home"
        home.mkdir(parents=True, exist_ok=True)
        variables["HOME"] = str(home)
    folder = str(attempt.python.parent)
    python_path = [str(_SITE), job.variables.get("PYTHONPATH", "")]
    return {
        **variables,
        "PATH": f"{folder}{os.pathsep}{variables.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        **job.variables,
        "PYTHONPATH": os.pathsep.join(filter(None, python_path)),
        **_of_the_run(workspace, job, attempt),
    }


def _of_the_run(workspace: LocalWorkspace, job: Job, attempt: Attempt) -> dict[str, str]:
    settings = workspace.settings
    with workspace.database.read() as session:
        run = run_history.get_run(session, job.run_id)
    token, expires = workspace.tokens.issue(
        workspace.origin, run_id=job.run_id, lifetime=TOKEN_SECONDS
    )
    scope = (
        f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{settings.workspace_name}"
    )
    return {
        "AZUREML_RUN_ID": job.run_id,
        "AZUREML_ROOT_RUN_ID": run.root_run_id,
        "AZUREML_RUN_TOKEN": token,
        "AZUREML_RUN_TOKEN_EXPIRY": str(expires),
        "AZUREML_ARM_SUBSCRIPTION": settings.subscription_id,
        "AZUREML_ARM_RESOURCEGROUP": settings.resource_group,
        "AZUREML_ARM_WORKSPACE_NAME": settings.workspace_name,
        "AZUREML_ARM_PROJECT_NAME": job.experiment_name,
        "AZUREML_EXPERIMENT_ID": run.experiment_id,
        "AZUREML_WORKSPACE_ID": settings.workspace_id,
        "AZUREML_WORKSPACE_SCOPE": scope,
        "AZUREML_EXPERIMENT_SCOPE": f"{scope}/experiments/{job.experiment_name}",
        "AZUREML_SERVICE_ENDPOINT": workspace.origin,
        "AZUREML_DISCOVERY_SERVICE_ENDPOINT": workspace.discovery_url,
        "AZUREML_RUN_ATTEMPT": str(attempt.number),
        "AZUREML_SCRIPT_DIRECTORY_NAME": ".",
        "MLFLOW_TRACKING_URI": f"azureml://localhost:{workspace.port}/mlflow/v2.0{scope}?",
        "MLFLOW_TRACKING_TOKEN": token,
        "MLFLOW_RUN_ID": job.run_id,
        "MLFLOW_EXPERIMENT_ID": run.experiment_id,
        "MLFLOW_EXPERIMENT_NAME": job.experiment_name,
    }
