"""Environments through the SDK."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from azureml.core import Dataset, Datastore, Environment
from azureml.core.conda_dependencies import CondaDependencies
from azureml.exceptions import UserErrorException
from execution_helpers import PackageIndex, wait_until
from tiny_wheels import make_wheel

from local_workspace.services.environment import with_files_of_private_packages

LISTED = {"AzureML-Minimal", "AzureML-sklearn-1.5", "AzureML-Tutorial", "AzureML-AutoML"}
CURATED = LISTED | {"azureml-sklearn-1.5"}
CONDA_FILE = """
name: lesson
channels:
  - conda-forge
dependencies:
  - python=3.10
  - scikit-learn
  - pip
  - pip:
      - azureml-defaults
      - pyarrow
"""


@pytest.fixture
def send(caller):
    """Requests that the SDK would not send."""
    return caller("/environment/v1.0{scope}/environments")


def with_packages(name, *packages):
    environment = Environment(name)
    environment.python.conda_dependencies = CondaDependencies.create(pip_packages=list(packages))
    return environment


def test_from_a_conda_file(ws, tmp_path):
    file = tmp_path / "environment.yml"
    file.write_text(CONDA_FILE)
    environment = Environment.from_conda_specification("from-conda", file)
    environment.docker.base_image = "example.com/image:1"
    registered = environment.register(ws)
    assert (registered.name, registered.version) == ("from-conda", "1")

    found = Environment.get(ws, "from-conda")
    assert found.version == "1"
    assert list(found.python.conda_dependencies.conda_packages) == [
        "python=3.10",
        "scikit-learn",
        "pip",
    ]
    assert list(found.python.conda_dependencies.pip_packages) == ["azureml-defaults", "pyarrow"]
    assert found.docker.base_image == "example.com/image:1"
    assert not found.python.user_managed_dependencies
    # What was read back is the same content.
    assert found.clone("from-conda").register(ws).version == "1"


def test_from_pip_requirements(ws, tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_text("pandas==1.5.3\nscikit-learn\n")
    Environment.from_pip_requirements("from-pip", file).register(ws)
    found = Environment.get(ws, "from-pip")
    assert list(found.python.conda_dependencies.pip_packages) == ["pandas==1.5.3", "scikit-learn"]


def test_versions_follow_the_content(ws):
    def register(*packages):
        return with_packages("versions", *packages).register(ws).version

    assert [register("pandas"), register("pandas"), register("numpy")] == ["1", "1", "2"]
    assert Environment.get(ws, "versions").version == "2"
    old = Environment.get(ws, "versions", version="1")
    assert list(old.python.conda_dependencies.pip_packages) == ["pandas"]
    # Registering earlier content again leads back to it.
    assert register("pandas") == "1"
    assert Environment.get(ws, "versions").version == "1"
    assert register("scipy") == "3"


def test_variables_and_images_are_content(ws):
    environment = with_packages("content", "pandas")
    assert environment.register(ws).version == "1"
    environment.docker.base_image = "example.com/other:2"
    assert environment.register(ws).version == "2"
    environment._environment_variables = {"A": "1"}
    assert environment.register(ws).version == "3"
    assert Environment.get(ws, "content").environment_variables == {"A": "1"}


def test_a_version_of_ones_own(ws):
    environment = with_packages("own-version", "pandas")
    environment.version = "7"
    assert environment.register(ws).version == "7"
    assert environment.register(ws).version == "7"
    assert with_packages("own-version", "numpy").register(ws).version == "8"
    changed = with_packages("own-version", "scipy")
    changed.version = "7"
    with pytest.raises(Exception, match="a version never changes"):
        changed.register(ws)
    changed.version = "2026.1-rc"
    assert changed.register(ws).version == "2026.1-rc"
    assert with_packages("own-version", "joblib").register(ws).version == "9"


def test_missing(ws):
    with pytest.raises(Exception, match=r"(?s)Code: 404.*no environment 'nowhere'"):
        Environment.get(ws, "nowhere")
    with_packages("here", "pandas").register(ws)
    with pytest.raises(Exception, match=r"(?s)Code: 404.*no version '9'"):
        Environment.get(ws, "here", version="9")


def test_labels(ws):
    for package in ("pandas", "numpy"):
        with_packages("labelled", package).register(ws)
    Environment.label(ws, "labelled", "1", ["stable", "tested"])
    assert Environment.get(ws, "labelled", label="stable").version == "1"
    assert Environment.get(ws, "labelled", label="latest").version == "2"
    Environment.label(ws, "labelled", "2", ["stable"])
    assert Environment.get(ws, "labelled", label="stable").version == "2"
    assert Environment.get(ws, "labelled", label="tested").version == "1"
    with pytest.raises(Exception, match="has the label 'golden'"):
        Environment.get(ws, "labelled", label="golden")
    with pytest.raises(Exception, match="no version '5'"):
        Environment.label(ws, "labelled", "5", ["stable"])
    with pytest.raises(Exception, match="'latest' belongs"):
        Environment.label(ws, "labelled", "1", ["latest"])


def test_list_is_the_latest_of_each_over_pages(ws, send):
    document = {"Python": {"userManagedDependencies": True}}
    names = [f"many-{number:03}" for number in range(120)]
    for name in names:
        assert send("PUT", f"/{name}", json=document).status_code == 200
    with_packages("many-000", "pandas").register(ws)
    found = Environment.list(ws)
    assert set(names) | LISTED <= set(found)
    assert found["many-000"].version == "2" and found["many-119"].version == "1"
    assert set(ws.environments) == set(found)
    assert found["many-001"].python.user_managed_dependencies


@pytest.mark.parametrize("name", sorted(CURATED))
def test_curated(ws, name):
    environment = Environment.get(ws, name)
    assert environment.version == "1"
    dependencies = environment.python.conda_dependencies
    assert "azureml-defaults" in dependencies.pip_packages
    assert dependencies.get_python_version() == "3.10"
    mine = environment.clone(f"my-{name}")
    mine.python.conda_dependencies.add_pip_package("seaborn")
    assert mine.register(ws).version == "1"


def test_a_list_has_one_name_for_a_curated_environment(ws, browser):
    listed = [name for name in Environment.list(ws) if name.lower().startswith("azureml-")]
    assert set(listed) == LISTED
    page = str(browser.page("/studio/environments"))
    assert "AzureML-sklearn-1.5" in page and "azureml-sklearn-1.5" not in page


def test_curated_environments_survive_a_restart_unchanged(local_workspace, ws):
    local_workspace.restart()
    assert {Environment.get(ws, name).version for name in CURATED} == {"1"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AzureML-Mine", "Environment name can not start with the prefix AzureML"),
        ("Microsoft-Mine", "Environment name can not start with the prefix Microsoft"),
        ("azureml-sklearn-1.5", "that of the curated environment azureml-sklearn-1.5"),
    ],
)
def test_reserved_names(ws, name, words):
    azures = "To alter a curated environment first create a copy of it."
    with pytest.raises(Exception, match=f"Code: 400[^$]*{words}. {azures}"):
        with_packages(name, "pandas").register(ws)


def test_a_name_with_a_slash_gets_the_message_about_names(ws):
    for call in (
        with_packages("a/b", "pandas").register,
        lambda ws: Environment.get(ws, "a/b"),
        lambda ws: Environment.get(ws, "a/b", "1"),
        lambda ws: Environment.label(ws, "a/b", "1", ["x"]),
        # Other services whose clients write a name into the address.
        lambda ws: Datastore.get(ws, "a/b"),
        lambda ws: Dataset.get_by_name(ws, "a/b"),
    ):
        with pytest.raises(Exception, match=r"The name 'a/b' is invalid: names .* have no slash"):
            call(ws)


@pytest.mark.parametrize("name", ["spa ce", "-x", "x" * 256, "café", "a+b"])
def test_bad_names(ws, name):
    with pytest.raises(Exception, match="Code: 400"):
        with_packages(name, "pandas").register(ws)


@pytest.mark.parametrize("body", [None, [], "x", {"python": 3}, {"Docker": []}])
def test_bodies_that_make_no_sense(send, body):
    assert send("PUT", "/bad-body", json=body).status_code == 400
    assert send("GET", "/bad-body").status_code == 404


def test_bad_labels(send):
    assert send("PUT", "/bad-labels", json={"python": {}}).status_code == 200
    for body in (None, {}, {"Labels": "x"}, {"Labels": [1]}, {"Labels": ["a b"]}):
        assert send("PUT", "/bad-labels/versions/1/metadata", json=body).status_code == 400


def test_a_build_ahead_of_the_first_job(ws, capsys):
    environment = with_packages("to-build", "pytest", "azureml-defaults").register(ws)
    build = environment.build(ws).wait_for_completion(show_output=True)
    assert build.status == "Succeeded"
    log = build.get_log()
    assert log.startswith("Environment to-build, version 1\n")
    assert "has every package: nothing is to be built" in log
    details = environment.get_image_details(ws)
    assert details.interpreter_path == sys.executable
    assert not details.image_exist and details.image is None


def test_a_package_of_the_users_own(ws, local_workspace, tmp_path):
    wheels = make_wheel(tmp_path / "wheels", "tiny_package", "1.0")
    environment = with_packages("with-wheel", "tiny-package==1.0")
    dependencies = environment.python.conda_dependencies
    dependencies.set_pip_option("--no-index")
    dependencies.set_pip_option(f"--find-links {wheels}")
    environment = environment.register(ws)
    assert environment.get_image_details(ws).interpreter_path is None

    finish(environment.build(ws), "Succeeded")
    python = Path(environment.get_image_details(ws).interpreter_path)
    assert python.is_relative_to(local_workspace.paths.environments)
    subprocess.run([python, "-c", "import tiny_package"], check=True)


def test_a_private_wheel(ws, opened, tmp_path):
    make_wheel(tmp_path, "private_package", "1.0")
    wheel = tmp_path / "private_package-1.0-py3-none-any.whl"
    address = Environment.add_private_pip_wheel(ws, str(wheel), exist_ok=True)
    environment = with_packages("private", address)
    environment.python.conda_dependencies.set_pip_option("--no-index")
    environment = environment.register(ws)
    assert list(environment.python.conda_dependencies.pip_packages) == [address]
    finish(environment.build(ws), "Succeeded")
    python = environment.get_image_details(ws).interpreter_path
    subprocess.run([python, "-c", "import private_package"], check=True)

    # What is not in the workspace is left for the installer to complain about.
    other = address.replace("private_package", "other_package")
    definition = {"python": {"condaDependencies": {"dependencies": [{"pip": [address, other]}]}}}
    found = with_files_of_private_packages(opened, definition)
    here, there = found["python"]["condaDependencies"]["dependencies"][0]["pip"]
    assert here.startswith("file:///") and here.endswith(wheel.name) and there == other


def test_a_build_that_fails_has_the_installers_words(ws):
    environment = with_packages("cannot-be", "no-such-package-anywhere")
    environment.python.conda_dependencies.set_pip_option("--no-index")
    build = finish(environment.build(ws), "Failed")
    log = build.get_log()
    assert log.count("no-such-package-anywhere was not found") == 1
    assert log.endswith("The environment could not be built.\n")
    missing = with_packages("bad-python", "pytest").register(ws)
    with pytest.raises(Exception, match="Compute target 'nobody' was not found"):
        missing.build(ws, image_build_compute="nobody")


def finish(build, status):
    """Wait for a build to end, at a quicker pace than the SDK's five seconds."""
    while build.status == "Running":
        threading.Event().wait(0.05)
    assert build.status == status
    return build


