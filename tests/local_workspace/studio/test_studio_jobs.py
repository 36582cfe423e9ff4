"""The page of a submitted run, from its first line to its end."""

import re

from azureml.core import Dataset
from execution_helpers import GATE, wait_for, wait_until
from studio_browser import Browser, facts, rows, text

SCRIPT = (
    GATE
    + """\
import sys
from azureml.core import Run
run = Run.get_context()
print("first line <b>", flush=True)
wait_for(sys.argv[2])
run.log("score", 0.75)
print("last line", flush=True)
"""
)


def test_a_run_is_followed_while_it_runs(lab, browser, tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    store = lab.ws.get_default_datastore()
    files = Dataset.File.upload_directory(str(tmp_path), (store, "studio"), pattern="rows.csv")
    dataset = files.register(lab.ws, "studio rows", create_new_version=True)
    run = lab.submit(SCRIPT, "--gate", str(lab.gate()), "--data", dataset.as_named_input("rows"))
    address = f"/studio/runs/{run.id}"

    def log_shown():
        page = browser.page(address)
        log = page.find(id="log")
        return page if log is not None and "first line" in log.get_text() else None

    page = wait_until(log_shown)
    assert text(page.h1) == f"{run.id} Running"
    assert page.find(id="run").has_attr("data-running")
    assert page.select_one("form[action$=cancel]")["method"] == "post"
    log = page.find(id="log")
    assert log["data-path"] == "user_logs/std_log.txt"
    assert "first line <b>\n" in log.get_text()
    assert "Nothing was logged yet." in text(page.main)
    lab.gate().touch()

    def rest():
        query = {"path": log["data-path"], "start": log["data-next"]}
        part = browser.get(f"{address}/log", params=query).json()
        return part if "last line" in part["text"] else None

    assert wait_until(rest)["text"].startswith("last line\n")
    assert wait_for(run) == "Completed"
    page = browser.page(run.get_portal_url())
    assert rows(page, "Numbers") == [{"Metric": "score", "Value": "0.75"}]
    shown = facts(page)
    assert shown["Script"] == "train.py" and shown["Compute"] == "cpu"
    assert shown["Arguments"].startswith(f"--gate {lab.gate()} --data ")
    environment = page.find("a", string=re.compile("own, version Autosave_"))
    assert text(browser.page(environment["href"]).h1).startswith("own")
    (given,) = rows(page, "Inputs")
    assert (given["Name"], given["How"]) == ("rows", "Direct")
    assert given["Dataset"] == f"studio rows, version {dataset.version}"
    assert "first line <b>\n" in page.find(id="log").get_text()
    assert not page.select("[data-running]")
    assert text(browser.page("/studio/compute").main).count("cpu")


def test_a_run_is_canceled_by_a_form_of_its_page(lab, browser):
    run = lab.submit(SCRIPT, "--gate", str(lab.gate()))
    wait_for(run, "Running")
    address = f"/studio/runs/{run.id}/cancel"
    # Not by an address, nor by a form that is not one of this session.
    assert browser.get(address).status_code == 404
    assert browser.post(address).status_code == 403
    assert browser.post(address, data={"form_token": "0" * 32}).status_code == 403
    assert Browser(lab.server).post(address).status_code == 401
    assert run.get_status() == "Running"
    form = browser.page(f"/studio/runs/{run.id}").select_one("form[action$=cancel]")
    assert form["action"] == address
    answer = browser.post(address, data={"form_token": form.input["value"]})
    assert answer.history[0].status_code == 303 and answer.url.endswith(run.id)
    assert wait_until(lambda: run.get_status() == "Canceled")
    assert text(browser.page(run.get_portal_url()).h1) == f"{run.id} Canceled"
