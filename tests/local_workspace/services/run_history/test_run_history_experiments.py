"""Experiments through the SDK."""

import pytest
from azureml._restclient.exceptions import ServiceException
from azureml.core import Experiment


def test_an_experiment_is_made_once_and_found_again(local_workspace):
    ws = local_workspace.workspace
    made = Experiment(ws, "first-experiment")
    assert made.id == Experiment(ws, "first-experiment").id
    assert ws.experiments["first-experiment"].id == made.id
    assert [e.name for e in Experiment.list(ws, "first-experiment")] == ["first-experiment"]
    assert Experiment.list(ws, "never-made") == []


def test_an_experiment_is_not_made_by_asking(local_workspace, call):
    assert call("GET", "/experiments/only-asked-for").status_code == 404
    assert call("POST", "/experiments/only-asked-for/runs:query", {}).status_code == 404
    assert "only-asked-for" not in local_workspace.workspace.experiments


def test_tags_of_an_experiment(local_workspace):
    ws = local_workspace.workspace
    Experiment(ws, "tagged").set_tags({"stage": "draft", "owner": "ü"})
    Experiment(ws, "tagged").tag("stage", "final")
    Experiment(ws, "other-tagged").tag("stage", "draft")
    assert Experiment(ws, "tagged").tags == {"stage": "final", "owner": "ü"}
    assert [e.name for e in Experiment.list(ws, tags={"stage": "final"})] == ["tagged"]
    assert sorted(e.name for e in Experiment.list(ws, tags="stage")) == ["other-tagged", "tagged"]
    Experiment(ws, "tagged").remove_tags(["owner", "no-such-tag"])
    assert Experiment(ws, "tagged").tags == {"stage": "final"}


def test_an_archived_experiment_is_hidden_until_it_is_reactivated(local_workspace):
    ws = local_workspace.workspace
    experiment = Experiment(ws, "archived")
    experiment.archive()
    assert experiment.archived_time is not None
    assert "archived" not in [e.name for e in Experiment.list(ws)]
    assert "archived" in [e.name for e in Experiment.list(ws, view_type="All")]
    assert "archived" in [e.name for e in Experiment.list(ws, view_type="ArchivedOnly")]
    experiment.reactivate()
    assert experiment.archived_time is None
    assert "archived" in [e.name for e in Experiment.list(ws)]
    assert "archived" not in [e.name for e in Experiment.list(ws, view_type="ArchivedOnly")]


def test_writing_to_an_archived_experiment_makes_a_new_active_one(ws, call):
    first = Experiment(ws, "phoenix")
    before = first.start_logging(snapshot_directory=None)
    before.complete()
    first.archive()
    # As long as nothing is written there is the archived one only.
    assert Experiment(ws, "phoenix").id == first.id

    run = first.start_logging(snapshot_directory=None)
    run.log("loss", 0.5)
    child = run.child_run()
    child.complete()
    run.complete()

    second = ws.experiments["phoenix"]
    assert second.id != first.id
    assert [found.id for found in second.get_runs()] == [run.id]
    assert run.get_metrics() == {"loss": 0.5} and run.get_status() == "Completed"
    assert [found.id for found in run.get_children()] == [child.id]
    archived = Experiment.list(ws, "phoenix", view_type="ArchivedOnly")
    assert [found.id for found in archived] == [first.id]
    # The SDK asks for runs by the experiment's name, which is the active one's.
    kept = call("POST", f"/experimentids/{first.id}/runs:query", {}).json()["value"]
    assert [found["runId"] for found in kept] == [before.id]
    assert Experiment(ws, "phoenix").id == second.id


def test_an_archived_experiment_comes_back_only_while_its_name_is_free(ws):
    first = Experiment(ws, "occupied")
    first.archive()
    second = Experiment(ws, "occupied")
    # The constructor gave the archived one: a run makes the new one.
    second.start_logging(snapshot_directory=None).complete()
    active = ws.experiments["occupied"]
    with pytest.raises(ServiceException, match="There is an active experiment named 'occupied'"):
        first.reactivate()
    assert first.id in [found.id for found in Experiment.list(ws, view_type="ArchivedOnly")]
    active.archive()
    first.reactivate()
    assert ws.experiments["occupied"].id == first.id


def test_only_an_experiment_without_runs_can_be_deleted(local_workspace):
    ws = local_workspace.workspace
    empty, used = Experiment(ws, "to-delete"), Experiment(ws, "in-use")
    used.start_logging(snapshot_directory=None).complete()
    Experiment.delete(ws, empty.id)
    assert "to-delete" not in ws.experiments
    with pytest.raises(ServiceException, match="has runs and cannot be deleted"):
        Experiment.delete(ws, used.id)
    assert "in-use" in ws.experiments


def test_a_name_that_cannot_be_one_is_a_mistake_of_the_caller(call):
    for name in ("with blank", "-dash", "x" * 256, "ü", "a.b"):
        answer = call("POST", f"/experiments/{name}")
        assert answer.status_code == 400, name
        assert "cannot be the name of an experiment" in answer.json()["error"]["message"]


def test_renaming_does_not_take_the_name_of_another(local_workspace, call):
    ws = local_workspace.workspace
    one, two = Experiment(ws, "name-one"), Experiment(ws, "name-two")
    assert call("PATCH", f"/experimentids/{one.id}", {"name": "name-two"}).status_code == 409
    renamed = call("PATCH", f"/experimentids/{one.id}", {"name": "name-three"}).json()
    assert (renamed["experimentId"], renamed["name"]) == (one.id, "name-three")
    assert Experiment(ws, "name-two").id == two.id


def test_experiments_come_in_pages(call):
    for number in range(5):
        call("POST", f"/experiments/paged-{number}")
    names, token = [], None
    while True:
        body = {"top": 2, "orderby": "name asc", "continuationToken": token}
        page = call("POST", "/experiments:query", body).json()
        names += [e["name"] for e in page["value"] if e["name"].startswith("paged-")]
        assert len(page["value"]) <= 2
        token = page["continuationToken"]
        if token is None:
            break
    assert names == [f"paged-{number}" for number in range(5)]


@pytest.mark.parametrize(
    "body",
    [
        {"filter": "color eq red"},
        {"filter": "name eq"},
        {"orderby": "tags asc"},
        {"top": 0},
        {"top": "many"},
        {"continuationToken": "nonsense"},
        {"continuationToken": "W10="},
        {"viewType": "Some"},
        [],
        "text",
    ],
)
def test_a_query_that_makes_no_sense_is_answered_with_400(call, body):
    assert call("POST", "/experiments:query", body).status_code == (200 if body == [] else 400)


def test_what_does_not_exist_is_404(call):
    assert call("GET", "/experiments/no-such-experiment").status_code == 404
    assert call("GET", "/experimentids/no-such-id").status_code == 404
    assert call("POST", "/experiments/no-such-experiment/runs:query", {}).status_code == 404
