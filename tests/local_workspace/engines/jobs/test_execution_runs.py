"""A run on a cluster: what arrives, what comes back, which states it goes through."""

import io
import json
import threading
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from azureml.core import Experiment, Run, ScriptRunConfig
from azureml.core.runconfig import DockerConfiguration
from azureml.exceptions import ActivityFailedException
from execution_helpers import (
    GATE,
    error_of,
    is_alive,
    json_of,
    own_environment,
    text_of,
    wait_for,
    wait_until,
)


def test_a_script_gets_its_arguments_files_and_variables_and_gives_back_its_own(lab, tmp_path):
    environment = own_environment(FROM_THE_ENVIRONMENT="1")
    configuration = lab.configuration(
        """
        import json, os, sys
        print("arguments", sys.argv[1:])
        print("and this went to stderr", file=sys.stderr)
        os.makedirs("outputs/models")
        open("outputs/models/model.txt", "w").write("a model")
        open("logs/training.log", "w").write("a log")
        json.dump(
            {
                "argv": sys.argv[1:],
                "snapshot": open("readme.txt").read(),
                "variables": dict(os.environ),
                "folder": os.getcwd(),
            },
            open("outputs/seen.json", "w"),
        )
        """,
        "--rate",
        0.5,
        "two words",
        environment=environment,
    )
    configuration.run_config.environment_variables = {"FROM_THE_RUN": "2"}
    run = lab.experiment().submit(configuration)

    run.wait_for_completion()

    seen = json_of(run, "outputs/seen.json", tmp_path)
    assert seen["argv"] == ["--rate", "0.5", "two words"]
    assert seen["snapshot"] == "part of the snapshot"
    assert seen["variables"]["FROM_THE_ENVIRONMENT"] == "1"
    assert seen["variables"]["FROM_THE_RUN"] == "2"
    assert seen["variables"]["AZUREML_RUN_ID"] == run.id
    assert seen["folder"] != configuration.source_directory
    assert {"outputs/models/model.txt", "outputs/seen.json", "logs/training.log"} <= set(
        run.get_file_names()
    )
    assert text_of(run, "outputs/models/model.txt", tmp_path) == "a model"
    log = text_of(run, "user_logs/std_log.txt", tmp_path)
    assert "arguments ['--rate', '0.5', 'two words']" in log
    assert "and this went to stderr" in log


def test_details_tell_what_ran_where_and_when(lab):
    run = lab.submit("print('hello from the job')")
    run.wait_for_completion()
    details = run.get_details_with_logs()
    assert details["status"] == "Completed"
    assert details["target"] == "cpu"
    assert details["startTimeUtc"] < details["endTimeUtc"]
    assert details["runDefinition"]["script"] == "train.py"
    assert details["properties"]["_azureml.ComputeTargetType"] == "amlctrain"
    assert details["properties"]["ContentSnapshotId"] == run.get_snapshot_id()
    assert "hello from the job" in details["logFiles"]["user_logs/std_log.txt"]
    assert "error" not in details
    assert run.type == "azureml.scriptrun"
    assert Run.get(lab.ws, run.id).get_status() == "Completed"


def test_states_come_in_azures_order_and_can_be_watched(lab):
    run = lab.submit(GATE + "wait_for(sys.argv[1])", str(lab.gate()))
    assert wait_for(run, "Running") == "Running"
    details = run.get_details()
    assert details["startTimeUtc"] and "endTimeUtc" not in details
    # What holds the token of the run is for the owner's eyes only.
    specification = lab.server.paths.runs / run.id / "attempt-1" / "process-0.json"
    assert specification.stat().st_mode & 0o077 == 0
    lab.gate().touch()
    wait_for(run)
    states = ["Preparing", "Queued", "Running", "Finalizing", "Completed"]
    assert lab.states_of(run) == states


def test_the_log_is_shown_while_the_run_runs(lab):
    script = GATE + "print('before the gate'); wait_for(sys.argv[1]); print('behind the gate')"
    run = lab.submit(script, str(lab.gate()))
    shown = io.StringIO()

    def watch():
        with redirect_stdout(shown):
            run.wait_for_completion(show_output=True)

    watcher = threading.Thread(target=watch)
    watcher.start()
    wait_until(lambda: "before the gate" in shown.getvalue())
    assert run.get_status() == "Running"
    assert "behind the gate" not in shown.getvalue()
    lab.gate().touch()
    watcher.join(60)
    assert "behind the gate" in shown.getvalue()
    assert "Streaming user_logs/std_log.txt" in shown.getvalue()
    assert "Execution Summary" in shown.getvalue()


def test_all_logs_can_be_downloaded(lab, tmp_path):
    run = lab.submit("print('to be downloaded')")
    wait_for(run)
    files = run.get_all_logs(destination=str(tmp_path / "logs"))
    assert any("to be downloaded" in Path(file).read_text() for file in files)


def test_the_log_is_shown_in_the_letters_it_was_written_in(lab):
    run = lab.submit("print('Größe 5 µm, 数据, 🏃')")
    shown = io.StringIO()
    with redirect_stdout(shown):
        run.wait_for_completion(show_output=True)
    assert "Größe 5 µm, 数据, 🏃" in shown.getvalue()


