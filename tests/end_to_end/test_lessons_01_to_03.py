"""What lessons 01 to 03 leave behind in the workspace."""

import re

from repository import LESSONS, REPOSITORY


def test_every_lesson_ends_well_and_files_for_the_local_workspace_are_there(clone):
    assert re.findall(r"^(\d\d) .* ok ", clone.first_output, re.MULTILINE) == LESSONS
    assert "wrote config.json and .env for the local workspace" in clone.first_output
    assert (clone.folder / ".env").stat().st_mode & 0o077 == 0
    secret = re.search(r"AZURE_STORAGE_KEY=(\S+)", (clone.folder / ".env").read_text())[1]
    assert secret.strip("'") not in clone.first_output + "".join(map(clone.log, LESSONS))


def test_01_the_files_are_in_the_container_as_they_were(clone):
    answer = clone.ask(
        """
import hashlib, pathlib, tempfile
from azureml.core import Dataset
store = ws.get_default_datastore()
with tempfile.TemporaryDirectory() as folder:
    Dataset.File.from_files((store, "diabetes-data/*.csv")).download(folder)
    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest()
               for p in pathlib.Path(folder).iterdir()}
same = {name: hashlib.sha256(pathlib.Path("data", name).read_bytes()).hexdigest() == digest
        for name, digest in digests.items()}
answer = {"store": store.name, "container": store.container_name, "same": same}
"""
    )
    assert answer == {
        "store": "ml_sdk_data",
        "container": "azure-ml-sdk-data",
        "same": {"diabetes.csv": True, "diabetes2.csv": True},
    }


def test_01_the_datasets_hold_what_the_lesson_says(clone):
    answer = clone.ask(
        """
frame = ws.datasets["diabetes-dataset"].to_pandas_dataframe()
batch = ws.datasets["batch-data"].to_path()
answer = {"rows": len(frame), "columns": list(frame.columns), "first": int(frame.PatientID[0]),
          "positive": round(float(frame.Diabetic.mean()), 3), "batch": len(batch)}
"""
    )
    lines = (REPOSITORY / "data" / "diabetes.csv").read_text().splitlines()
    assert answer["columns"] == lines[0].split(",")
    assert answer["first"] == int(lines[1].split(",")[0])
    assert answer["rows"] == 15_000 and answer["batch"] == 100
    assert 0.30 < answer["positive"] < 0.37


def test_02_the_cluster_is_there_and_costs_nothing_at_rest(clone):
    answer = clone.ask(
        """
scale = ws.compute_targets["ml-sdk-cc"].serialize()["properties"]["properties"]["scaleSettings"]
answer = [scale["minNodeCount"], scale["maxNodeCount"]]
"""
    )
    assert answer[0] == 0 and answer[1] >= 2


def test_03_the_environment_reads_back_as_its_file(clone):
    answer = clone.ask(
        """
from azureml.core import Environment
conda = Environment.get(ws, "ml-sdk-env").python.conda_dependencies
answer = {"conda": sorted(conda.conda_packages), "pip": sorted(conda.pip_packages)}
"""
    )
    text = (REPOSITORY / "experiments" / "03_conda.yml").read_text()
    packages = [*answer["conda"], *answer["pip"]]
    assert any(name.startswith("azureml") for name in packages)
    assert all(name in text for name in packages)
