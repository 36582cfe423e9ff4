"""Pages of models read what they show, however many versions there are."""

import pytest
from sqlalchemy import event

from local_workspace.services import model_management
from local_workspace.services.mlflow.registry_store import RegistryStore
from local_workspace.services.model_management.records import page_of_versions
from local_workspace.store.tables.model_management import ModelVersionRow
from local_workspace.studio.models import models

PLACE = ("ExperimentRun", "dcid.run", "outputs/model")


@pytest.fixture
def loaded(workspace):
    """The versions that the database has given back, in a workspace with 60 of each of 3 models."""
    with workspace.database.write() as session:
        for name in ("a", "b", "c"):
            for number in range(60):
                model_management.add_version(
                    session, name, PLACE, tags={"even": "yes"} if number % 2 else {}
                )
        model_management.set_stage(session, "b", 10, "Production")
    found = []

    def note(target, _context):
        found.append((target.name, target.version))

    event.listen(ModelVersionRow, "load", note)
    yield found
    event.remove(ModelVersionRow, "load", note)


def names_of(rows):
    return [(row.name, row.version) for row in rows]


def test_a_page_of_versions(workspace, loaded):
    with workspace.database.read() as session:
        rows, has_more = page_of_versions(session, 20, 20, name="a")
    assert names_of(rows) == [("a", number) for number in range(40, 20, -1)]
    assert has_more
    assert len(loaded) == 21


def test_the_last_page(workspace, loaded):
    with workspace.database.read() as session:
        rows, has_more = page_of_versions(session, 40, 20, name="c")
    assert names_of(rows) == [("c", number) for number in range(20, 0, -1)]
    assert not has_more


def test_the_latest_of_each_model(workspace, loaded):
    with workspace.database.read() as session:
        rows, _ = page_of_versions(session, 0, 20, latest_only=True)
    assert sorted(names_of(rows)) == [("a", 60), ("b", 60), ("c", 60)]
    assert len(loaded) == 3


def test_a_page_with_a_filter_goes_on_until_it_is_full(workspace, loaded):
    with workspace.database.read() as session:
        rows, has_more = page_of_versions(
            session, 0, 5, name="a", matches=lambda row: "even" in row.tags
        )
    assert names_of(rows) == [("a", number) for number in (60, 58, 56, 54, 52)]
    assert has_more


def test_mlflows_page_of_models(workspace, loaded):
    store = RegistryStore(workspace)
    page = store.search_registered_models(max_results=2, order_by=["name ASC"])
    shown = {one.name: [int(v.version) for v in one.latest_versions] for one in page}
    assert shown == {"a": [60], "b": [60, 10]}
    assert sorted(loaded) == [("a", 60), ("b", 10), ("b", 60)]
    assert page.token


def test_the_page_of_models_in_the_studio(workspace, loaded):
    with workspace.database.read() as session:
        shown = [(model.name, version.version) for model, version in models(session)]
    assert shown == [("a", 60), ("b", 60), ("c", 60)]
    assert len(loaded) == 4
