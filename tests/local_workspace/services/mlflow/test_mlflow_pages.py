"""MLflow's own web pages, served to browsers that have signed in."""

import json
import re
import tempfile
from pathlib import Path

import pytest
from azureml.core import Experiment
from studio_browser import Browser

API = "/studio/mlflow/ajax-api/2.0/mlflow"


@pytest.fixture(scope="module")
def run(ws, module_folder):
    """A run of the SDK with a metric and a file that is a page."""
    page = module_folder / "page.html"
    page.write_text("<script>alert('x')</script>")
    experiment = Experiment(ws, "mlflow-pages")
    run = experiment.start_logging(snapshot_directory=None)
    for step in range(5):
        run.log("loss", 1 / (step + 1), step=step)
    run.upload_file("outputs/page.html", str(page))
    run.complete()
    return run


def test_the_pages_and_their_scripts_are_there(browser):
    page = browser.get("/studio/mlflow/")
    assert page.status_code == 200 and '<div id="root"' in page.text
    scripts = re.findall(r'src="([^"]+\.js)"', page.text)
    assert scripts
    for script in scripts:
        answer = browser.get(f"/studio/mlflow/{script}")
        assert answer.status_code == 200 and "javascript" in answer.headers["Content-Type"]


def test_they_show_every_run(browser, run):
    question = {"experiment_ids": [run.experiment.id], "order_by": ["metrics.loss ASC"]}
    [found] = browser.post(f"{API}/runs/search", json=question).json()["runs"]
    assert found["info"]["run_id"] == run.id
    assert found["data"]["metrics"][0]["value"] == 0.2
    history = browser.get(
        f"{API}/metrics/get-history-bulk-interval",
        params={"run_ids": run.id, "metric_key": "loss", "max_results": 100},
    ).json()["metrics"]
    assert [one["value"] for one in history] == [1, 0.5, 1 / 3, 0.25, 0.2]
    names = browser.get(f"{API}/experiments/search", params={"max_results": 100}).json()
    assert "mlflow-pages" in [one["name"] for one in names["experiments"]]


def test_files_are_listed_and_cannot_act_as_pages(browser, run):
    listed = browser.get(f"{API}/artifacts/list", params={"run_id": run.id, "path": "outputs"})
    assert listed.json()["files"] == [
        {"path": "outputs/page.html", "is_dir": False, "file_size": 27}
    ]
    answer = browser.get(
        "/studio/mlflow/get-artifact", params={"run_id": run.id, "path": "outputs/page.html"}
    )
    assert answer.text == "<script>alert('x')</script>"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_files_are_not_copied_to_be_looked_at(browser, run):
    def copies():
        return list(Path(tempfile.gettempdir()).glob("*/outputs/page.html"))

    before = copies()
    for _ in range(3):
        file = {"run_id": run.id, "path": "outputs/page.html"}
        assert browser.get("/studio/mlflow/get-artifact", params=file).status_code == 200
    assert copies() == before


def test_files_of_a_model_are_shown(browser, run):
    model = run.register_model("shown-by-mlflow", model_path="outputs")
    answer = browser.get(
        "/studio/mlflow/model-versions/get-artifact",
        params={"name": model.name, "version": model.version, "path": "page.html"},
    )
    assert answer.text == "<script>alert('x')</script>"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("page", "question"),
    [
        ("get-artifact", {"path": "outputs/none.txt"}),
        ("get-artifact", {"run_id": "no-such-run", "path": "x"}),
        ("model-versions/get-artifact", {"name": "none", "version": "1", "path": "x"}),
        ("ajax-api/2.0/mlflow-artifacts/artifacts/x", {}),
    ],
)
def test_what_is_not_there_is_404(browser, run, page, question):
    question = {"run_id": run.id, **question}
    answer = browser.get(f"/studio/mlflow/{page}", params=question)
    assert answer.status_code == 404 and len(answer.json()["error"]["message"]) > 20


@pytest.mark.parametrize("path", ["", "../../x", "/"])
def test_what_is_no_path_of_a_file_is_refused(browser, run, path):
    question = {"run_id": run.id, "path": path}
    assert browser.get("/studio/mlflow/get-artifact", params=question).status_code == 400


def test_nothing_is_shown_without_signing_in(local_workspace, run):
    stranger = Browser(local_workspace)
    page = stranger.get("/studio/mlflow/", allow_redirects=False)
    assert page.status_code == 303 and page.headers["Location"] == "/studio/"
    answer = stranger.post(f"{API}/runs/search", json={"experiment_ids": [run.experiment.id]})
    assert answer.status_code == 401 and "open" in json.loads(answer.text)["message"]


def test_the_address_that_mlflow_prints_leads_there(local_workspace, browser):
    uri = local_workspace.workspace.get_mlflow_tracking_uri()
    address = uri.replace("azureml://", "https://").rstrip("?") + "/"
    answer = browser.get(address, allow_redirects=False)
    assert answer.status_code == 302 and answer.headers["Location"] == "/studio/mlflow/"


def test_short_addresses_lead_to_the_pages(local_workspace):
    stranger = Browser(local_workspace)
    for address, page in (("/", "/studio/"), ("/studio/mlflow", "/studio/mlflow/")):
        answer = stranger.get(address, allow_redirects=False)
        assert answer.status_code == 302 and answer.headers["Location"] == page
