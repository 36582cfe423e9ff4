"""Interactive runs through the SDK."""

import uuid
from datetime import datetime, timedelta, timezone

import jwt
import pytest
import requests
from azureml._restclient.exceptions import ServiceException
from azureml.core import Experiment, Run

from local_workspace.clock import parse_iso

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture(scope="module")
def experiment(local_workspace):
    return Experiment(local_workspace.workspace, "interactive-runs")


def start(experiment, **options):
    return experiment.start_logging(snapshot_directory=None, **options)


def test_a_run_from_start_to_end(local_workspace, experiment):
    before = datetime.now(timezone.utc)
    run = start(experiment, display_name="My run")
    assert run.get_status() == "Running"
    run.complete()
    assert run.wait_for_completion()["status"] == "Completed"
    found = Run.get(local_workspace.workspace, run.id)
    assert (found.id, found.get_status(), found.display_name) == (run.id, "Completed", "My run")
    assert found.experiment.name == experiment.name
    details = found.get_details()
    begun, ended = (parse_iso(details[key]) for key in ("startTimeUtc", "endTimeUtc"))
    assert before - timedelta(seconds=1) <= begun <= ended <= datetime.now(timezone.utc)
    assert details["submittedBy"] == "Local user"
    # A run that has ended stays as it ended.
    found.cancel()
    assert found.get_status() == "Completed"


def test_runs_of_an_experiment_are_numbered(local_workspace):
    numbered = Experiment(local_workspace.workspace, "numbered-runs")
    assert [start(numbered).number for _ in range(3)] == [1, 2, 3]


def test_a_cancelled_run_can_be_cancelled_again(experiment):
    run = start(experiment)
    run.cancel()
    assert run.get_status() == "Canceled"
    run.cancel()
    assert run.get_status() == "Canceled"


def test_a_failed_run_tells_why(local_workspace, experiment):
    run = start(experiment)
    run.fail(error_details="The disk is full.", error_code="DiskFull")
    assert run.get_status() == "Failed"
    error = Run.get(local_workspace.workspace, run.id).get_details()["error"]["error"]
    assert (error["code"], error["message"]) == ("DiskFull", "The disk is full.")


def test_an_exception_in_a_run_fails_it(experiment):
    run = start(experiment)
    with pytest.raises(ZeroDivisionError), run:
        _ = 1 / 0
    details = run.get_details()
    assert details["status"] == "Failed"
    assert "ZeroDivisionError: division by zero" in details["error"]["error"]["message"]


def test_tags_can_change_and_properties_cannot(local_workspace, experiment):
    run = start(experiment)
    run.tag("stage", "draft")
    run.tag("mark")
    run.set_tags({"stage": "final", "ü": "é", "count": 3})
    run.add_properties({"author": "me", "n": "1"})
    run.add_properties({"author": "me", "more": "2"})
    found = Run.get(local_workspace.workspace, run.id)
    assert found.get_tags() == {"stage": "final", "mark": None, "ü": "é", "count": "3"}
    assert found.get_properties() == {"author": "me", "n": "1", "more": "2"}
    with pytest.raises(ServiceException, match="properties are immutable") as refused:
        run.add_properties({"author": "you", "late": "3"})
    assert refused.value.status_code == 400
    assert run.get_properties() == {"author": "me", "n": "1", "more": "2"}
    run.remove_tags(["stage", "no-such-tag"])
    assert run.get_tags() == {"mark": None, "ü": "é", "count": "3"}
    run.complete()


def test_a_run_can_be_renamed_and_described(local_workspace, experiment):
    run = start(experiment)
    run.display_name = "Another name"
    run.description = "What it was for."
    found = Run.get(local_workspace.workspace, run.id)
    assert (found.display_name, found.description) == ("Another name", "What it was for.")


def test_the_portal_address_of_a_run_is_a_page_of_this_workspace(local_workspace, experiment):
    run = start(experiment)
    address = run.get_portal_url()
    assert address.startswith(f"{local_workspace.origin}/studio/runs/{run.id}?wsid=/subscriptions/")
    assert experiment.get_portal_url().startswith(
        f"{local_workspace.origin}/studio/experiments/id/{experiment.id}?wsid="
    )


def test_runs_are_found_by_what_they_are(local_workspace, call):
    experiment = Experiment(local_workspace.workspace, "found-runs")
    runs = [start(experiment) for _ in range(3)]
    runs[0].tag("stage", 'it\'s "final" and (done)')
    runs[1].tag("mark")
    runs[2].add_properties({"source": "x"})
    runs[0].complete()
    child = runs[1].child_run("child")

    def ids(**filters):
        return [run.id for run in experiment.get_runs(**filters)]

    assert ids() == [runs[2].id, runs[1].id, runs[0].id]
    assert set(ids(include_children=True)) == {child.id, *ids()}
    assert ids(tags={"stage": 'it\'s "final" and (done)'}) == [runs[0].id]
    assert ids(tags={"stage": "other"}) == []
    assert ids(tags="mark") == [runs[1].id]
    assert ids(tags="no-such-tag") == []
    assert ids(properties={"source": "x"}) == [runs[2].id]
    assert ids(properties="source") == [runs[2].id]
    assert ids(type="azureml.scriptrun") == []
    assert [run.id for run in Run.list(experiment, status="Completed")] == [runs[0].id]
    for hours, count in ((-1, 4), (1, 0)):
        moment = datetime.now(timezone.utc) + timedelta(hours=hours)
        query = {"filter": f"(CreatedUtc ge {moment})"}
        page = call("POST", f"/experiments/{experiment.name}/runs:query", query).json()
        assert len(page["value"]) == count


