"""Pipelines by the SDK: data between steps, parameters, failure, cancellation, reuse."""

import json

import pytest
from azureml.core import Dataset
from azureml.data import OutputFileDatasetConfig
from azureml.data.data_reference import DataReference
from azureml.data.datapath import DataPath, DataPathComputeBinding
from azureml.data.dataset_consumption_config import DatasetConsumptionConfig
from azureml.pipeline.core import PipelineData, PipelineParameter, PipelineRun
from azureml.pipeline.steps import CommandStep, MpiStep
from execution_helpers import GATE, error_of, text_of, wait_for, wait_until

WRITE_CSV = """
import os, sys
os.makedirs(sys.argv[1], exist_ok=True)
open(os.path.join(sys.argv[1], "x.csv"), "w").write("a,b\\n1,2\\n3,4\\n")
"""
READ_TABLE = """
from azureml.core import Run
run = Run.get_context()
run.log("rows", len(run.input_datasets["table"].to_pandas_dataframe()))
"""
SAY_ARGUMENTS = """
import json, os, sys
json.dump(sys.argv[1:], open("outputs/arguments.json", "w"))
"""


def metrics_of(run, step):
    (found,) = run.find_step_run(step)
    return found.get_metrics()


def arguments_of(run, step, folder):
    (found,) = run.find_step_run(step)
    return json.loads(text_of(found, "outputs/arguments.json", folder))


@pytest.fixture
def table(bench, folder):
    """A registered table of three rows at `pipelines/table.csv`."""
    (folder / "table.csv").write_text("a,b\n1,2\n3,4\n5,6\n")
    bench.store.upload_files(
        [str(folder / "table.csv")], target_path="pipelines", overwrite=True, show_progress=False
    )
    found = Dataset.Tabular.from_delimited_files((bench.store, "pipelines/table.csv"))
    return found.register(bench.ws, "pipelines-table", create_new_version=True)


def test_data_flows_between_steps(bench, table, folder):
    prepared = OutputFileDatasetConfig("prepared")
    single = PipelineData("single", datastore=bench.store)
    prepare = bench.step(
        "prepare",
        """
        import os, sys
        from azureml.core import Run
        run = Run.get_context()
        rows = run.input_datasets["raw"].to_pandas_dataframe()
        rows.to_csv(os.path.join(sys.argv[2], "rows.csv"), index=False)
        open(sys.argv[3], "w").write("one file")
        run.log("rows", len(rows))
        """,
        table.as_named_input("raw"),
        prepared,
        single,
        outputs=[single],
    )
    train = bench.step(
        "train",
        """
        import os, sys
        import pandas as pd
        from azureml.core import Run
        rows = pd.read_csv(os.path.join(sys.argv[1], "rows.csv"))
        run = Run.get_context()
        run.log("sum", int(rows["b"].sum()))
        run.log("said", open(sys.argv[2]).read())
        """,
        prepared.as_input("rows"),
        single,
        inputs=[single],
    )
    run = bench.run(prepare, train)
    assert run.get_status() == "Finished"
    assert run.get_details()["status"] == "Completed"
    assert metrics_of(run, "prepare") == {"rows": 3}
    assert metrics_of(run, "train") == {"sum": 12, "said": "one file"}
    (step,) = run.find_step_run("prepare")
    output = step.get_output_data("prepared")
    assert output.download(str(folder / "there")) == 1
    assert (folder / "there" / output.path_on_datastore / "rows.csv").exists()
    names = [node.name for node in run.get_graph().nodes]
    assert sorted(names) == ["pipelines-table", "prepare", "train"]
    assert "is submitted" in text_of(run, "logs/azureml/executionlogs.txt", folder)


def test_a_run_is_found_again_with_its_tags_and_parent(bench):
    run = bench.run(bench.step("only", "print(1)"), tags={"lesson": "06"})
    again = PipelineRun.get(bench.ws, run.id)
    assert again.get_tags() == {"lesson": "06"}
    (step,) = again.get_steps()
    assert (step.name, step.type, step.pipeline_run_id) == ("only", "azureml.StepRun", run.id)
    assert step.parent.id == run.id


def test_the_log_of_a_step_is_streamed(bench, capsys):
    run = bench.submit(bench.step("talks", "print('said ' + 'in the script')"))
    run.wait_for_completion(show_output=True)
    (step,) = run.get_steps()
    assert "said in the script" in step.get_stdout_log()
    assert "said in the script" in step.get_job_log()
    assert step.get_stderr_log() == ""
    assert "PipelineRun Status: Finished" in capsys.readouterr().out


def test_a_failure_stops_what_has_not_begun(bench):
    bad = bench.step("bad", "raise ValueError('no good')")
    after = bench.step("after", "print(1)")
    after.run_after(bad)
    run = bench.run(bad, after)
    assert run.get_status() == "Failed"
    assert bench.status_of(run) == {"bad": "Failed"}
    message = error_of(run)["message"]
    assert "'bad'" in message
    assert "no good" in message
    assert "Not begun: after" in message


def test_a_failure_ends_what_runs_or_lets_it_go_on(bench):
    gate = bench.lab.gate()
    slow = bench.step("slow", GATE + "wait_for(sys.argv[1])", str(gate))
    bad = bench.step("bad", "raise ValueError('no good')")
    run = bench.run(slow, bad)
    assert run.get_status() == "Failed"
    assert bench.status_of(run) == {"slow": "Canceled", "bad": "Failed"}

    run = bench.submit(slow, bad, continue_on_step_failure=True)
    wait_until(lambda: bench.status_of(run).get("bad") == "Failed")
    gate.touch()
    assert bench.end(run) == "Failed"
    assert bench.status_of(run) == {"slow": "Finished", "bad": "Failed"}


