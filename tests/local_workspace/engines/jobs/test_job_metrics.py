"""Metrics that were logged last are there, whatever logged them and for whichever run."""

import pytest
from execution_helpers import own_environment, text_of, wait_for

LOG = """\
from azureml.core import Run
Run.get_context().log("last", 1)
"""


def done(run):
    assert wait_for(run) == "Completed", run.get_details()
    return run


@pytest.mark.parametrize("target", [None, "local"])
def test_of_the_parent_and_of_children(lab, tmp_path, monkeypatch, target):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    parent = lab.experiment().start_logging(snapshot_directory=None)
    script = """
        from azureml.core import Run
        run = Run.get_context()
        for number, child in enumerate(run.create_children(count=12)):
            child.log("number", number)
        run.child_run("by_name").log("own", 1)
        run.parent.log("of the parent", 2)
        run.log("of the run", 3)
    """
    configuration = lab.configuration(script, target=target)
    run = parent.submit_child(configuration)
    done(run)
    assert run.get_metrics() == {"of the run": 3}
    found = [child.get_metrics() for child in run.get_children()]
    assert {"own": 1} in found
    assert sorted(one["number"] for one in found if "number" in one) == list(range(12))
    assert parent.get_metrics() == {"of the parent": 2}
    parent.complete()


def test_of_a_command(lab):
    run = done(lab.submit(command=["python", "train.py"], source_directory=lab.project(LOG)))
    assert run.get_metrics() == {"last": 1}


def test_of_processes_that_a_script_starts(lab):
    script = """
        import multiprocessing, subprocess, sys
        def log(number):
            from azureml.core import Run
            Run.get_context().log(f"pool {number}", number)
        if __name__ == "__main__":
            with open("other.py", "w") as file:
                file.write(
                    "import threading\\n"
                    "from azureml.core import Run\\n"
                    "Run.get_context().log('by itself', 1)\\n"
                    "raise SystemExit(7)\\n"
                )
            assert subprocess.call([sys.executable, "other.py"]) == 7
            process = multiprocessing.get_context("spawn").Process(target=log, args=(2,))
            process.start()
            process.join()
            assert process.exitcode == 0
    """
    run = done(lab.submit(script))
    assert run.get_metrics() == {"by itself": 1, "pool 2": 2}


def test_a_script_that_fails_has_its_metrics(lab):
    run = lab.submit(command=["python", "train.py"], source_directory=lab.project(LOG + "1 / 0"))
    assert wait_for(run) == "Failed"
    assert run.get_metrics() == {"last": 1}


def test_what_a_job_starts_finds_its_own_modules(lab, tmp_path):
    """Nothing that the standard library has is imported beforehand, and sitecustomize is theirs."""
    project = lab.project("import queue, sitecustomize; print(queue.NAME, sitecustomize.NAME)")
    for name in ("queue", "sitecustomize"):
        (tmp_path / project / f"{name}.py").write_text(f"NAME = 'own {name}'")
    run = done(
        lab.submit(
            command=["python", "train.py"],
            source_directory=project,
            environment=own_environment(PYTHONPATH="."),
        )
    )
    assert text_of(run, "user_logs/std_log.txt", tmp_path) == "own queue own sitecustomize\n"
