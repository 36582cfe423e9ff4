"""Lesson 03 describes environments and registers the one of all jobs."""

import copy
import re

import pytest
import yaml
from azureml.core import Environment
from azureml.core.conda_dependencies import CondaDependencies
from repository import REPOSITORY


@pytest.fixture
def registry(sdk):
    """Environments by name, newest last; the lesson's Environment registers and finds them here."""

    def register(environment, workspace):
        versions = known.setdefault(environment.name, [])
        same = Environment._serialize_to_dict
        kept = copy.deepcopy(environment)
        for number, version in enumerate(versions, 1):
            if same(version)["python"] == same(kept)["python"]:
                kept.version = str(number)
                return kept
        versions.append(kept)
        kept.version = str(len(versions))
        return kept

    def get(workspace, name, version=None, label=None):
        # A new object each time, as from a service: Environment.clone shares parts of its original.
        return copy.deepcopy(known[name][-1 if version is None else int(version) - 1])

    known = {}
    curated = Environment("AzureML-sklearn-1.5")
    curated.version = "1"
    packages = ["azureml-defaults", "scikit-learn>=1.5,<1.6"]
    curated.python.conda_dependencies = CondaDependencies.create(pip_packages=packages)
    known["AzureML-sklearn-1.5"] = [curated]
    sdk.method(Environment, "register", side_effect=register)
    sdk.method(Environment, "get", side_effect=get)
    sdk.method(
        Environment,
        "list",
        side_effect=lambda workspace: {name: versions[-1] for name, versions in known.items()},
    )
    return known


def test_registers_the_environment_of_all_jobs_once(run_lesson, registry):
    lesson = run_lesson("03")
    assert "Registered ml-sdk-env version 1\n" in lesson.output
    assert "Registered it again, unchanged: version 1\n" in lesson.output
    assert list(registry) == ["AzureML-sklearn-1.5", "ml-sdk-env"], "only this one is registered"
    again = run_lesson("03")
    assert "Registered ml-sdk-env version 1\n" in again.output


def test_reads_the_definition_back(run_lesson, registry):
    lesson = run_lesson("03")
    definition = lesson.rows("Definition of ml-sdk-env version 1")
    assert ["Python:", "3.10"] in definition
    assert ["scikit-learn==1.5.2"] in definition
    assert any(row[:2] == ["Docker", "image:"] and "openmpi" in row[2] for row in definition)
    saved = lesson.folder / "outputs" / "03_environment"
    conda = yaml.safe_load((saved / "conda_dependencies.yml").read_text())
    file = yaml.safe_load((REPOSITORY / "experiments" / "03_conda.yml").read_text())
    assert conda["dependencies"] == file["dependencies"]


def test_clones_a_curated_environment_and_leaves_it_as_it_was(run_lesson, registry):
    lesson = run_lesson("03")
    clone = lesson.names["sklearn_env"]
    assert clone.name == "ml-sdk-sklearn-env"
    assert "fairlearn==0.9.0" in clone.python.conda_dependencies.pip_packages
    (curated,) = registry["AzureML-sklearn-1.5"]
    assert "fairlearn==0.9.0" not in curated.python.conda_dependencies.pip_packages
    assert lesson.rows("Curated environments:")[1:] == [["AzureML-sklearn-1.5", "1"]]


def test_other_ways_to_describe_an_environment(run_lesson, registry):
    lesson = run_lesson("03")
    quick = lesson.names["quick"].python.conda_dependencies
    assert quick.get_python_version() == "3.10"
    assert set(quick.pip_packages) >= {"scikit-learn==1.5.2", "pandas==1.5.3"}
    assert lesson.names["own"].python.user_managed_dependencies is True


def test_versions_are_those_of_requirements_txt():
    """So the local workspace's own environment serves, and the set is known to fit together."""
    lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
    locked = dict(line.split(" ;")[0].split("==") for line in lines)
    conda = yaml.safe_load((REPOSITORY / "experiments" / "03_conda.yml").read_text())
    *others, pip = conda["dependencies"]
    assert others == ["python=3.10", "pip"]
    for line in pip["pip"]:
        name, version = line.split("==")
        assert locked[re.sub(r"\[.*\]", "", name)] == version, name
