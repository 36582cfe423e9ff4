"""The environment of a submitted run is registered, or the run is refused."""

import uuid

import pytest
from azureml.core import Environment, Run
from azureml.core.conda_dependencies import CondaDependencies


@pytest.fixture
def submit(lab, caller):
    """Submits a command with an environment; with a `document` in its place, as no SDK would.

    The command is canceled at once: what matters has happened by then.
    """
    call = caller("/execution/v1.0{scope}/experiments/submitted/snapshotrun")
    experiment = lab.experiment("submitted")

    def submit(environment=None, document=None):
        if document is None:
            configuration = lab.configuration(command="true", environment=environment)
            run = experiment.submit(configuration)
        else:
            snapshot = lab.submit(command="true").get_details()["properties"]["ContentSnapshotId"]
            body = {
                "Configuration": {
                    "command": "true",
                    "target": lab.cluster().name,
                    "environment": document,
                },
                "SnapshotId": snapshot,
            }
            run_id = f"submitted_{uuid.uuid4().hex[:8]}"
            answer = call("POST", f"?runId={run_id}", json=body)
            assert answer.status_code == 200, answer.json()["error"]["message"]
            run = Run(experiment, run_id)
        run.cancel()
        return run

    return submit


def with_packages(name, *packages):
    environment = Environment(name)
    environment.python.conda_dependencies = CondaDependencies.create(pip_packages=list(packages))
    return environment


def stated(run):
    """Name and version in the definition of a run."""
    environment = run.get_details()["runDefinition"]["environment"]
    return environment["name"], environment["version"]


def pip_packages(environment):
    return list(environment.python.conda_dependencies.pip_packages)


def test_what_is_submitted_is_registered(ws, submit):
    run = submit(with_packages("fresh", "pytest"))
    name, version = stated(run)
    assert name == "fresh"
    assert version.startswith("Autosave_20")
    for found in (run.get_environment(), Environment.get(ws, "fresh"), Environment.list(ws)[name]):
        assert (found.name, found.version) == (name, version)
        assert pip_packages(found) == ["pytest"]

    # The same content has the same version, and what was registered later has a number.
    assert stated(submit(with_packages("fresh", "pytest"))) == (name, version)
    assert with_packages("fresh", "pytest").register(ws).version == "1"
    assert stated(submit(with_packages("fresh", "pytest"))) == (name, "1")
    assert Environment.get(ws, "fresh", version).register(ws).version == version


def test_what_is_registered_keeps_its_version(ws, submit):
    for package in ("pytest", "rich"):
        with_packages("kept", package).register(ws)
    old = submit(Environment.get(ws, "kept", version="1"))
    assert stated(old) == ("kept", "1")
    assert pip_packages(old.get_environment()) == ["pytest"]
    # A run in an old version changes nothing for others.
    assert Environment.get(ws, "kept").version == "2"

    edited = Environment.get(ws, "kept", version="1")
    edited.python.conda_dependencies.add_pip_package("typer")
    name, version = stated(submit(edited))
    assert name == "kept"
    assert version.startswith("Autosave_")
    assert Environment.get(ws, "kept").version == version

    chosen = with_packages("kept", "psutil")
    chosen.version = "2026"
    assert stated(submit(chosen)) == ("kept", "2026")


def test_a_local_run_has_a_registered_environment(ws, lab):
    environment = Environment("local-own")
    environment.python.user_managed_dependencies = True
    run = lab.submit(command="true", target="local", environment=environment)
    run.wait_for_completion()
    found = run.get_environment()
    assert (found.name, found.python.user_managed_dependencies) == ("local-own", True)
    assert found.version == Environment.get(ws, "local-own").version


@pytest.mark.parametrize("name", ["AzureML-Minimal", "azureml-sklearn-1.5"])
def test_a_curated_environment_runs_as_it_is_and_not_otherwise(ws, submit, name):
    curated = Environment.get(ws, name)
    # How its container would be started is no change of it.
    curated.docker.shared_volumes = False
    assert stated(submit(curated)) == (name, "1")

    curated.python.conda_dependencies.add_pip_package("seaborn")
    with pytest.raises(Exception, match="first create a copy of it"):
        submit(curated)
    curated.version = None
    with pytest.raises(Exception, match="first create a copy of it"):
        submit(curated)
    assert set(pip_packages(Environment.get(ws, name))).isdisjoint({"seaborn"})
    assert stated(submit(curated.clone(f"my-{name}-2")))[0] == f"my-{name}-2"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "AzureML-Mine",
            "Environment name can not start with the prefix AzureML. To alter a curated "
            "environment first create a copy of it.",
        ),
        ("a/b", "The environment name 'a/b' is invalid"),
    ],
)
def test_names_are_checked_as_register_checks_them(ws, submit, name, words):
    with pytest.raises(Exception, match=words):
        submit(with_packages(name, "pytest"))
    assert name not in Environment.list(ws)


def test_an_environment_by_its_name(ws, submit):
    environment = with_packages("by-name", "pytest")
    environment.environment_variables = {"FROM_ENVIRONMENT": "yes"}
    environment.register(ws)
    for document in ({"name": "by-name"}, {"name": "by-name", "version": "1"}):
        run = submit(document=document)
        assert stated(run) == ("by-name", "1")
        definition = run.get_details()["runDefinition"]["environment"]
        assert definition["environmentVariables"] == {"FROM_ENVIRONMENT": "yes"}
        assert pip_packages(run.get_environment()) == ["pytest"]
    for document in ({"name": "nowhere"}, {"name": "by-name", "version": "7"}):
        with pytest.raises(AssertionError, match=r"There is no environment|has no version '7'"):
            submit(document=document)


def test_an_environment_without_a_name_is_that_of_its_experiment(submit):
    python = {"userManagedDependencies": True, "interpreterPath": "python"}
    run = submit(document={"python": python})
    assert run.get_environment().name == "Experiment submitted Environment"
    assert run.get_environment().python.user_managed_dependencies
