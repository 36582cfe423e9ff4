"""The pages of experiments and of interactive runs, made by the SDK."""

import base64
from datetime import datetime, timedelta, timezone

import pytest
from azureml.core import Experiment
from studio_browser import Browser, facts, rows, text

from local_workspace.services import run_history
from local_workspace.services.run_history.parsing import run_changes

# A picture of one pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
SCRIPT = "<script>alert('x')</script>"
MATRIX = {
    "schema_type": "confusion_matrix",
    "schema_version": "1.0.0",
    "data": {"class_labels": ["no", "yes"], "matrix": [[50, 3], [4, 43]]},
}

# The SDK notes the git repository it stands in, and keeps ./outputs.
pytestmark = pytest.mark.usefixtures("module_folder")


@pytest.fixture(scope="module")
def experiment(ws):
    return Experiment(ws, "studio-runs")


def start(experiment, **options):
    return experiment.start_logging(snapshot_directory=None, **options)


@pytest.fixture(scope="module")
def run(experiment, tmp_path_factory):
    """A run with metrics, tags and files of every kind, all with markup in their names."""
    folder = tmp_path_factory.mktemp("files")
    run = start(experiment, display_name=f"Run {SCRIPT}")
    run.description = f"First line {SCRIPT}\nsecond line"
    run.set_tags({"stage": "final", "markup": SCRIPT, "mark": None})
    run.add_properties({"author": SCRIPT})
    run.log("accuracy", 0.9375)
    run.log("not a number", float("nan"))
    for step, value in enumerate((4.0, 2.0, 1.0)):
        run.log("loss", value, step=10 * step)
    run.log_list("primes", [2, 3, 5])
    run.log_list("words", ["plain", SCRIPT])
    run.log_row("angles", angle=1, sine=0.5)
    run.log_row("angles", angle=2, sine=0.25)
    run.log_confusion_matrix("hits", MATRIX)
    (folder / "plot.png").write_bytes(PNG)
    run.log_image("plot", path=str(folder / "plot.png"))
    for name, content in {
        "page.html": SCRIPT,
        "drawing.svg": f'<svg xmlns="http://www.w3.org/2000/svg">{SCRIPT}</svg>',
        "model.pkl": "\x80\x04",
        "a b & ü.csv": "a,b\n1,2\n",
    }.items():
        (folder / name).write_text(content)
        run.upload_file(f"outputs/{name}", str(folder / name))
    (folder / "std_log.txt").write_text(f"epoch 1 {SCRIPT}\nepoch 2 é\n")
    run.upload_file("user_logs/std_log.txt", str(folder / "std_log.txt"))
    child = run.child_run("a child")
    child.log("accuracy", 0.5)
    child.complete()
    run.complete()
    return run


def test_the_portal_address_opens_the_page_of_the_run(browser, run, experiment):
    page = browser.page(run.get_portal_url())
    assert text(page.h1) == f"Run {SCRIPT} Completed"
    shown = facts(page)
    assert (shown["Id"], shown["Type"], shown["By"]) == (run.id, "interactive", "Local user")
    assert shown["Duration"].endswith(" s") and shown["Began"].endswith(" UTC")
    assert rows(page, "Numbers") == [
        {"Metric": "accuracy", "Value": "0.9375"},
        {"Metric": "not a number", "Value": "NaN"},
    ]
    tags = {row["Name"]: row["Value"] for row in rows(page, "Tags")}
    assert tags == {"stage": "final", "markup": SCRIPT, "mark": "–"}
    assert rows(page, "Properties") == [{"Name": "author", "Value": SCRIPT}]
    assert page.find(id="log").get_text() == f"epoch 1 {SCRIPT}\nepoch 2 é\n"
    assert page.find(class_="text").get_text() == f"First line {SCRIPT}\nsecond line"
    children = rows(page, "Child runs, the newest first")
    assert [(row["Run"], row["Status"], row["accuracy"]) for row in children] == [
        ("a child", "Completed", "0.5")
    ]
    # It has ended: nothing to cancel, nothing to ask for again.
    assert not page.select("form[action$=cancel]") and not page.select("[data-running]")


