"""A script in a job runs as `python script.py` does, and ends as it ends there."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from execution_helpers import (
    GATE,
    error_of,
    json_of,
    text_of,
    wait_for,
    wait_until,
)

from local_workspace.job_side import driver

SHOW_MAIN = """\
import inspect, json, sys
import __main__
def own():
    return 1
json.dump(
    {
        "argv": sys.argv,
        "path": sys.path[0],
        "file": __file__,
        "names": sorted(name for name in globals() if name.startswith("__")),
        "is_main": __main__.own is own,
        "main": __name__,
        "source": inspect.getsource(own),
        "annotations": str(__annotations__),
        "executable": sys.executable,
        "sibling": __import__("sibling").NAME,
    },
    open("seen.json", "w"),
)
"""


class Job:
    """One process of a job, started as a node starts it, without a server."""

    def __init__(self, folder):
        self.folder = folder

    def start(self, text=None, *arguments, command="", script="train.py", **variables):
        if text is not None:
            target = self.folder / script
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        specification = {
            "script": script,
            "command": command,
            "arguments": list(arguments),
            "inputs": [],
            "outputs": [],
            "result": str(self.folder / "result.json"),
            "environment": {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **variables},
        }
        path = self.folder / "process.json"
        path.write_text(json.dumps(specification))
        return subprocess.Popen(
            [sys.executable, "-u", driver.__file__, str(path)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments, **options):
        """The exit code, what was printed, and the error that the driver tells."""
        process = self.start(*arguments, **options)
        printed, _ = process.communicate(timeout=30)
        result = json.loads((self.folder / "result.json").read_text())
        assert result["exit_code"] == process.returncode
        return process.returncode, printed, result.get("error")


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


@pytest.mark.parametrize("script", ["train.py", "deep/er/train.py"])
def test_the_script_sees_what_python_shows_it(job, tmp_path, script):
    (tmp_path / script).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / script).with_name("sibling.py").write_text("NAME = 'beside the script'")
    assert job.run(SHOW_MAIN, "--a", "b c", script=script) == (0, "", None)
    in_a_job = json.loads((tmp_path / "seen.json").read_text())
    subprocess.run([sys.executable, script, "--a", "b c"], cwd=tmp_path, check=True)
    assert in_a_job == json.loads((tmp_path / "seen.json").read_text())


def test_processes_of_the_script_work(job):
    text = """\
import multiprocessing
def double(x):
    return 2 * x
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(double, [1, 2]))
    forked = [
        multiprocessing.get_context("fork").Process(target=multiprocessing.Event().wait)
        for _ in range(20)
    ]
    for process in forked:
        process.start()
        process.terminate()
    for process in forked:
        process.join()
    print("terminated", {process.exitcode for process in forked})
"""
    code, printed, error = job.run(text)
    assert (code, error) == (0, None), printed
    assert printed.splitlines() == ["fork [2, 4]", "spawn [2, 4]", "terminated {-15}"]


@pytest.mark.parametrize(
    ("text", "expected", "printed"),
    [
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit(-1)", 255, ""),
        ("import sys; sys.exit('a reason')", 1, "a reason\n"),
        ("raise SystemExit(True)", 1, ""),
    ],
)
def test_exit_codes_are_pythons(job, text, expected, printed):
    assert job.run(text) == (expected, printed, None)


@pytest.mark.parametrize(
    ("command", "expected"), [("exit 9", 9), ("kill -9 $$", 137), ("no-such-program", 127)]
)
def test_exit_codes_of_commands_are_the_shells(job, command, expected):
    assert job.run(command=command)[0] == expected


def test_an_error_shows_the_frames_of_the_script_alone(job):
    text = "def f():\n    raise KeyError('key')\ntry:\n    f()\nexcept KeyError as e:\n    1 / 0\n"
    code, printed, error = job.run(text)
    assert code == 1
    assert error["type"] == "ZeroDivisionError"
    assert error["message"] == "division by zero"
    assert error["traceback"] == printed
    assert "KeyError: 'key'" in printed
    assert "During handling of the above exception" in printed
    assert str(Path(driver.__file__).parent) not in printed
    assert printed.count('train.py", line') == 3


def test_a_script_that_is_no_python_is_told_as_python_does(job):
    code, printed, error = job.run("print('never'\n")
    assert (code, error["type"]) == (1, "SyntaxError")
    assert "train.py" in printed and "never" in printed


def test_other_encodings_and_future_imports_are_the_scripts_own(job):
    text = "# -*- coding: latin-1 -*-\ndef f(x: undefined_name): pass\n"
    code, _, error = job.run(text)
    # The driver defers annotations; the script does not say so.
    assert (code, error["type"]) == (1, "NameError")


def test_the_job_ends_when_the_threads_of_the_script_have(job):
    text = """\
