"""Runs as in `run_doubles`, whose experiments are those of a real MLflow store in a folder.

So what a lesson does with MLflow is really done, and the SDK's doubles see the same runs.
"""

import contextlib
import os

import mlflow
from azureml.core import Run
from mlflow import MlflowClient
from mlflow.tracking import fluent
from run_doubles import Record, RunsInMemory

STATES = {"RUNNING": "Running", "FINISHED": "Completed", "FAILED": "Failed"}


class RunsInMlflow(RunsInMemory):
    """The runs of a workspace, and a store of MLflow below `folder`."""

    def __init__(self, workspace, sdk, folder):
        super().__init__(workspace, sdk)
        self.uri = (folder / "mlruns").as_uri()
        workspace.get_mlflow_tracking_uri.side_effect = lambda: self.uri
        self.client = MlflowClient(self.uri)

    def new_job(self, experiment, tags):
        experiment_id = self.client.get_experiment_by_name(experiment).experiment_id
        return self.client.create_run(experiment_id, run_name="job", tags=tags).info.run_id

    @contextlib.contextmanager
    def job_environment(self, record):
        # MLflow takes it out again when the first start_run() has opened this run.
        os.environ["MLFLOW_RUN_ID"] = record.run_id
        try:
            yield
        finally:
            os.environ.pop("MLFLOW_RUN_ID", None)

    def _get(self, workspace, run_id):
        run = self.client.get_run(run_id)
        files = dict.fromkeys(self._files(run_id))
        state = STATES[run.info.status]
        record = Record(run_id, run.info.run_name, "", status=state, files=files)
        record.metrics = dict(run.data.metrics)
        return self._double(record, Run)

    def _files(self, run_id, folder=None):
        for item in self.client.list_artifacts(run_id, folder):
            if item.is_dir:
                yield from self._files(run_id, item.path)
            else:
                yield item.path


@contextlib.contextmanager
def mlflow_at_rest():
    """Before and afterwards MLflow has forgotten where it logged, and to which run."""
    _forget()
    try:
        yield
    finally:
        _forget()


def _forget():
    mlflow.sklearn.autolog(disable=True)
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.set_tracking_uri("")
    # set_experiment() has no counterpart, and leaves a variable behind, too.
    fluent._active_experiment_id = None
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