def test_a_build_survives_a_restart(ws, local_workspace, tmp_path):
    with PackageIndex(tmp_path / "wheels") as index:
        index.add("patient_package", "1.0")
        index.hold()
        environment = index.environment("patient-package", name="interrupted").register(ws)
        build = environment.build(ws)
        wait_until(lambda: index.asked("patient-package"))
        local_workspace.restart()
        assert build.status == "Running"
        index.go()
        finish(build, "Succeeded")
    log = build.get_log()
    assert log.startswith("Environment interrupted, version 1\n")
    assert "The local workspace was stopped during this build, which begins again.\n" in log
    assert "+ patient-package==1.0" in log
    python = environment.get_image_details(ws).interpreter_path
    subprocess.run([python, "-c", "import patient_package"], check=True)


def test_there_is_no_recipe_and_it_says_so(ws):
    environment = with_packages("no-recipe", "pandas").register(ws)
    with pytest.raises(Exception, match=r"Environment\.build builds the environment"):
        environment.build_local(ws)
    with pytest.raises(UserErrorException, match="is not registered"):
        Environment("never-registered").build_local(ws)


def test_many_register_at_once(ws, local_workspace):
    answers, errors = [], []

    def register(package):
        try:
            answers.append(with_packages("crowd", package).register(ws).version)
        except Exception as error:
            errors.append(error)

    packages = ["pandas", "numpy", "scipy", "joblib"] * 2
    threads = [threading.Thread(target=register, args=(package,)) for package in packages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(answers) == ["1", "1", "2", "2", "3", "3", "4", "4"]
