"""Child runs through the SDK."""

import pytest
from azureml.core import Experiment, Run

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture(scope="module")
def parent(local_workspace):
    experiment = Experiment(local_workspace.workspace, "parents-and-children")
    return experiment.start_logging(snapshot_directory=None)


def test_children_and_their_children(local_workspace, parent):
    child = parent.child_run("child")
    grandchild = child.child_run("grandchild")
    assert child.parent.id == parent.id
    assert grandchild._root_run_id == parent.id
    assert [run.id for run in parent.get_children()] == [child.id]
    assert {run.id for run in parent.get_children(recursive=True)} == {child.id, grandchild.id}
    assert [run.id for run in child.get_children(recursive=True)] == [grandchild.id]
    child.log("depth", 1)
    grandchild.log("depth", 2)
    for run in (grandchild, child):
        run.complete()
    assert parent.get_metrics(name="depth", recursive=True) == {
        child.id: {"depth": 1},
        grandchild.id: {"depth": 2},
    }


def test_many_children_at_once(local_workspace, parent):
    parent = parent.child_run("of-many")
    children = parent.create_children(count=100)
    assert len({run.id for run in children}) == 100
    found = list(parent.get_children())
    assert {run.id for run in found} == {run.id for run in children}
    assert {run.get_status() for run in children[:2]} == {"Running"}
    tagged = parent.create_children(tag_key="size", tag_values=["s", "m", "l"])
    assert [run.get_tags() for run in tagged] == [{"size": v} for v in "sml"]
    assert [run.id for run in parent.get_children(tags={"size": "m"})] == [tagged[1].id]


def test_a_context_ends_its_child(parent):
    with parent.child_run() as child:
        child.log("x", 1)
    assert child.get_status() == "Completed"


def test_children_of_an_unknown_parent_are_refused(local_workspace, parent, call):
    def create(run_id, parent_id):
        return {"runId": run_id, "parentRunId": parent_id}

    answer = call(
        "PATCH",
        f"/experiments/{parent.experiment.name}/batch/runs",
        {"runs": [create("orphan", "no-such-run"), create("kept-child", parent.id)]},
    ).json()
    assert list(answer["runs"]) == ["kept-child"]
    assert "'no-such-run' not found" in answer["errors"]["orphan"]["error"]["message"]
    assert Run.get(local_workspace.workspace, "kept-child").parent.id == parent.id


def test_events_of_several_runs(parent, call):
    runs = parent.create_children(count=2)
    name = "Microsoft.MachineLearning.Run.Completed"
    events = [{"name": name, "data": {"RunId": run.id}} for run in runs]
    events.append({"name": name, "data": {"RunId": "no-such-run"}})
    answer = call(
        "POST",
        f"/experiments/{parent.experiment.name}/batch/events",
        {"events": events},
    ).json()
    assert [run.get_status() for run in runs] == ["Completed", "Completed"]
    [error] = answer["errors"]
    assert error["key"] == events[2]
    assert "'no-such-run' not found" in error["value"]["error"]["message"]
