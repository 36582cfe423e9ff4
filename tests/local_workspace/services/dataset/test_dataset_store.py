"""Datasets as functions over the store, for other services and for other databases."""

import json

import pytest
from sqlalchemy import insert

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest
from local_workspace.services.dataset import (
    definition_of,
    ensure_saved,
    records,
    register_dataset,
    registration_of,
)
from local_workspace.store.tables.dataset import DatasetVersionRow


def test_a_number_that_was_taken_meanwhile_is_tried_again(workspace, monkeypatch):
    """On a database with several writers two clients may choose the same number."""

    def definition(number):
        return definition_of("file", f"paths: [{{file: a{number}}}]", None)

    def register(number):
        return register_dataset(
            workspace.database, "n", definition(number), exist_ok=True, new_version=True
        )

    register(0)
    add_version, failures = records._add_version, [True, True]

    def taken(session, row, saved):
        if failures:
            failures.pop()
            session.execute(
                insert(DatasetVersionRow).values(
                    dataset_id=row.dataset_id, version=1, saved_id=saved.saved_id, created=utc_now()
                )
            )
        return add_version(session, row, saved)

    monkeypatch.setattr(records, "_add_version", taken)
    assert register(1).version.version == 2
    assert not failures
    assert register(2).version.version == 3


def test_for_other_services(workspace):
    definition = definition_of("file", json.dumps({"meta": {"RsDataflow": "paths: []"}}), {})
    with workspace.database.write() as session:
        saved = ensure_saved(session, definition)
    assert saved.rs_dataflow == "paths: []"
    registered = register_dataset(
        workspace.database, "output", definition, saved_id=saved.saved_id, tags={"run": "1"}
    )
    assert registered.saved.saved_id == saved.saved_id
    with workspace.database.read() as session:
        assert registration_of(session, saved.saved_id).dataset.name == "output"
        assert registration_of(session, "none") is None
    with pytest.raises(BadRequest, match=r"registered as output:1 \(name:version\)"):
        register_dataset(workspace.database, "other", definition, saved_id=saved.saved_id)


def test_conversions_of_one_column_keep_their_order():
    def digest(*conversions):
        entries = [f"  - {{columns: {c}, column_type: {t}}}" for c, t in conversions]
        text = "transformations:\n- convert_column_types:\n" + "\n".join(entries)
        return definition_of("tabular", text, {}).digest

    assert digest(("a", "int"), ("b", "float")) == digest(("b", "float"), ("a", "int"))
    assert digest(("a", "int"), ("b", "float")) != digest(("a", "float"), ("b", "int"))
    assert digest(("[a, b]", "int"), ("c", "int")) == digest(("c", "int"), ("[a, b]", "int"))
    assert digest(("[a, b]", "int"), ("a", "float")) != digest(("a", "float"), ("[a, b]", "int"))
