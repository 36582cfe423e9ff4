"""MLflow's registry store, and model management's functions, straight on a database."""

from datetime import datetime, timezone

import pytest
from mlflow.entities.model_registry import ModelVersionTag
from mlflow.exceptions import MlflowException
from sqlalchemy import event
from sqlalchemy.dialects import postgresql

from local_workspace.errors import BadRequest, NotFound
from local_workspace.services import model_management, run_history
from local_workspace.services.artifact import write_artifact
from local_workspace.services.mlflow import registry_store
from local_workspace.services.mlflow.registry_store import RegistryStore

_PLACE = ("ExperimentRun", "dcid.run", "model")


@pytest.fixture
def workspace(workspace):
    """With the run `run`."""
    with workspace.database.write() as session:
        run_history.upsert_run(session, "experiment", "run")
    return workspace


@pytest.fixture
def store(workspace):
    return RegistryStore(workspace)


def _add(workspace, name, place=_PLACE, **fields):
    with workspace.database.write() as session:
        return model_management.add_version(session, name, place, **fields).version


def test_files_of_a_run_that_is_unknown_spoil_no_search(workspace, store):
    _add(workspace, "known")
    _add(workspace, "unknown", ("ExperimentRun", "dcid.nobody", "model"))
    uris = {one.name: one.source for one in store.search_model_versions()}
    assert uris["unknown"] == "azureml://artifacts/ExperimentRun/dcid.nobody/model"
    assert uris["known"].endswith("/experiments/experiment/runs/run/artifacts/model")
    assert [one.name for one in store.search_registered_models()] == ["known", "unknown"]
    assert store.get_model_version_download_uri("unknown", "1") == uris["unknown"]


def test_a_source_is_a_whole_path(workspace, store):
    write_artifact(workspace, "LocalUpload", "upload", "model_2/MLmodel", b"flavors: {}")
    store.create_registered_model("whole")
    source = "azureml://artifacts/LocalUpload/upload"
    with pytest.raises(MlflowException, match="There are no files"):
        store.create_model_version("whole", f"{source}/model")
    version = store.create_model_version(
        "whole", f"{source}/model_2", tags=[ModelVersionTag("k", "v")]
    )
    assert (version.version, version.tags) == ("1", {"k": "v"})
    assert store.create_model_version("whole", f"{source}/model_2/MLmodel").version == "2"


def test_what_is_changed_has_been_changed_then(workspace, store, monkeypatch):
    later = datetime(2100, 1, 1, tzinfo=timezone.utc)
    _add(workspace, "older")
    _add(workspace, "newer")
    monkeypatch.setattr(registry_store, "utc_now", lambda: later)
    milliseconds = int(later.timestamp() * 1000)
    assert store.update_model_version("older", "1", "x").last_updated_timestamp == milliseconds
    assert [one.name for one in store.search_model_versions()] == ["older", "newer"]
    assert store.update_registered_model("older", "x").last_updated_timestamp == milliseconds


@pytest.mark.parametrize("version", ["9" * 30, "\u00b2", "-1", "", "latest"])
def test_versions_that_are_none(workspace, version):
    _add(workspace, "numbered")
    with workspace.database.read() as session, pytest.raises(NotFound, match="numbered"):
        model_management.get_version(session, "numbered", version)


@pytest.mark.parametrize("name", [None, 5, {"a": 1}, ["a"], "", "a b", "a/b", "-a", "a" * 256])
def test_names_that_are_none(workspace, name):
    with workspace.database.write() as session, pytest.raises(BadRequest, match="name of a model"):
        model_management.add_version(session, name, _PLACE)


def test_searches_ask_the_database_no_more_for_more_versions(workspace, store):
    asked = []
    event.listen(
        workspace.database.engine, "before_cursor_execute", lambda *args: asked.append(args[2])
    )

    def questions(search):
        asked.clear()
        search()
        return len(asked)

    counts = []
    for _ in range(2):
        for _ in range(10):
            _add(workspace, "many")
        counts.append(
            (questions(store.search_model_versions), questions(store.search_registered_models))
        )
    assert counts[0] == counts[1]
    versions, token = [], None
    while token or not versions:
        page = store.search_model_versions(max_results=7, page_token=token)
        versions, token = versions + [int(one.version) for one in page], page.token
    assert sorted(versions) == list(range(1, 21))


def test_writers_of_one_model_wait_for_each_other(workspace):
    """On PostgreSQL, where two transactions would otherwise count on from the same number."""
    locked = []

    def look(state):
        if state.is_select:
            locked.append(
                "FOR UPDATE" in str(state.statement.compile(dialect=postgresql.dialect()))
            )

    _add(workspace, "counted")
    with workspace.database.write() as session:
        event.listen(session, "do_orm_execute", look)
        model_management.ensure_model(session, "counted")
    assert locked == [True]