def test_nothing_of_a_user_is_markup_on_a_page(browser, run, experiment):
    for address in (
        run.get_portal_url(),
        experiment.get_portal_url(),
        "/studio/",
        f"/studio/runs/{run.id}/metric?name=words",
        f"/studio/runs/{run.id}?log=user_logs/std_log.txt",
    ):
        answer = browser.get(address)
        assert answer.status_code == 200
        assert "alert(" in answer.text or "/metric" in address
        assert "<script>alert" not in answer.text


def test_metrics_have_charts_tables_and_pictures(browser, run):
    page = browser.page(run.get_portal_url())
    figures = {text(figure.figcaption): figure for figure in page("figure")}
    loss = figures["loss 3 values, last 1"]
    assert loss.svg["aria-label"] == "Line chart of loss"
    (line,) = loss.svg("polyline")
    places = [tuple(map(float, point.split(","))) for point in line["points"].split(" ")]
    assert [y for _, y in places] == sorted(y for _, y in places) and len(places) == 3
    assert [text(t) for t in loss.svg("text")][-3:] == ["0", "20", "step"]
    assert "primes 3 values, last 5" in figures
    assert rows(page, "angles") == [
        {"angle": "1", "sine": "0.5"},
        {"angle": "2", "sine": "0.25"},
    ]
    assert rows(page, "words") == [{"words": "plain"}, {"words": SCRIPT}]
    assert rows(page, "hits") == [
        {"true \\ predicted": "no", "no": "50", "yes": "3"},
        {"true \\ predicted": "yes", "no": "4", "yes": "43"},
    ]
    picture = browser.get(figures["plot"].img["src"])
    assert (picture.content, picture.headers["content-type"]) == (PNG, "image/png")


def test_a_metric_value_by_value(browser, run):
    page = browser.page(f"/studio/runs/{run.id}/metric?name=loss")
    values = rows(page, "Values in the order of logging, times in UTC")
    assert [(row["step"], row["loss"]) for row in values] == [("0", "4"), ("10", "2"), ("20", "1")]
    missing = browser.page(f"/studio/runs/{run.id}/metric?name=nothing", status=404)
    assert "has no metric 'nothing'" in text(missing.main)


def test_files_cannot_act_as_pages(browser, run):
    page = browser.page(run.get_portal_url())
    files = {
        text(link): link["href"]
        for link in page.select("tbody th a")
        if text(link).startswith("outputs/")
    }
    assert sorted(files) == [
        "outputs/a b & ü.csv",
        "outputs/drawing.svg",
        "outputs/model.pkl",
        "outputs/page.html",
    ]
    kinds = {
        "outputs/page.html": ("text/plain; charset=utf-8", "inline"),
        "outputs/a b & ü.csv": ("text/plain; charset=utf-8", "inline"),
        "outputs/drawing.svg": ("image/svg+xml", "inline"),
        "outputs/model.pkl": ("application/octet-stream", "attachment"),
    }
    for name, (media_type, disposition) in kinds.items():
        answer = browser.get(files[name])
        assert answer.status_code == 200
        assert answer.headers["content-type"] == media_type
        assert answer.headers["content-disposition"].startswith(disposition)
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
    saved = browser.get(files["outputs/page.html"] + "?download=true")
    assert saved.headers["content-disposition"].startswith("attachment")
    assert saved.text == SCRIPT
    outside = browser.page(f"/studio/runs/{run.id}/files/..%2f..%2fworkspace.json", status=404)
    assert "'workspace.json' not found" in text(outside.main)
    assert browser.get("/studio/..%2f..%2fworkspace.json").status_code == 400
    assert browser.get(f"/studio/runs/{run.id}/files/outputs/none.txt").status_code == 404


def test_files_and_logs_need_a_session(local_workspace, run):
    stranger = Browser(local_workspace)
    for path in (
        "/files/outputs/page.html",
        "/log?path=user_logs/std_log.txt",
        "/metric?name=loss",
    ):
        assert stranger.get(f"/studio/runs/{run.id}{path}").status_code == 401