def test_a_command_is_a_line_for_the_shell(lab, tmp_path):
    run = lab.submit(command="mkdir -p outputs && echo $AZUREML_RUN_ID > outputs/id.txt; cat *.txt")
    wait_for(run)
    assert text_of(run, "outputs/id.txt", tmp_path).strip() == run.id
    assert "part of the snapshot" in text_of(run, "user_logs/std_log.txt", tmp_path)


def test_an_exception_of_the_script_is_the_error_of_the_run(lab, tmp_path):
    run = lab.submit(
        """
        def divide(a):
            return a / 0
        open("outputs/partial.txt", "w").write("kept")
        divide(1)
        """
    )
    with pytest.raises(ActivityFailedException) as raised:
        run.wait_for_completion()
    assert "ZeroDivisionError: division by zero" in str(raised.value)
    assert "in divide" in str(raised.value)
    error = error_of(run)
    assert error["code"] == "UserError"
    assert error["message"].startswith("User program failed with ZeroDivisionError: division by")
    assert "train.py" in json.dumps(error) and "driver.py" not in json.dumps(error)
    assert run.get_status() == "Failed"
    assert text_of(run, "outputs/partial.txt", tmp_path) == "kept"
    assert "ZeroDivisionError" in text_of(run, "user_logs/std_log.txt", tmp_path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"script": "import sys; sys.exit(3)"}, "exit code 3"),
        ({"command": "exit 4"}, "exit code 4"),
        ({"script": "import os; os.kill(os.getpid(), 9)"}, "killed by signal 9 (SIGKILL)"),
        ({"script": "import os; os.abort()"}, "killed by signal 6 (SIGABRT)"),
    ],
    ids=["exit", "command", "killed", "abort"],
)
def test_other_ends_of_the_process_are_told_too(lab, options, expected):
    run = lab.submit(**options)
    assert wait_for(run) == "Failed"
    assert expected in error_of(run)["message"]


def test_a_run_that_takes_too_long_is_canceled_and_says_why(lab, tmp_path):
    script = GATE + "open(sys.argv[1], 'w').write(str(os.getpid())); wait_for('never')"
    run = lab.submit(script, str(tmp_path / "pid"), max_run_duration_seconds=1)
    assert wait_for(run) == "Canceled"
    assert "longer than 1 seconds" in error_of(run)["message"]
    wait_until(lambda: not is_alive(int((tmp_path / "pid").read_text())))


def test_a_run_that_asks_for_docker_is_told_that_it_runs_without(lab, tmp_path):
    docker = DockerConfiguration(use_docker=True)
    run = lab.submit("print('in the environment')", docker_runtime_config=docker)
    assert wait_for(run) == "Completed"
    log = text_of(run, "azureml-logs/20_image_build_log.txt", tmp_path)
    assert "starts no containers" in log
    assert "in the environment" in text_of(run, "user_logs/std_log.txt", tmp_path)


def test_a_job_signs_in_as_its_run_and_has_no_other_secret(lab, tmp_path, monkeypatch):
    run = lab.submit(
        """
        import json, os
        from azureml.core import Run
        run = Run.get_context()
        renewed = run._client.run.get_token().token
        name = run.experiment.workspace.name
        seen = {"variables": dict(os.environ), "renewed": renewed, "name": name}
        json.dump(seen, open("outputs/seen.json", "w"))
        """
    )
    assert wait_for(run) == "Completed", error_of(run)
    seen = json_of(run, "outputs/seen.json", tmp_path)
    variables = seen["variables"]
    settings = lab.server.settings
    assert seen["name"] == settings.workspace_name
    assert seen["renewed"] not in ("", variables["AZUREML_RUN_TOKEN"])
    everything = json.dumps(seen)
    for secret in (settings.msi_secret, settings.storage_key, settings.signing_key):
        assert secret not in everything
    said = lab.server_log() + "".join(
        text_of(run, name, tmp_path) for name in run.get_file_names() if "log" in name
    )
    assert variables["AZUREML_RUN_TOKEN"] not in said


def test_children_of_a_run_can_be_submitted(lab):
    with Experiment(lab.ws, "execution").start_logging(snapshot_directory=None) as parent:
        child = parent.submit_child(
            ScriptRunConfig(
                lab.project("print(1)"),
                script="train.py",
                compute_target=lab.cluster(),
                environment=own_environment(),
            )
        )
        assert wait_for(child) == "Completed"
    assert [run.id for run in parent.get_children()] == [child.id]
    assert child.parent.id == parent.id


def test_a_run_that_collects_no_outputs_has_its_log_and_its_metrics(lab):
    configuration = lab.configuration(
        """
        from azureml.core import Run
        open("outputs/model.pkl", "w").write("weights")
        open("logs/own.txt", "w").write("own")
        Run.get_context().log("accuracy", 1)
        print("it ran")
        """
    )
    configuration.run_config.history.output_collection = False
    run = lab.experiment().submit(configuration)
    assert wait_for(run) == "Completed"
    names = run.get_file_names()
    assert "user_logs/std_log.txt" in names
    assert not {"outputs/model.pkl", "logs/own.txt"} & set(names)
    assert run.get_metrics() == {"accuracy": 1}