def test_runs_are_found_by_their_compute_target(call, experiment):
    for run_id, target in (("on-one", "one"), ("on-two", "two"), ("also-on-one", "one")):
        path = f"/experiments/{experiment.name}/runs/{run_id}"
        assert call("PATCH", path, {"target": target}).status_code == 200
    page = call("GET", "/computes/one/runs?$top=10&$orderby=RunId asc").json()
    assert [run["runId"] for run in page["value"]] == ["also-on-one", "on-one"]
    page = call("GET", "/computes/one/runs?$filter=RunId eq on-one").json()
    assert [run["runId"] for run in page["value"]] == ["on-one"]
    counts = call("GET", f"/experiments/{experiment.name}/runcounts?$filter=Target eq one").json()
    assert counts == {"totalCount": 2, "runCounts": {"NotStarted": 2}}
    # As Azure does, which lets a client ask for those that are queued or running only.
    path = f"/experiments/{experiment.name}/runs/on-one"
    assert call("PATCH", path, {"status": "Completed"}).status_code == 200
    page = call("GET", "/computes/one/runs").json()
    assert [run["runId"] for run in page["value"]] == ["also-on-one"]


def test_unknown_runs_are_not_found(local_workspace, experiment, call):
    ws = local_workspace.workspace
    with pytest.raises(ServiceException, match="Run with id 'no-such-run' not found") as error:
        Run.get(ws, "no-such-run")
    assert error.value.status_code == 404
    other = Experiment(ws, "another-experiment")
    run = start(experiment)
    assert call("GET", f"/experiments/{other.name}/runs/{run.id}").status_code == 404
    assert call("GET", f"/experimentids/{experiment.id}/runs/{run.id}").status_code == 200
    assert call("PATCH", f"/experiments/{other.name}/runs/{run.id}", {}).status_code == 409


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "Sleeping"},
        {"tags": ["a"]},
        {"tags": {"a": {"b": 1}}},
        {"properties": "text"},
        {"displayName": 5},
        {"startTimeUtc": "yesterday"},
        {"runTypeV2": {"traits": 5}},
        {"runTypeV2": "text"},
        {"inputDatasets": 5},
        [],
    ],
)
def test_a_change_that_makes_no_sense_is_refused(call, experiment, changes):
    run_id = str(uuid.uuid4())
    answer = call("PATCH", f"/experiments/{experiment.name}/runs/{run_id}", changes)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "UserError"
    assert call("GET", f"/runs/{run_id}").status_code == 404


@pytest.mark.parametrize("run_id", ["-dash", "with%20blank", "x" * 257, "%C3%BC"])
def test_an_id_that_cannot_be_one_is_refused(call, experiment, run_id):
    answer = call("PATCH", f"/experiments/{experiment.name}/runs/{run_id}", {})
    assert answer.status_code == 400
    assert "cannot be the id of a run" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "event",
    [
        None,
        {"name": "Microsoft.MachineLearning.Run.Exploded"},
        {"name": "Start"},
        {"name": "Microsoft.MachineLearning.Run.Error", "data": {}},
        {"name": "Microsoft.MachineLearning.Run.Start", "data": "text"},
        {"name": "Microsoft.MachineLearning.Run.Start", "data": {"StartTime": "soon"}},
    ],
)
def test_an_event_that_makes_no_sense_is_refused(call, experiment, event):
    run = start(experiment)
    answer = call("POST", f"/experiments/{experiment.name}/runs/{run.id}/events", event)
    assert answer.status_code == 400, answer.text


def test_warnings_are_kept_once(call, experiment):
    run = start(experiment)
    warning = {
        "name": "Microsoft.MachineLearning.Run.Warning",
        "data": {"RunId": run.id, "Source": "Test", "Message": "Careful."},
    }
    for _ in range(2):
        path = f"/experiments/{experiment.name}/runs/{run.id}/events"
        assert call("POST", path, warning).status_code == 200
    assert run.get_details()["warnings"] == [{"source": "Test", "message": "Careful."}]


def test_the_token_of_a_run_is_renewed_and_is_its_own(call, local_workspace, experiment):
    run = start(experiment)
    answer = call("GET", f"/experiments/{experiment.name}/runs/{run.id}/token").json()
    claims = jwt.decode(answer["token"], options={"verify_signature": False})
    assert claims["run"] == run.id
    end = parse_iso(answer["expiryTimeUtc"])
    assert end == datetime.fromtimestamp(claims["exp"], timezone.utc) > datetime.now(timezone.utc)
    path = f"{local_workspace.origin}/history/v1.0{local_workspace.settings.scope}/runs/{run.id}"
    headers = {"Authorization": f"Bearer {answer['token']}"}
    assert requests.get(path, headers=headers, timeout=10).json()["runId"] == run.id


def test_runs_outlive_the_server(local_workspace, experiment):
    run = start(experiment)
    run.log("kept", 1.5)
    run.flush()
    local_workspace.kill()
    local_workspace.start(local_workspace.settings.port)
    found = Run.get(local_workspace.workspace, run.id)
    assert found.get_status() == "Running"
    assert found.get_metrics() == {"kept": 1.5}
    found.complete()


def test_the_address_of_a_file_alone_is_text(experiment, folder, call):
    run = start(experiment)
    (folder / "note.txt").write_text("words")
    run.upload_file("note.txt", str(folder / "note.txt"))
    for path in ("artifacturi?path=note.txt", "artifacturi/note.txt"):
        answer = call("GET", f"/experiments/{experiment.name}/runs/{run.id}/artifacts/{path}")
        address = answer.json()
        assert isinstance(address, str)
        assert requests.get(address, headers={"x-ms-version": "2020-04-08"}).text == "words"
    run.complete()
