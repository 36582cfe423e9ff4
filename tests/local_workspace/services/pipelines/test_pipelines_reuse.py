"""Equal work is done once, and other work is done."""

from azureml.data import OutputFileDatasetConfig
from azureml.pipeline.core import PipelineParameter

WRITE_CSV = """
import os, sys
os.makedirs(sys.argv[1], exist_ok=True)
open(os.path.join(sys.argv[1], "x.csv"), "w").write("a,b\\n1,2\\n3,4\\n")
"""


def metrics_of(run, step):
    (found,) = run.find_step_run(step)
    return found.get_metrics()


def test_equal_work_is_taken_from_an_earlier_run(bench):
    output = OutputFileDatasetConfig("written")
    write = bench.step("write", WRITE_CSV, output, allow_reuse=True)
    read = bench.step(
        "read",
        """
        import os, sys
        from azureml.core import Run
        run = Run.get_context()
        run.log("files", len(os.listdir(sys.argv[1])))
        open("outputs/here.txt", "w").write("x")
        """,
        output.as_input("written"),
        allow_reuse=True,
    )
    first = bench.run(write, read)
    second = bench.run(write, read)
    reused = {step.name: step for step in second.get_steps()}
    for name, step in reused.items():
        (earlier,) = first.find_step_run(name)
        assert step.properties["azureml.isreused"] == "true"
        assert step.properties["azureml.reusedrunid"] == earlier.id
        assert step.get_status() == "Finished"
    assert reused["read"].get_metrics() == {"files": 1}
    assert "outputs/here.txt" in reused["read"].get_file_names()
    (earlier,) = first.find_step_run("write")
    assert (
        reused["write"].get_output_data("written").path_on_datastore
        == earlier.get_output_data("written").path_on_datastore
    )
    regenerated = bench.run(write, read, regenerate_outputs=True)
    assert not any(step.properties.get("azureml.isreused") for step in regenerated.get_steps())


def test_other_work_is_done_again(bench):
    rate = PipelineParameter("rate", default_value=1)
    project = bench.lab.project("print(1)")
    options = {"source_directory": project, "allow_reuse": True}
    step = bench.step("same", "", rate, **options)
    assert not reused(bench.run(step))
    assert reused(bench.run(step))
    assert not reused(bench.run(step, pipeline_parameters={"rate": 2}))
    # The client's fingerprint of the module knows nothing of the environment.
    bench.environment.environment_variables = {"OTHER": "yes"}
    assert not reused(bench.run(bench.step("same", "", rate, **options)))
    bench.environment.environment_variables = {}
    assert not reused(bench.run(bench.step("same", "", rate, **{**options, "allow_reuse": False})))


def test_what_reads_a_place_that_was_written_again_is_done_again(bench):
    number = PipelineParameter("number", default_value=1)
    output = OutputFileDatasetConfig("out", destination=(bench.store, "same-place"))
    write = bench.step(
        "write",
        "import sys; open(sys.argv[1] + '/x.txt', 'w').write(sys.argv[2])",
        output,
        number,
        allow_reuse=True,
    )
    read = bench.step(
        "read",
        """
        import sys
        from azureml.core import Run
        Run.get_context().log("read", int(open(sys.argv[1] + "/x.txt").read()))
        """,
        output.as_input("written"),
        allow_reuse=True,
    )
    assert metrics_of(bench.run(write, read), "read") == {"read": 1}
    again = bench.run(write, read, pipeline_parameters={"number": 2})
    assert metrics_of(again, "read") == {"read": 2}


def reused(run):
    (step,) = run.get_steps()
    assert step.get_status() == "Finished"
    return step.properties.get("azureml.isreused") == "true"
