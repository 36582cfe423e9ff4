"""MLflow's own web pages, served to browsers that have signed in."""

import json
import re

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
