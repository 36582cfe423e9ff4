"""Definitions of environments become virtual environments, once each."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from azureml.core import Environment
from azureml.core.conda_dependencies import CondaDependencies
from environment_helpers import builds, definition_of, from_wheels
from repository import REPOSITORY
from tiny_wheels import make_wheel

from local_workspace.engines.environments import pythons as environments_python
from local_workspace.engines.environments.builder import (
    EnvironmentBuilder,
    EnvironmentBuildError,
    latest_of_each,
)
from local_workspace.engines.environments.plan import read_plan


@pytest.fixture
def root(tmp_path):
    return tmp_path / "environments"


class Builder:
    """Does in one step what the engine does in several."""

    def __init__(self, root):
        self._builder = EnvironmentBuilder(root)

    def find(self, document):
        return self._builder.choose(read_plan(document), lambda line: None)

    def ensure(self, document, log, **options):
        choice = self._builder.choose(read_plan(document), log)
        if not choice.is_ready:
            self._builder.build(choice, log, **options)
        return choice.python


@pytest.fixture
def builder(root):
    return Builder(root)


def output_of(python, code):
    return subprocess.run(
        [python, "-c", code], text=True, capture_output=True, check=True, cwd="/"
    ).stdout.strip()


def test_the_sdks_default_environment_costs_nothing(builder, root):
    said = []
    document = Environment._serialize_to_dict(Environment("default"))
    assert builder.ensure(document, said.append) == Path(sys.executable)
    assert not root.exists()
    assert any("the SDK writes when no version is chosen" in line for line in said)
    assert said[-1].startswith("The workspace's own environment has every package")


def test_packages_of_the_workspace_cost_nothing(builder, root):
    environment = Environment("own")
    environment.python.conda_dependencies = CondaDependencies.create(
        pip_packages=["azureml-sdk", "azureml-defaults", "scikit-learn>=1", "mlflow<99"],
        conda_packages=["numpy=1.23", "pyyaml", "pip=21"],
        python_version="3.10.99",
    )
    document = Environment._serialize_to_dict(environment)
    assert builder.ensure(document, lambda line: None) == Path(sys.executable)
    assert not root.exists()


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        ("pytest", True),
        ("PyTest>=1", True),
        ("pytest<1", False),
        ("no-such-package", False),
        ("no-such-package; python_version < '3'", True),
        ("azureml-defaults", True),
        ("azureml-defaults==1.0", False),
        ("azureml-dataset-runtime[no-such-extra]", True),
        ("pytest @ https://example.com/pytest.whl", False),
        ("not a requirement", False),
    ],
)
def test_what_the_workspace_has(requirement, met):
    assert (environments_python.unmet([requirement]) == []) == met


def test_a_package_is_installed_into_an_environment_of_its_own(builder, root, wheels):
    said = []
    python = builder.ensure(from_wheels(wheels, "tiny-package==1.0"), said.append)
    assert python.is_relative_to(root)
    assert output_of(python, "import tiny_package; print(tiny_package.version)") == "1.0"
    assert output_of(python, "import sys; print(sys.version_info[:2])") == "(3, 10)"
    # Nothing of the workspace is inside, and pip is there as in a conda environment.
    find = "import importlib.util as u; print([bool(u.find_spec(n)) for n in ('azureml', 'pip')])"
    assert output_of(python, find) == "[False, True]"
    assert any("tiny-package==1.0" in line and line.strip().startswith("+") for line in said)
    assert any("conda-forge are not used" in line for line in said)


def test_a_python_that_was_updated_in_its_place_has_old_wheels_of_pip_as_well():
    names = ("pip-23.0.1", "pip-9.0.3", "pip-22.0.4", "setuptools-56.0.0")
    wheels = [Path(f"/bundled/{name}-py3-none-any.whl") for name in names]
    assert latest_of_each(wheels) == [wheels[0], wheels[3]]


def test_the_same_content_is_built_once(builder, wheels, slow_uv):
    first = from_wheels(wheels, "tiny-package==1.0")
    assert not builder.find(first).is_ready
    python = builder.ensure(first, lambda line: None)
    assert builder.find(first).is_ready and builder.find(first).python == python
    other_name = {**first, "name": "other", "environmentVariables": {"A": "1"}}
    said = []
    assert builder.ensure(other_name, said.append) == python
    assert builds(slow_uv) == 1
    assert not any("tiny-package==1.0" in line and "+" in line for line in said)
    assert builder.ensure(from_wheels(wheels, "tiny-package==2.0"), said.append) != python
    assert builds(slow_uv) == 2


def test_conda_packages_come_from_the_index(builder, wheels):
    document = from_wheels(
        wheels, conda_packages=["python=3.10", "cudatoolkit=10", "tiny_package=1"]
    )
    said = []
    python = builder.ensure(document, said.append)
    assert output_of(python, "import tiny_package; print(tiny_package.version)") == "1.0"
    assert any("no CUDA here" in line for line in said)


def test_a_package_that_does_not_exist(builder, root, wheels):
    said = []
    document = from_wheels(wheels, "no-such-package-anywhere")
    with pytest.raises(EnvironmentBuildError, match="no-such-package-anywhere was not found"):
        builder.ensure(document, said.append)
    assert any("no-such-package-anywhere was not found" in line for line in said)
    assert not [path for path in root.iterdir() if path.is_dir()]

    # A later job tries again.
    make_wheel(wheels, "no_such_package_anywhere", "1")
    python = builder.ensure(document, said.append)
    assert output_of(python, "import no_such_package_anywhere as p; print(p.version)") == "1"


def test_a_build_that_was_killed_is_thrown_away(root, wheels, slow_uv):
    (slow_uv / "hold").write_text("-r ")
    arguments = [str(root), str(wheels), str(slow_uv)]
    child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=REPOSITORY)
    wait_for(slow_uv / "held", child)
    child.kill()
    child.wait()
    said = []

    def log(line):
        said.append(line)
        if line.startswith("Another process"):
            (slow_uv / "go").touch()

    # The installer is still at work, and nobody comes into its way.
    python = Builder(root).ensure(from_wheels(wheels, "tiny-package==1.0"), log)
    waited = said.index("Another process builds this environment: waiting for it.")
    thrown = said.index("An earlier build did not come to its end: it is thrown away.")
    assert waited < thrown
    assert output_of(python, "import tiny_package; print(tiny_package.version)") == "1.0"


CHILD = """
import sys
from pathlib import Path
from local_workspace.engines.environments import pythons as environments_python
from local_workspace.engines.environments.builder import EnvironmentBuilder
from local_workspace.engines.environments.plan import read_plan
root, wheels, scratch = map(Path, sys.argv[1:])
environments_python.uv_command = lambda: [str(scratch / "uv.sh")]