import atexit, threading
def late():
    threading.main_thread().join(0.2)
    print("the thread")
atexit.register(print, "at exit")
threading.Thread(target=late).start()
print("the script")
"""
    assert job.run(text) == (0, "the script\nthe thread\nat exit\n", None)


def test_sigterm_runs_what_the_script_has_in_finally(job):
    text = """\
import signal
try:
    print("ready", flush=True)
    signal.pause()
finally:
    print("cleaned up")
"""
    process = job.start(text)
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGTERM)
    assert process.communicate(timeout=30)[0] == "cleaned up\n"
    assert process.returncode == 143


def test_sigterm_reaches_what_a_command_runs(job):
    process = job.start(command="trap 'echo cleaned; exit 5' TERM; echo ready; sleep 60 & wait")
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGTERM)
    assert process.communicate(timeout=30)[0] == "cleaned\n"
    assert process.returncode == 5


def test_a_script_that_is_not_there_is_told(job):
    code, printed, error = job.run(script="nowhere.py")
    assert code == 1
    assert error["type"] == "FileNotFoundError"
    assert "'nowhere.py' does not exist in the snapshot" in printed


def test_metrics_arrive_however_the_script_ends(lab):
    ends = {"return": "", "raise": "raise ValueError('late')", "exit": "import sys; sys.exit(3)"}
    script = "from azureml.core import Run\nrun = Run.get_context()\nrun.log('last', 1)\n"
    runs = {name: lab.submit(script + end) for name, end in ends.items()}
    ended = {name: wait_for(run) for name, run in runs.items()}
    assert ended == {"return": "Completed", "raise": "Failed", "exit": "Failed"}
    for run in runs.values():
        assert run.get_metrics() == {"last": 1}
    assert "ValueError: late" in error_of(runs["raise"])["message"]
    assert "exit code 3" in error_of(runs["exit"])["message"]


def test_a_canceled_script_cleans_up_and_its_metrics_arrive(lab, tmp_path):
    script = (
        GATE
        + """
from azureml.core import Run
run = Run.get_context()
run.log("steps", 5)
try:
    open(sys.argv[1], "w").close()
    wait_for("never")
finally:
    open(sys.argv[1] + ".cleaned", "w").close()
"""
    )
    run = lab.submit(script, str(lab.gate()))
    wait_until(lab.gate().exists)
    run.cancel()
    assert wait_for(run) == "Canceled"
    assert lab.gate("gate.cleaned").exists()
    assert run.get_metrics() == {"steps": 5}


def test_a_command_given_as_a_list(lab, tmp_path):
    folder = Path(
        lab.project("import json, sys; json.dump(sys.argv[1:], open('outputs/a.json', 'w'))")
    )
    command = ["python", "train.py", "--rate", "0.1"]
    run = lab.submit(command=command, source_directory=str(folder))
    assert wait_for(run) == "Completed", error_of(run)
    assert json_of(run, "outputs/a.json", tmp_path) == ["--rate", "0.1"]


def test_what_amlignore_names_is_not_in_the_job(lab, tmp_path):
    folder = Path(lab.project("import os; print(sorted(os.listdir()), os.listdir('cache'))"))
    (folder / "secret.txt").write_text("stays at home")
    (folder / "cache").mkdir()
    (folder / "cache" / "big.bin").write_text("stays at home, too")
    (folder / ".amlignore").write_text("secret.txt\ncache/\n")
    run = lab.submit(script="train.py", source_directory=str(folder), arguments=[])
    assert wait_for(run) == "Completed", error_of(run)
    listed = text_of(run, "user_logs/std_log.txt", tmp_path)
    # The SDK sends the names of folders, and nothing of what is in an ignored one.
    names = [".amlignore", "cache", "logs", "outputs", "readme.txt", "train.py"]
    assert listed == f"{names} []\n"