def test_a_log_is_read_from_where_it_ended(browser, run):
    address = f"/studio/runs/{run.id}/log?path=user_logs/std_log.txt&start="
    whole = f"epoch 1 {SCRIPT}\nepoch 2 é\n"
    assert browser.get(address + "0").json() == {
        "text": whole,
        "next": len(whole.encode()),
        "ended": True,
    }
    assert browser.get(address + "8").json()["text"] == whole[8:]
    assert browser.get(address + "999999").json()["text"] == ""
    assert browser.get(address + "-1").status_code == 400


def test_a_long_log_begins_near_its_end(browser, experiment, tmp_path):
    run = start(experiment)
    lines = [f"line {number} of a long log é" for number in range(20_000)]
    (tmp_path / "long.txt").write_text("\n".join(lines))
    run.upload_file("user_logs/std_log.txt", str(tmp_path / "long.txt"))
    run.complete()
    page = browser.page(run.get_portal_url())
    shown = page.find(id="log").get_text().split("\n")
    assert shown == lines[-len(shown) :] and 1000 < len(shown) < 10_000
    assert text(page.find(id="log").find_previous("p")) == "The end of the file; all of it ."


def test_a_failed_run_shows_its_traceback(browser, experiment):
    run = start(experiment)
    run.fail(error_details=f"ValueError: {SCRIPT}\n  File 'train.py'", error_code="Broken")
    page = browser.page(run.get_portal_url())
    assert text(page.find(id="error")) == "Error: Broken"
    assert page.select_one("pre.notice").get_text() == f"ValueError: {SCRIPT}\n  File 'train.py'"


def test_a_traceback_beside_the_message_is_shown_too(opened, browser, experiment):
    run = start(experiment)
    with opened.database.write() as session:
        error = {"message": "It broke.", "debugInfo": {"stackTrace": "line 7, in main\n"}}
        run_history.set_status(session, run.id, "Failed", error=error)
    page = browser.page(run.get_portal_url())
    assert page.select_one("pre.notice").get_text() == "It broke.\n\nline 7, in main"


def test_odd_documents_of_clients_do_not_break_a_page(opened, browser, experiment):
    run = start(experiment)
    with opened.database.write() as session:
        changes = {
            "inputDatasets": ["x", {"identifier": 5, "inputDetails": "y"}, {"identifier": None}],
            "outputDatasets": [{"identifier": {"savedId": 7}}],
            "runDefinition": {
                "script": 5,
                "arguments": "a b",
                "environment": {"name": ["odd"], "version": {}},
                "nodeCount": "2",
                "mpi": 3,
                "maxRunDurationSeconds": "soon",
            },
        }
        run_history.upsert_run(session, "studio-runs", run.id, run_changes(changes))
        run_history.get_run(session, run.id).error = {"error": {"innerError": 3, "debugInfo": [1]}}
    run.complete()
    page = browser.page(run.get_portal_url())
    assert facts(page)["Script"] == "5" and text(page.find(id="error")) == "Error: Error"
    assert len(rows(page, "Inputs")) == 3
    with opened.database.write() as session:
        # The SDK, unlike a page, cannot read a list of runs with this one in it.
        row = run_history.get_run(session, run.id)
        row.error, row.input_datasets, row.output_datasets = None, [], []


def test_data_that_mlflow_noted(opened, browser, experiment):
    run = start(experiment)
    with opened.database.write() as session:
        document = {"dataset": {"name": "rows <b>", "digest": "d1gest"}, "tags": []}
        run_history.add_mlflow_inputs(session, run.id, [document])
    run.complete()
    (given,) = rows(browser.page(run.get_portal_url()), "Inputs")
    assert given == {"Name": "rows <b>", "Dataset": "d1gest", "How": "MLflow"}


def test_runs_and_experiments_lead_to_mlflow(browser, run, experiment):
    address = f"/studio/mlflow/#/experiments/{experiment.id}"
    page = browser.page(experiment.get_portal_url())
    assert page.find("a", string="Compare them in MLflow")["href"] == address
    page = browser.page(run.get_portal_url())
    assert page.find("a", string="This run in MLflow")["href"] == f"{address}/runs/{run.id}"


