"""MLflow's client on the local workspace."""

import pytest


@pytest.fixture(scope="module")
def tracking(ws):
    """MLflow in this process tracks to the workspace."""
    # Not before the workspace has started.
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(ws.get_mlflow_tracking_uri())
    yield
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def client(tracking):
    """MLflow's client."""
    from mlflow import MlflowClient

    return MlflowClient()