def test_cancellation_reaches_the_steps_that_run(bench):
    gate = bench.lab.gate()
    first = bench.step("first", GATE + "wait_for(sys.argv[1])", str(gate))
    second = bench.step("second", "print(1)")
    second.run_after(first)
    run = bench.submit(first, second)
    wait_until(lambda: bench.status_of(run).get("first") == "Running")
    run.cancel()
    assert bench.end(run) == "Canceled"
    assert run.get_details()["status"] == "Canceled"
    assert bench.status_of(run) == {"first": "Canceled"}


def test_a_step_that_is_canceled_fails_its_pipeline(bench):
    run = bench.submit(bench.step("only", GATE + "wait_for(sys.argv[1])", "never"))
    (step,) = wait_until(lambda: list(run.get_steps()))
    wait_for(step, "Running")
    step.cancel()
    assert bench.end(run) == "Failed"
    assert bench.status_of(run) == {"only": "Canceled"}


def test_parameters_have_defaults_and_other_values(bench, folder):
    rate = PipelineParameter("rate", default_value=0.5)
    rounds = PipelineParameter("rounds", default_value=3)
    step = bench.step("say", SAY_ARGUMENTS, "--rate", rate, "--rounds", rounds)
    run = bench.run(step)
    assert arguments_of(run, "say", folder) == ["--rate", "0.5", "--rounds", "3"]
    run = bench.run(step, pipeline_parameters={"rate": 0.25})
    assert arguments_of(run, "say", folder) == ["--rate", "0.25", "--rounds", "3"]


def test_paths_and_datasets_as_parameters(bench, table):
    reference = DataReference(bench.store, "one_file", path_on_datastore="pipelines/table.csv")
    path = PipelineParameter("folder", default_value=DataPath(bench.store, "pipelines"))
    binding = (path, DataPathComputeBinding(mode="mount"))
    given = DatasetConsumptionConfig("table", PipelineParameter("data", default_value=table))
    step = bench.step(
        "look",
        READ_TABLE + "import os, sys\nrun.log('names', ','.join(sorted(os.listdir(sys.argv[2]))))\n"
        "run.log('bytes', os.path.getsize(sys.argv[1]))",
        reference,
        binding,
        given,
        inputs=[reference, binding, given],
    )
    run = bench.run(step)
    assert run.get_status() == "Finished", error_of(run)["message"]
    assert metrics_of(run, "look") == {"rows": 3, "names": "table.csv", "bytes": 16}
    other = Dataset.Tabular.from_delimited_files((bench.store, "pipelines/*.csv")).take(2)
    run = bench.run(
        step,
        pipeline_parameters={"folder": DataPath(bench.store, "pipelines"), "data": other},
    )
    assert metrics_of(run, "look")["rows"] == 2


def test_an_output_is_registered_as_a_table_once_a_run(bench):
    output = (
        OutputFileDatasetConfig("table", destination=(bench.store, "registered/{run-id}"))
        .as_upload(overwrite=True)
        .read_delimited_files()
        .register_on_complete("pipelines-output", tags={"made": "here"})
    )
    write = bench.step("write", WRITE_CSV, output)
    read = bench.step("read", READ_TABLE, inputs=[output.as_input("table")])
    run = bench.run(write, read)
    assert metrics_of(run, "read") == {"rows": 2}
    found = Dataset.get_by_name(bench.ws, "pipelines-output")
    assert (found.version, found.tags) == (1, {"made": "here"})
    assert list(found.to_pandas_dataframe()["b"]) == ["2", "4"]


def test_pipeline_data_is_read_as_a_table(bench):
    data = PipelineData("data", datastore=bench.store).as_dataset()
    write = bench.step("write", WRITE_CSV, data, outputs=[data])
    table = data.parse_delimited_files().as_named_input("table")
    run = bench.run(write, bench.step("read", READ_TABLE, inputs=[table]))
    assert metrics_of(run, "read") == {"rows": 2}


def test_commands(bench, folder):
    command = CommandStep(
        name="command",
        command="echo 'two  words' > outputs/said.txt && echo $HOME",
        source_directory=bench.lab.project(),
        compute_target=bench.cluster,
        runconfig=bench.configuration,
        allow_reuse=False,
    )
    run = bench.run(command)
    assert run.get_status() == "Finished"
    (step,) = run.get_steps()
    assert text_of(step, "outputs/said.txt", folder) == "two  words\n"


def test_several_nodes(bench):
    mpi = MpiStep(
        name="mpi",
        script_name="train.py",
        source_directory=bench.lab.project(
            "import os; print(os.environ['OMPI_COMM_WORLD_RANK'], 'is here')"
        ),
        arguments=["-x"],
        compute_target=bench.cluster,
        node_count=2,
        process_count_per_node=1,
        environment_definition=bench.environment,
        allow_reuse=False,
    )
    (step,) = bench.run(mpi).get_steps()
    logs = [name for name in step.get_file_names() if name.startswith("user_logs/")]
    assert logs == ["user_logs/std_log_process_0.txt", "user_logs/std_log_process_1.txt"]
