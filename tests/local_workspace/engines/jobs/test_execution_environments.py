"""The environments of runs: built once, with their log, or the reason why not."""

import io
import threading
from contextlib import redirect_stdout

import psutil
import pytest
import requests
from azureml.core import Environment
from execution_helpers import (
    PackageIndex,
    error_of,
    is_alive,
    text_of,
    wait_for,
    wait_until,
)
from studio_browser import text
from tiny_wheels import PYTHON_36

from local_workspace.process import read_state

BUILD_LOG = "azureml-logs/20_image_build_log.txt"


@pytest.fixture
def index(tmp_path):
    with PackageIndex(tmp_path / "wheels") as index:
        yield index


def test_runs_that_ask_for_the_same_environment_at_once_build_it_once(lab, index, tmp_path):
    index.add("shared_package", "1.0")
    index.hold()
    script = "import shared_package; print('version', shared_package.version)"
    environment = index.environment("shared-package")
    first = lab.submit(script, environment=environment)
    wait_until(lambda: index.asked("shared-package"))
    second = lab.submit(script, environment=environment)
    wait_for(second, "Preparing")
    assert first.get_status() == "Preparing"
    index.go()
    for run in (first, second):
        assert wait_for(run) == "Completed"
        assert "version 1.0" in text_of(run, "user_logs/std_log.txt", tmp_path)
        assert "shared-package==1.0" in text_of(run, BUILD_LOG, tmp_path)
    files = [path for path in index.requests if path.startswith("/files/")]
    assert index.asked("shared-package") == 1
    assert len(set(files)) == 1

    third = lab.submit(script, environment=environment)
    assert wait_for(third) == "Completed"
    assert index.asked("shared-package") == 1


def test_a_package_that_does_not_exist_fails_the_run_with_the_installers_words(
    lab, index, tmp_path
):
    run = lab.submit("print(1)", environment=index.environment("no-such-package-anywhere"))
    assert wait_for(run) == "Failed"
    message = error_of(run)["message"]
    assert message.startswith("The environment could not be built.")
    assert "no-such-package-anywhere" in message
    assert "no-such-package-anywhere" in text_of(run, BUILD_LOG, tmp_path)
    assert "Queued" not in lab.states_of(run)


def test_a_version_that_gives_way_is_told_by_the_log_the_run_and_its_page(
    lab, index, browser, tmp_path
):
    index.add("aged_package", "1.0", tag=PYTHON_36)
    index.add("aged_package", "1.4")
    environment = index.environment("aged-package==1.0")
    for _ in range(2):
        # The first run builds the environment, the second finds it.
        run = lab.submit("import aged_package as p; print(p.version)", environment=environment)
        assert wait_for(run) == "Completed"
        assert "1.4" in text_of(run, "user_logs/std_log.txt", tmp_path)
        (warning,) = run.get_details()["warnings"]
        assert warning["message"].startswith("The environment asks for aged-package==1.0, which")
        assert warning["message"].endswith(": aged-package 1.4 is used.")
        assert warning["message"] in text_of(run, BUILD_LOG, tmp_path)
        assert warning["message"] in text(browser.page(run.get_portal_url()).main)


def test_the_log_of_the_build_is_streamed(lab, index):
    index.add("streamed_package", "1.0")
    index.hold()
    run = lab.submit("print(1)", environment=index.environment("streamed-package"))
    shown = io.StringIO()

    def watch():
        with redirect_stdout(shown):
            run.wait_for_completion(show_output=True)

    watcher = threading.Thread(target=watch)
    watcher.start()
    missing = "Not in the workspace's own environment: streamed-package"
    wait_until(lambda: missing in shown.getvalue())
    assert f"Streaming {BUILD_LOG}" in shown.getvalue()
    assert run.get_status() == "Preparing"
    index.go()
    watcher.join(60)
    assert run.get_status() == "Completed"


def test_an_interpreter_that_is_not_there_fails_the_run(lab):
    environment = Environment("elsewhere")
    environment.python.user_managed_dependencies = True
    environment.python.interpreter_path = "/no/such/python"
    run = lab.submit("print(1)", environment=environment)
    assert wait_for(run) == "Failed"
    assert "'/no/such/python' is not a program of this machine" in error_of(run)["message"]


def test_an_environment_without_the_sdk_runs_scripts_that_do_not_need_it(lab, index, tmp_path):
    index.add("lonely_package", "1.0")
    environment = index.environment("lonely-package")
    run = lab.submit("import azureml.core", environment=environment)
    assert wait_for(run) == "Failed"
    assert "No module named 'azureml'" in error_of(run)["message"]


def test_long_builds_do_not_hold_up_other_runs(lab, index):
    index.hold()
    names = [f"held{number}" for number in range(3)]
    building = [lab.submit("print(1)", environment=index.environment(name)) for name in names]
    # Two builds go on at a time.
    wait_until(lambda: sum(index.asked(name) for name in names) == 2)
    wait_until(lambda: "Other environments are built first." in build_log(building[2]))
    assert wait_for(lab.submit("print(2)")) == "Completed"
    assert {run.get_status() for run in building} == {"Preparing"}
    index.go()
    for run in building:
        assert wait_for(run) == "Failed"


def build_log(run):
    """What is in the log of a run's environment by now."""
    address = run.get_details()["logFiles"].get(BUILD_LOG)
    return requests.get(address, timeout=10).text if address else ""


def test_many_runs_wait_for_one_build_and_can_be_canceled(lab, index):
    index.add("wanted_package", "1.0")
    index.hold()
    options = {"environment": index.environment("wanted-package"), "command": "true"}
    project = lab.project()
    waiting = [lab.submit(source_directory=project, **options) for _ in range(17)]
    wait_until(lambda: index.asked("wanted-package"))
    assert wait_for(lab.submit("print('needs none')")) == "Completed"
    assert {run.get_status() for run in waiting} == {"Preparing"}

    # One that waits ends at once; the others go on waiting, and only the last ends the build.
    (installer,) = installers(lab.server)
    waiting[0].cancel()
    assert wait_for(waiting[0]) == "Canceled"
    assert is_alive(installer)
    for run in waiting[1:]:
        run.cancel()
    for run in waiting:
        assert wait_for(run) == "Canceled"
    wait_until(lambda: not is_alive(installer))
    assert index.asked("wanted-package") == 1


def installers(server):
    """The processes that install packages."""
    found = psutil.Process(read_state(server.paths).pid).children(recursive=True)
    return [one.pid for one in found if "uv" in one.name() and "install" in one.cmdline()]