def test_pages_that_are_not_there_say_what_to_do(browser, run):
    for address, said in {
        "/studio/runs/no-such-run": "Run with id 'no-such-run' not found.",
        "/studio/experiments/no-such": "Experiment 'no-such' not found.",
        "/studio/experiments/id/none": "Experiment with id 'none' not found.",
        "/studio/nothing/here": "There is no page 'nothing/here' in this workspace.",
        "/studio/datasets/none": "There is no dataset registered as 'none'",
        "/studio/environments/none": "There is no environment 'none'",
    }.items():
        page = browser.page(address, status=404)
        assert text(page.h1) == "Not found"
        assert said in text(page.main) and "python -m local_workspace config" in text(page.main)
    other = run.get_portal_url().replace("/workspaces/", "/workspaces/another-")
    assert "one of another workspace" in text(browser.page(other, status=404).main)


def test_an_address_of_mlflow_leads_to_the_run(local_workspace, browser, run):
    scope = local_workspace.settings.scope
    answer = browser.get(f"/studio{scope}/experiments/studio-runs/runs/{run.id}")
    assert answer.url.endswith(f"/studio/runs/{run.id}")
    assert answer.status_code == 200


@pytest.fixture(scope="module")
def many(ws, opened):
    """An experiment with 120 runs, put where the server keeps them."""
    with opened.database.write() as session:
        experiment = run_history.ensure_experiment(session, "studio-many")
        for number in range(120):
            run_history.upsert_run(
                session,
                experiment,
                f"many_{number:03d}",
                run_history.RunChanges(
                    status="Failed" if number % 3 == 0 else "Completed",
                    start_time=START + timedelta(seconds=number),
                    tags={"kind": "even" if number % 2 == 0 else "odd"},
                    parent_run_id="many_000" if number >= 110 else None,
                ),
            )
    return Experiment(ws, "studio-many")


def names_on(page):
    return [row["Run"] for row in rows(page, "Runs, 50 on a page")]


def test_pages_of_fifty_runs(browser, many):
    page = browser.page(many.get_portal_url())
    assert "Completed 80" in text(page.main) and "Failed 40" in text(page.main)
    seen = []
    while True:
        seen.append(names_on(page))
        following = page.find("a", string="Next page")
        if following is None:
            break
        page = browser.page(following["href"])
    assert [len(names) for names in seen] == [50, 50, 10]
    # Newest first, without child runs.
    assert [*seen[0], *seen[1], *seen[2]] == [f"many_{number:03d}" for number in range(109, -1, -1)]
    first = browser.page(page.find("a", string="First page")["href"])
    assert names_on(first) == seen[0]


def test_runs_are_filtered_and_sorted(browser, many):
    address = many.get_portal_url().split("?")[0]

    def shown(**query):
        return browser.page(browser.get(address, params=query).url)

    page = shown(status="Failed", order="StartTimeUtc asc", filter="Tags/kind eq 'even'")
    assert names_on(page) == [f"many_{number:03d}" for number in range(0, 110, 6)]
    assert page.select_one("option[selected]").get_text() == "Failed"
    assert page.find("input", {"name": "filter"})["value"] == "Tags/kind eq 'even'"
    with_children = shown(children="true", filter="ParentRunId eq 'many_000'")
    assert len(names_on(with_children)) == 10
    assert "No run of this experiment is like that." in shown(filter="RunId eq 'none'").text
    for wrong in ({"filter": "Tags/kind eq"}, {"order": "Colour asc"}, {"continuation": "x"}):
        assert shown(**wrong).find(role="alert").get_text()
    odd = f"/studio/experiments/studio-many?children={SCRIPT}"
    assert "a wrong value for: children" in text(browser.page(odd, status=400).main)


def test_the_experiments_list_counts_runs(browser, many, run):
    listed = rows(browser.page("/studio/experiments"), "Experiments, the newest first")
    by_name = {row["Name"]: row for row in listed}
    assert by_name["studio-many"]["Runs"] == "Failed 40 Completed 80" or (
        by_name["studio-many"]["Runs"] == "Completed 80 Failed 40"
    )
    archived = Experiment(many.workspace, "studio-archived")
    archived.archive()
    assert "studio-archived" not in browser.get("/studio/experiments").text
    assert "studio-archived archived" in text(
        browser.page("/studio/experiments?archived=true").main
    )
