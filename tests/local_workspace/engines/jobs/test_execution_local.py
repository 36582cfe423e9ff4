"""compute_target='local': the run is started by the SDK, in a copy of the project it makes."""

import json
import os
from pathlib import Path

import pytest
from azureml.core.runconfig import DockerConfiguration
from execution_helpers import (
    GATE,
    PackageIndex,
    error_of,
    is_alive,
    json_of,
    own_environment,
    text_of,
    wait_for,
    wait_until,
)


@pytest.fixture
def lab(lab, tmp_path, monkeypatch):
    # The SDK copies projects into the folder for temporary files, and does not clean up.
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return lab


def test_it_runs_in_the_copy_with_the_callers_environment(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("OF_THE_CALLER", "seen")
    configuration = lab.configuration(
        """
        import json, os, sys
        from azureml.core import Run
        run = Run.get_context()
        run.log("answer", 42)
        print("hello from", run.id)
        seen = {"variables": dict(os.environ), "folder": os.getcwd(), "argv": sys.argv[1:]}
        json.dump(seen, open("outputs/seen.json", "w"))
        """,
        "--name",
        "value",
        target="local",
        environment=own_environment(FROM_THE_ENVIRONMENT="1"),
    )
    run = lab.experiment().submit(configuration)
    assert wait_for(run) == "Completed", error_of(run)
    seen = json_of(run, "outputs/seen.json", tmp_path)
    assert seen["argv"] == ["--name", "value"]
    assert Path(seen["folder"]) == tmp_path / "temporary" / "azureml_runs" / run.id
    variables = seen["variables"]
    assert variables["OF_THE_CALLER"] == "seen"
    assert variables["FROM_THE_ENVIRONMENT"] == "1"
    assert variables["HOME"] == os.environ["HOME"]
    assert lab.server.settings.msi_secret not in json.dumps(variables)
    assert lab.server.settings.storage_key not in json.dumps(variables)
    assert f"hello from {run.id}" in text_of(run, "user_logs/std_log.txt", tmp_path)
    assert run.get_metrics() == {"answer": 42}
    details = run.get_details()
    assert details["target"] == "local"
    assert details["properties"]["_azureml.ComputeTargetType"] == "local"
    assert lab.states_of(run) == ["Preparing", "Queued", "Running", "Finalizing", "Completed"]


def test_an_exception_is_its_error(lab):
    run = lab.submit("raise ValueError('on this machine')", target="local")
    assert wait_for(run) == "Failed"
    assert "ValueError: on this machine" in error_of(run)["message"]


def test_the_log_grows_while_it_runs(lab):
    script = GATE + "print('on the way'); wait_for(sys.argv[1])"
    run = lab.submit(script, str(lab.gate()), target="local")
    logs = wait_until(
        lambda: (
            "user_logs/std_log.txt" in (logs := run.get_details_with_logs()["logFiles"]) and logs
        )
    )
    assert "on the way" in logs["user_logs/std_log.txt"]
    assert run.get_status() == "Running"
    lab.gate().touch()
    assert wait_for(run) == "Completed"


def test_cancel_ends_its_process(lab, tmp_path):
    script = GATE + "open(sys.argv[1], 'w').write(str(os.getpid())); wait_for('never')"
    run = lab.submit(script, str(tmp_path / "pid"), target="local")
    pid = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    run.cancel()
    assert wait_for(run) == "Canceled"
    wait_until(lambda: not is_alive(pid))
    run.cancel()
    assert run.get_status() == "Canceled"


def test_cancel_before_it_runs(lab, tmp_path):
    with PackageIndex(tmp_path / "wheels") as index:
        index.hold()
        environment = index.environment("held-locally")
        run = lab.submit("print(1)", target="local", environment=environment)
        wait_until(lambda: index.asked("held-locally"))
        run.cancel()
        assert wait_for(run) == "Canceled"
        wait_until(lambda: not (lab.server.paths.runs / run.id).exists())
    assert "Running" not in lab.states_of(run)


def test_an_environment_is_built_for_it(lab, tmp_path):
    with PackageIndex(tmp_path / "wheels") as index:
        index.add("local_package", "3.1")
        script = "import local_package; print('version', local_package.version)"
        environment = index.environment("local-package")
        run = lab.submit(script, target="local", environment=environment)
        assert wait_for(run) == "Completed", error_of(run)
    assert "version 3.1" in text_of(run, "user_logs/std_log.txt", tmp_path)


def test_with_docker_it_runs_in_the_environment_and_says_so(lab, tmp_path):
    docker = DockerConfiguration(use_docker=True)
    run = lab.submit("print('no container')", target="local", docker_runtime_config=docker)
    assert wait_for(run) == "Completed"
    assert "starts no containers" in text_of(run, "azureml-logs/20_image_build_log.txt", tmp_path)


def test_a_command_runs_too(lab, tmp_path):
    run = lab.submit(command="cat readme.txt > outputs/copy.txt", target="local")
    assert wait_for(run) == "Completed"
    assert text_of(run, "outputs/copy.txt", tmp_path) == "part of the snapshot"


def test_local_runs_do_not_wait_for_each_other(lab):
    gate = lab.gate()
    held = lab.submit(GATE + "wait_for(sys.argv[1])", str(gate), target="local")
    wait_for(held, "Running")
    assert wait_for(lab.submit("print(1)", target="local")) == "Completed"
    gate.touch()
    assert wait_for(held) == "Completed"


def test_nothing_of_it_stays_with_the_server(lab):
    run = lab.submit("print(1)", target="local")
    wait_for(run)
    wait_until(lambda: not (lab.server.paths.runs / run.id).exists())
