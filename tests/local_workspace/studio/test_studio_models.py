"""The pages of registered models, made by the SDK."""

import pytest
from azureml.core import Experiment, Model
from studio_browser import Browser, facts, rows, text


@pytest.fixture(scope="module")
def run(ws, module_folder):
    """A run whose folder outputs/model is the second version of a model."""
    folder = module_folder
    (folder / "weights.txt").write_text("first")
    Model.register(
        ws,
        "weights.txt",
        "studio-model",
        tags={"kind": "<b>first</b>"},
        description="What <b>it</b> is for",
        model_framework="ScikitLearn",
        model_framework_version="1.1.3",
    )
    run = Experiment(ws, "studio-models").start_logging(snapshot_directory=None)
    (folder / "weights.txt").write_text("second")
    (folder / "MLmodel").write_text("flavors: {}")
    for name in ("weights.txt", "MLmodel"):
        run.upload_file(f"outputs/model/{name}", str(folder / name))
    run.upload_file("outputs/model-notes.txt", str(folder / "weights.txt"))
    run.complete()
    run.register_model("studio-model", "outputs/model", properties={"author": "me"})
    return run


def test_models_and_their_versions(browser, run):
    listed = rows(browser.page("/studio/models"), "Registered models, each in its latest version")
    (row,) = [row for row in listed if row["Name"] == "studio-model"]
    assert row["Version"] == "2"
    page = browser.page("/studio/models/studio-model")
    assert text(page.h1) == "studio-model version 2"
    assert rows(page, "Properties") == [{"Name": "author", "Value": "me"}]
    versions = rows(page, "All versions, the newest first")
    assert [(row["Version"], row["Run"]) for row in versions] == [("2", run.id), ("1", "–")]
    first = browser.page(page.find("a", string="1")["href"])
    assert facts(first)["Framework"] == "ScikitLearn 1.1.3"
    assert rows(first, "Tags") == [{"Name": "kind", "Value": "<b>first</b>"}]
    assert text(first.find(class_="text")) == "What <b>it</b> is for"
    for missing in ("studio-model?version=9", "studio-model?version=x", "none"):
        assert "not found" in text(browser.page(f"/studio/models/{missing}", status=404).main)


def test_the_files_of_a_version(local_workspace, browser, run):
    page = browser.page("/studio/models/studio-model?version=2")
    names = {row["Path"] for row in rows(page, "Files of version 2")}
    # Not outputs/model-notes.txt, which only begins alike.
    assert names == {"outputs/model/MLmodel", "outputs/model/weights.txt"}
    link = page.find("a", string="outputs/model/weights.txt")["href"]
    answer = browser.get(link)
    assert answer.text == "second"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert Browser(local_workspace).get(link).status_code == 401
    first = browser.page("/studio/models/studio-model?version=1")
    (file,) = rows(first, "Files of version 1")
    assert browser.get(first.find("a", string=file["Path"])["href"]).text == "first"
    other = browser.page(link.replace("model/weights.txt", "model-notes.txt"), status=404)
    assert "is no file of the model 'studio-model:2'" in text(other.main)


def test_the_page_of_the_run_names_its_models(browser, run):
    page = browser.page(run.get_portal_url())
    links = [text(item) for item in page.find(id="models").parent("li")]
    assert links == ["studio-model, version 2"]