def log(line):
    print(line)
    if line.startswith("Another process"):
        (scratch / "go").touch()

pip = ["--no-index", f"--find-links {wheels}", "tiny-package==1.0"]
dependencies = ["python=3.10", {"pip": pip}]
builder = EnvironmentBuilder(root)
plan = read_plan({"python": {"condaDependencies": {"dependencies": dependencies}}})
choice = builder.choose(plan, log)
builder.build(choice, log)
print(choice.python)
"""


def wait_for(path, child):
    """Return as soon as `path` is there; `child`, who makes it, must live until then."""
    while not path.exists():
        assert child.poll() is None
        threading.Event().wait(0.02)


def test_two_processes_build_once(root, wheels, slow_uv):
    # The first one holds its build until the second one says that it waits.
    (slow_uv / "hold").write_text("venv ")
    arguments = [sys.executable, "-c", CHILD, str(root), str(wheels), str(slow_uv)]
    children = [
        subprocess.Popen(arguments, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [child.communicate()[0].splitlines() for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert outputs[0][-1] == outputs[1][-1]
    assert builds(slow_uv) == 1
    # Both have the installer's lines in their logs.
    assert all(any("tiny-package==1.0" in line for line in output) for output in outputs)
    assert output_of(outputs[0][-1], "import tiny_package; print(tiny_package.version)") == "1.0"


def test_who_waits_for_a_build_fails_with_it(builder, wheels, slow_uv):
    (slow_uv / "hold").write_text("venv ")
    errors, said = [], []

    def log(line):
        said.append(line)
        if line.startswith("Another process"):
            (slow_uv / "go").touch()

    def ensure():
        try:
            builder.ensure(from_wheels(wheels, "no-such-package-anywhere"), log)
        except EnvironmentBuildError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=ensure) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert builds(slow_uv) == 1
    assert len(errors) == 2 and errors[0] == errors[1]
    # Each has the installer's words in its own log.
    assert sum("no-such-package-anywhere was not found" in line for line in said) == 2


def test_user_managed(builder, root, tmp_path):
    def ensure(interpreter):
        python = {"userManagedDependencies": True, "interpreterPath": interpreter}
        return builder.ensure({"python": python}, lambda line: None)

    program = tmp_path / "my-python"
    program.symlink_to(sys.executable)
    assert ensure("python") == Path(sys.executable) == ensure(None)
    assert builder.find({"python": {"userManagedDependencies": True}}).is_ready
    assert ensure(str(program)) == program
    for wrong in (str(tmp_path / "nothing"), "bin/python", "no-such-python"):
        with pytest.raises(EnvironmentBuildError, match="is not a program of this machine"):
            ensure(wrong)
    assert not root.exists()


def test_a_python_that_is_not_here(builder, root, wheels, monkeypatch):
    own = environments_python.own_interpreter()
    monkeypatch.setattr(environments_python, "installed_interpreters", list)
    said = []
    document = definition_of("pytest", conda_packages=["python=3.6.2"])
    assert builder.ensure(document, said.append) == Path(sys.executable)
    instead = f"Python 3.6.2 is not on this machine: Python {own.version} is used instead."
    assert instead in said

    said.clear()
    document = from_wheels(wheels, "tiny-package", conda_packages=["python=3.6.2"])
    assert builder.ensure(document, said.append).is_relative_to(root)
    assert instead in said


def test_another_python_of_this_machine(monkeypatch):
    here = [
        environments_python.Interpreter(Path(f"/p{text}"), environments_python.Version(text))
        for text in ("3.8.18", "3.9.1", "3.9.7", "3.13.0")
    ]
    monkeypatch.setattr(environments_python, "installed_interpreters", lambda: here)
    own = environments_python.own_interpreter()

    def wanted(text):
        return environments_python.SpecifierSet(text)

    assert environments_python.fitting(wanted("")) == own
    assert environments_python.fitting(wanted("==3.10.*")) == own
    assert environments_python.fitting(wanted("==3.9.*")) == here[2]
    assert environments_python.fitting(wanted("==3.7.*")) is None
    assert environments_python.nearest(wanted("==3.7.*")) == here[0]
    assert environments_python.nearest(wanted("==3.12.*")) == here[3]
    # Just as far from 3.10 as from another one: the workspace's own wins.
    monkeypatch.setattr(environments_python, "installed_interpreters", lambda: [here[3]])
    assert environments_python.nearest(wanted("==3.11.*")) == own


def test_pythons_of_this_machine_run():
    for found in environments_python.installed_interpreters():
        code = "import platform; print(platform.python_version())"
        assert output_of(found.path, code) == str(found.version)


def test_uv_lists_the_pythons_once_for_all_who_ask(slow_uv, monkeypatch):
    monkeypatch.setattr(environments_python, "_listed", None)
    found = environments_python.installed_interpreters()
    assert environments_python.installed_interpreters() == found
    assert (slow_uv / "calls").read_text().count("python list") == 1
    monkeypatch.setattr(environments_python, "_LISTED_FOR_SECONDS", 0.0)
    environments_python.installed_interpreters()
    assert (slow_uv / "calls").read_text().count("python list") == 2


def test_a_uv_that_cannot_list_the_pythons_leaves_the_workspaces_own(monkeypatch):
    monkeypatch.setattr(environments_python, "_listed", None)
    monkeypatch.setattr(environments_python, "uv_command", lambda: ["false"])
    wanted = environments_python.SpecifierSet("==3.7.*")
    assert environments_python.fitting(wanted) is None
    assert environments_python.nearest(wanted) == environments_python.own_interpreter()


def test_the_users_settings_reach_the_installer():
    environment = environments_python.installer_environment(
        {
            "PIP_EXTRA_INDEX_URL": "https://one.example https://two.example",
            "PIP_FIND_LINKS": "/a /b",
            "PIP_INDEX_URL": "https://from-pip.example",
            "UV_DEFAULT_INDEX": "https://from-uv.example",
            "PIP_CERT": "/company.pem",
            "SSL_CERT_FILE": "/x/.local_workspace/certificates/authority.pem",
            "ARM_CLOUD_METADATA_URL": "https://localhost:1/metadata",
            "PYTHONPATH": "/x",
            "HTTPS_PROXY": "http://proxy.example",
        }
    )
    assert environment["UV_INDEX"] == "https://one.example https://two.example"
    assert environment["UV_FIND_LINKS"] == "/a,/b"
    assert environment["UV_DEFAULT_INDEX"] == "https://from-uv.example"
    assert environment["SSL_CERT_FILE"] == "/company.pem"
    assert environment["HTTPS_PROXY"] == "http://proxy.example"
    assert not {"ARM_CLOUD_METADATA_URL", "PYTHONPATH"} & set(environment)


def test_passwords_are_not_logged(builder, wheels, monkeypatch):
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    address = "https://user:hidden-word@localhost:1/x-1-py3-none-any.whl"
    said = []
    with pytest.raises(EnvironmentBuildError) as caught:
        builder.ensure(from_wheels(wheels, f"x @ {address}"), said.append)
    assert "localhost:1" in str(caught.value)
    assert "hidden-word" not in "\n".join([*said, str(caught.value)])
