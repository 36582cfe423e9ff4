"""The pages of datasets, datastores, compute targets and environments; every link of every page."""

import re
from collections import Counter

import pytest
from azureml.core import Dataset, Environment, Experiment
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.core.conda_dependencies import CondaDependencies
from bs4 import BeautifulSoup
from studio_browser import check_html, facts, rows, text


@pytest.fixture(scope="module")
def dataset(ws):
    """A dataset with two versions."""
    store = ws.get_default_datastore()
    for path in ("one/*.csv", "two/*.csv"):
        dataset = Dataset.File.from_files((store, path), validate=False).register(
            ws,
            "studio files",
            description="All <b>files</b>",
            tags={"format": "CSV"},
            create_new_version=True,
        )
    return dataset


@pytest.fixture(scope="module")
def cluster(ws):
    configuration = AmlCompute.provisioning_configuration("STANDARD_DS11_V2", max_nodes=3)
    cluster = ComputeTarget.create(ws, "studio-cluster", configuration)
    yield cluster
    cluster.delete()


@pytest.fixture(scope="module")
def environment(ws):
    environment = Environment("studio-environment")
    environment.python.conda_dependencies = CondaDependencies.create(
        conda_packages=["numpy"], pip_packages=["azureml-defaults", "scikit-learn==1.1.3"]
    )
    environment.docker.base_image_registry.address = "registry.example"
    environment.docker.base_image_registry.username = "me"
    environment.docker.base_image_registry.password = "hush-hush"
    return environment.register(ws)


def test_datasets_and_their_versions(browser, dataset):
    listed = rows(
        browser.page("/studio/datasets?after=studio%20f"),
        "Registered datasets, each in its latest version",
    )
    (row,) = [row for row in listed if row["Name"] == "studio files"]
    assert (row["Version"], row["Type"]) == ("2", "file")
    assert row["Description"] == "All <b>files</b>"
    page = browser.page("/studio/datasets/studio%20files")
    assert text(page.h1) == "studio files version 2"
    assert rows(page, "Tags") == [{"Name": "format", "Value": "CSV"}]
    assert facts(page)["Id"] == dataset.id
    assert "two/*.csv" in page.find(id="definition").find_next("pre").get_text()
    versions = rows(page, "All versions, the newest first")
    assert [row["Version"] for row in versions] == ["2", "1"]
    first = browser.page(page.find("a", string="1")["href"])
    assert "one/*.csv" in first.find(id="definition").find_next("pre").get_text()
    missing = browser.page("/studio/datasets/studio%20files?version=9", status=404)
    assert "has no version '9'" in text(missing.main)


def test_datastores_without_their_keys(local_workspace, browser):
    answer = browser.get("/studio/datastores")
    assert local_workspace.settings.storage_key not in answer.text
    # Other tests have made more datastores than go on a page.
    page = browser.page("/studio/datastores?after=workspacea")
    (caption,) = [text(table.caption) for table in page("table")]
    listed = {row["Name"]: row for row in rows(page, caption)}
    default = listed["workspaceblobstore default"]
    assert default["Sign-in"] == "AccountKey"
    assert default["Folder"].startswith(str(local_workspace.paths.blobs))
    assert listed["workspacefilestore"]["Folder"] == "–"


def test_compute_targets(browser, cluster):
    page = browser.page("/studio/compute")
    section = page.find("h2", string="studio-cluster").parent
    shown = facts(section)
    assert shown["Size"].lower() == "standard_ds11_v2" and shown["Nodes"] == "0 now, from 0 to 3"
    assert shown["On Azure a node has"] == "2 vCPUs, 14 GB"
    assert "No nodes: they start when a run is submitted." in text(section)


def test_environments_and_their_packages(browser, environment):
    listed = rows(
        browser.page("/studio/environments?after=studio-e"),
        "Environments, each in its latest version",
    )
    assert "studio-environment" in [row["Name"] for row in listed]
    page = browser.page("/studio/environments/studio-environment")
    assert text(page.h1) == "studio-environment version 1, the latest"
    packages = {
        text(heading): [text(item) for item in heading.parent("li")]
        for heading in page("h2")
        if heading.parent("li")
    }
    assert "scikit-learn==1.1.3" in packages["Packages from PyPI"]
    assert "numpy" in packages["Packages from conda"]
    assert "registry.example" in page.get_text() and "hush-hush" not in page.get_text()


def test_home_counts_what_there_is(ws, browser, dataset, cluster, environment):
    run = Experiment(ws, "studio-home").start_logging(snapshot_directory=None)
    run.complete()
    page = browser.page("/studio/")
    cards = {card["href"]: card.strong.get_text() for card in page.select(".cards a")}
    assert cards["/studio/compute"] == str(len(ws.compute_targets))
    datastores = len(ws.datastores)
    assert cards["/studio/datastores"] == ("50+" if datastores > 50 else str(datastores))
    assert run.id in [row["Run"] for row in rows(page, "The newest runs of all experiments")]
    # The address that `ws.get_portal_url()` of the SDK's base class builds has no slash at the end.
    assert text(browser.page("/studio").h1) == ws.name


def test_every_link_of_every_page_works(browser, dataset, cluster, environment):
    """Also that pages are well made; of addresses of the same kind, the first three."""
    waiting = ["/studio/environments/studio-environment", "/studio/datasets/studio%20files"]
    waiting.append("/studio/")
    seen, kinds = set(), Counter()
    while waiting:
        address = waiting.pop()
        path, _, query = address.partition("?")
        kind = (path.split("/")[2], path.count("/"), re.sub(r"=[^&]*", "", query))
        if address in seen or path.startswith("/studio/mlflow") or kinds[kind] == 3:
            continue
        seen.add(address)
        kinds[kind] += 1
        answer = browser.get(address)
        assert answer.status_code == 200, address
        if answer.headers["content-type"].startswith("text/html"):
            check_html(answer.text)
            page = BeautifulSoup(answer.text, "html.parser")
            links = [link.get("href") or link["src"] for link in page(["a", "img", "link"])]
            scripts = [script["src"] for script in page("script")]
            waiting += [link.split("#")[0] for link in links + scripts if link[0] == "/"]
    assert {kind[0] for kind in kinds} >= {"experiments", "models", "datasets", "compute", "static"}


def _luminance(colour):
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_stands_out_in_light_and_dark(browser):
    """At least 4.5 to 1 (WCAG 2.2, level AA), for every colour of text on every background."""
    style = browser.get("/studio/static/studio.css").text
    light, dark = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", part))
        for part in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    )
    for theme in (light, dark):
        for back in ("back", "card", "code"):
            for ink in ("ink", "soft", "link", "done", "failed", "canceled", "running", "waiting"):
                dim, bright = sorted((_luminance(theme[back]), _luminance(theme[ink])))
                assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, back)
