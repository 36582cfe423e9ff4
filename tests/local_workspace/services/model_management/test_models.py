"""Registered models through the SDK."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azureml.core import Dataset, Experiment, Model
from azureml.core.resource_configuration import ResourceConfiguration
from azureml.exceptions import ModelPathNotFoundException, WebserviceException

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def run(ws, folder):
    """A completed run with a model in its outputs."""
    (folder / "model").mkdir()
    (folder / "model" / "weights.bin").write_bytes(bytes(range(256)))
    (folder / "model" / "names.txt").write_text("a\nb\n")
    run = Experiment(ws, "models").start_logging(snapshot_directory=None)
    run.upload_folder("outputs/model", "model")
    run.complete()
    return run


def test_a_file_is_registered_and_downloaded(ws, folder):
    (folder / "model.pkl").write_bytes(b"weights")
    first = Model.register(
        ws,
        model_path="model.pkl",
        model_name="from-file",
        tags={"area": "diabetes"},
        properties={"auc": "0.85"},
        description="a classifier",
        model_framework=Model.Framework.SCIKITLEARN,
        model_framework_version="1.5",
        resource_configuration=ResourceConfiguration(cpu=1, memory_in_gb=0.5),
    )
    assert (first.id, first.version) == ("from-file:1", 1)
    (folder / "model.pkl").write_bytes(b"better weights")
    second = Model.register(ws, "model.pkl", "from-file")
    assert second.version == 2

    read = Model(ws, "from-file", version=1)
    assert read.tags == {"area": "diabetes"} and read.properties == {"auc": "0.85"}
    assert read.description == "a classifier"
    assert (read.model_framework, read.model_framework_version) == ("ScikitLearn", "1.5")
    assert read.resource_configuration.memory_in_gb == 0.5
    assert read.created_by["userName"]
    assert Path(read.download("old")).read_bytes() == b"weights"
    assert Path(Model(ws, "from-file").download("new")).read_bytes() == b"better weights"
    with pytest.raises(WebserviceException, match="already exists"):
        read.download("old")
    assert list(read.get_sas_urls()) == ["model.pkl"]
    path = Model.get_model_path("from-file", version=1, _workspace=ws)
    assert Path(path).read_bytes() == b"weights"


def test_a_folder_of_a_run_is_registered(ws, run):
    model = run.register_model("from-run", model_path="outputs/model", tags={"stage": "trial"})
    assert (model.run_id, model.experiment_name) == (run.id, "models")
    assert model.run.id == run.id
    path = Path(Model(ws, "from-run").download("down"))
    assert (path / "weights.bin").read_bytes() == bytes(range(256))
    assert (path / "names.txt").read_text() == "a\nb\n"
    assert [one.id for one in Model.list(ws, run_id=run.id)] == ["from-run:1"]


def test_a_path_that_the_run_does_not_have(run):
    with pytest.raises(ModelPathNotFoundException, match=r"outputs/model/names\.txt"):
        run.register_model("nothing", model_path="outputs/other.pkl")


def test_models_are_listed_and_filtered(ws, run):
    run.register_model("listed-a", "outputs/model", tags={"k": "1", "l": "x"})
    run.register_model("listed-a", "outputs/model", tags={"k": "2"}, properties={"p": "q"})
    run.register_model("listed-b", "outputs/model", tags={"k": "1"}, model_framework="Onnx")

    def ids(**query):
        return [one.id for one in Model.list(ws, run_id=run.id, **query)]

    assert ids() == ["listed-b:1", "listed-a:2", "listed-a:1"]
    assert ids(name="listed-a") == ["listed-a:2", "listed-a:1"]
    assert sorted(ids(latest=True)) == ["listed-a:2", "listed-b:1"]
    assert ids(tags=[["k", "1"]]) == ["listed-b:1", "listed-a:1"]
    assert ids(tags=["l"]) == ["listed-a:1"]
    assert ids(tags=[["k", "1"], "l"]) == ["listed-a:1"]
    assert ids(properties=[["p", "q"]]) == ["listed-a:2"]
    assert ids(model_framework="Onnx") == ["listed-b:1"]
    assert ws.models["listed-a"].version == 2


def test_long_lists_come_in_pages(ws, run):
    for _ in range(25):
        run.register_model("paged", "outputs/model")
    versions = [one.version for one in Model.list(ws, name="paged", page_count=20)]
    assert versions == list(range(25, 0, -1))


def test_tags_change_and_properties_do_not(ws, run):
    model = run.register_model("changed", "outputs/model", tags={"a": "1"}, properties={"p": "1"})
    model.add_tags({"b": "2"})
    model.remove_tags(["a"])
    model.add_properties({"q": "2"})
    model.update(description="new words")
    read = Model(ws, "changed")
    assert read.tags == {"b": "2"} and read.properties == {"p": "1", "q": "2"}
    assert read.description == "new words"
    other = Model(ws, "changed")
    other.properties = {}
    with pytest.raises(WebserviceException, match="400"):
        other.add_properties({"p": "other"})


def test_datasets_of_a_model(ws, run):
    (Path.cwd() / "data").mkdir()
    (Path.cwd() / "data" / "a.csv").write_text("x,y\n1,2\n")
    store = ws.get_default_datastore()
    files = Dataset.File.upload_directory("data", (store, "models-data"), show_progress=False)
    table = Dataset.Tabular.from_delimited_files((store, "models-data/a.csv"))
    files = files.register(ws, "models-files", create_new_version=True)
    table = table.register(ws, "models-table", create_new_version=True)
    model = run.register_model(
        "with-data",
        "outputs/model",
        datasets=[("training", files)],
        sample_input_dataset=table,
    )
    model.add_dataset_references([("validation", table)])
    read = Model(ws, "with-data")
    assert read.sample_input_dataset.name == "models-table"
    assert {name: [one.name for one in data] for name, data in read.datasets.items()} == {
        "training": ["models-files"],
        "validation": ["models-table"],
    }
    assert [one.id for one in Model.list(ws, dataset_id=files.id)] == ["with-data:1"]


def test_a_deleted_version_is_gone_and_its_number_too(ws, run):
    run.register_model("deleted", "outputs/model")
    run.register_model("deleted", "outputs/model").delete()
    with pytest.raises(WebserviceException, match="not found"):
        Model(ws, "deleted", version=2)
    assert Model(ws, "deleted").version == 1
    assert run.register_model("deleted", "outputs/model").version == 3


def test_unknown_models(ws):
    with pytest.raises(WebserviceException, match="not found"):
        Model(ws, "nobody")
    with pytest.raises(WebserviceException, match="not found"):
        Model(ws, id="nobody:1")
    with pytest.raises(WebserviceException, match="not found"):
        Model(ws, id="nobody")


def test_eight_registrations_at_once_are_eight_versions(ws, run):
    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(lambda _: run.register_model("at-once", "outputs/model"), range(8)))
    assert sorted(one.version for one in models) == list(range(1, 9))
