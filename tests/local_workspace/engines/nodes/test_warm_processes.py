"""Jobs that start from a warm process are as separate as if each had started on its own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys

import psutil
import pytest
from execution_helpers import (
    GATE,
    error_of,
    is_alive,
    json_of,
    text_of,
    wait_for,
    wait_until,
)

from local_workspace.engines.nodes.warm_processes import (
    IS_OFFERED,
    MAX_PROCESSES,
    NO_SDK,
    WarmProcesses,
    start_from_warm,
)

pytestmark = pytest.mark.skipif(not IS_OFFERED, reason="warm processes are for Linux")

SEEN = """\
import sys
imported = sorted(set(sys.modules) & {"azureml.core", "numpy", "pandas"})
import json, multiprocessing, os, numpy, tempfile
json.dump(
    {
        "imported": imported,
        "folder": os.getcwd(),
        "is_leader": os.getsid(0) == os.getpgid(0) == os.getpid(),
        "random": numpy.random.rand(),
        "authkey": multiprocessing.current_process().authkey.hex(),
        "temporary": tempfile.gettempdir(),
        "mine": os.environ.get("MINE"),
        "descriptors": sorted(
            os.readlink(f"/proc/self/fd/{name}")
            for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")
        ),
    },
    open("seen.json", "w"),
)
print("printed by", os.environ.get("MINE"))
"""


def environment_of(server):
    """What the warm process of a job's Python starts with."""
    names = ("PATH", "HOME")
    return {**{name: os.environ[name] for name in names}, **server.env}


@pytest.fixture(scope="module")
def processes(local_workspace):
    processes = WarmProcesses()
    yield processes
    processes.close()


@pytest.fixture(scope="module")
def address(local_workspace, processes):
    """The address of a process that is ready."""
    address = processes.ensure(sys.executable, environment_of(local_workspace))
    wait_until(lambda: os.path.exists(address), seconds=120)
    return address


class Job:
    """Starts processes of jobs as a node does."""

    def __init__(self, folder, address, environment):
        self.folder = folder
        self.address = address
        self.environment = environment

    @contextlib.contextmanager
    def start(self, text, name="job", files=(), **variables):
        """The process, or None if it is to be started plainly; it ends with the block."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "train.py").write_text(text)
        for file in files:
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text("")
        path = self.folder / f"{name}.json"
        specification = {
            "warm": self.address,
            "folder": str(folder),
            "script": "train.py",
            "command": "",
            "arguments": [],
            "inputs": [],
            "outputs": [],
            "log": str(self.log(name)),
            "log_limit": 1024 * 1024,
            "result": str(self.folder / f"{name}-result.json"),
            "environment": {**self.environment, **variables},
        }
        path.write_text(json.dumps(specification))
        read_end, write_end = os.pipe()
        try:
            with open(self.log(name), "ab") as log:
                process = start_from_warm(specification, path, log.fileno(), read_end)
            os.close(read_end)
            yield process
        finally:
            # As when the node ends.
            os.close(write_end)
        if process is not None:
            process.wait(30)

    def log(self, name="job"):
        return self.folder / f"{name}.log"

    def seen(self, name):
        return json.loads((self.folder / name / "seen.json").read_text())


@pytest.fixture
def job(tmp_path, address, local_workspace):
    return Job(tmp_path, address, environment_of(local_workspace))


def test_each_job_has_its_own_of_everything_but_the_imports(job, tmp_path):
    for name in ("first", "second"):
        with job.start(SEEN, name, MINE=name) as process:
            assert process.wait(30) == 0, job.log(name).read_text()
        assert job.log(name).read_text() == f"printed by {name}\n"
    first, second = job.seen("first"), job.seen("second")
    assert first["imported"] == second["imported"] == ["azureml.core", "numpy", "pandas"]
    assert (first["mine"], second["mine"]) == ("first", "second")
    assert first["folder"] == str(tmp_path / "first")
    assert first["is_leader"] and second["is_leader"]
    assert first["random"] != second["random"]
    assert first["authkey"] != second["authkey"]
    # Nothing of the warm process, of its clients or of the other jobs is open in them.
    assert not [name for name in first["descriptors"] if "socket" in name]
    # What it prints to, twice, and what ends with its supervisor.
    assert len([name for name in second["descriptors"] if "pipe" in name]) == 3


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 0),
        ("import sys; sys.exit(3)", 3),
        ("raise ValueError('no')", 1),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.abort()", -6),
    ],
)
def test_exit_codes_are_those_of_a_process(job, text, code):
    with job.start(text) as process:
        assert process.wait() == code
        assert process.poll() == code


AT_THE_END = """\
import atexit, os, pandas, sys
class Kept:
    def __del__(self, write=os.write):
        write(1, b"deleted\\n")
def at_exit():
    import pandas
    assert pandas is sys.modules["pandas"]
    print("at exit")
kept = Kept()
atexit.register(at_exit)
file = open("unclosed.txt", "w")
file.write("written")
"""


@pytest.mark.parametrize(
    ("more", "printed"),
    [("", "at exit\ndeleted\n"), ("pandas.given_to_a_library = lambda: file", "at exit\n")],
)
def test_what_a_script_leaves_open_is_written_at_its_end(job, tmp_path, more, printed):
    with job.start(AT_THE_END + more) as process:
        assert process.wait(30) == 0
    assert job.log().read_text() == printed
    assert (tmp_path / "job" / "unclosed.txt").read_text() == "written"


def test_a_process_is_polled_waited_for_and_ended(job):
    with job.start("import signal; signal.pause()") as process:
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL


def test_a_process_ends_with_its_node_and_with_all_that_it_started(job):
    text = """\
import signal, subprocess, sys
child = subprocess.Popen(["sleep", "600"])
print(child.pid, flush=True)
signal.pause()
"""
    with job.start(text) as process:
        child = wait_until(job.log().read_text)
        assert process.poll() is None
    assert process.wait(30) == -signal.SIGKILL
    wait_until(lambda: not is_alive(int(child)))


@pytest.mark.parametrize("file", ["yaml.py", "requests/__init__.py"])
def test_a_script_with_a_module_of_its_own_instead_is_started_plainly(job, file):
    with job.start("", files=[file]) as process:
        assert process is None


def test_other_files_beside_the_script_change_nothing(job):
    with job.start("", files=["data.py", "yaml.txt", "requests/readme.txt"]) as process:
        assert process.wait(30) == 0


def test_a_warm_process_that_is_gone_is_done_without(job):
    job.address = str(job.folder / "nobody")
    with job.start("") as process:
        assert process is None


def test_jobs_share_a_process_unless_python_would_start_differently(
    processes, address, local_workspace
):
    base = environment_of(local_workspace)
    same = {**base, "AZUREML_RUN_ID": "run_1", "AZUREML_RUN_TOKEN": "x", "EPOCHS": "3", "raw": "y"}
    assert processes.ensure(sys.executable, same) == address


def test_it_ends_with_the_server_and_jobs_from_it_are_given_up(processes, job, address):
    with job.start("import os, signal; print(os.getppid()); signal.pause()") as process:
        supervisor = int(wait_until(job.log().read_text))
        parent = psutil.Process(supervisor).ppid()
        processes.close()
        wait_until(lambda: not is_alive(parent))
        # Nobody will tell its exit code: the node ends what is left of it.
        assert process.wait(30) == -signal.SIGKILL
    assert not os.path.exists(address)


STANDING_BY = """\
#!/bin/bash
# Stands for a Python that imports; $4 is the descriptor that ends with the server.
echo $$ > "$(dirname "$0")/pid"
read -r -n 1 _ <&"$4"
"""
WITHOUT_SDK = f"""\
#!/bin/bash
echo $$ > "$(dirname "$0")/pid"
exit {NO_SDK}
"""


class Pythons:
    """Programs that stand for Pythons of different environments."""

    def __init__(self, folder):
        self.folder = folder

    def ensure(self, processes, number, program=STANDING_BY):
        """Ask for the process of environment `number`."""
        python = self.folder / str(number) / "python"
        if not python.exists():
            python.parent.mkdir()
            python.write_text(program)
            python.chmod(0o755)
        return processes.ensure(str(python), {"PATH": os.environ["PATH"]})

    def pid(self, number, *, but=None):
        """The process of environment `number`, once it runs."""
        note = self.folder / str(number) / "pid"

        def running():
            pid = int(note.read_text() or 0) if note.exists() else 0
            return pid if pid != but else 0

        return wait_until(running)


@pytest.fixture
def pythons(tmp_path):
    return Pythons(tmp_path)


def test_there_are_only_so_many_and_they_end_with_the_server(pythons):
    processes = WarmProcesses(stay_seconds=0)
    numbers = range(MAX_PROCESSES + 1)
    for number in numbers:
        assert pythons.ensure(processes, number) == pythons.ensure(processes, number)
        pythons.pid(number)
    wait_until(lambda: not is_alive(pythons.pid(0)))
    assert all(is_alive(pythons.pid(number)) for number in numbers[1:])
    processes.close()
    wait_until(lambda: not any(is_alive(pythons.pid(number)) for number in numbers))


def test_runs_in_many_environments_do_not_push_each_other_out(pythons):
    processes = WarmProcesses(stay_seconds=3600)
    numbers = range(MAX_PROCESSES + 1)
    for number in [*numbers, *numbers]:
        pythons.ensure(processes, number)
    assert all(is_alive(pythons.pid(number)) for number in numbers[:-1])
    assert not (pythons.folder / str(numbers[-1]) / "pid").exists()
    processes.close()


def test_one_that_was_killed_is_started_again(pythons):
    processes = WarmProcesses()
    address = pythons.ensure(processes, 0)
    killed = pythons.pid(0)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not is_alive(killed))
    assert pythons.ensure(processes, 0) == address
    assert is_alive(pythons.pid(0, but=killed))
    processes.close()


def test_environments_without_the_sdk_take_no_place_from_others(pythons):
    processes = WarmProcesses(stay_seconds=3600)
    numbers = range(MAX_PROCESSES)
    for number in numbers:
        pythons.ensure(processes, number, WITHOUT_SDK)
        wait_until(lambda number=number: not is_alive(pythons.pid(number)))
    for number in numbers:
        # Known by now: a node need not ask for it.
        assert pythons.ensure(processes, number) is None
    others = range(MAX_PROCESSES, 2 * MAX_PROCESSES)
    for number in others:
        assert pythons.ensure(processes, number)
    assert all(is_alive(pythons.pid(number)) for number in others)
    processes.close()


def test_a_folder_that_was_tidied_away_is_made_again(pythons):
    processes = WarmProcesses()
    old = pythons.ensure(processes, 0)
    first = pythons.pid(0)
    shutil.rmtree(os.path.dirname(old))
    new = pythons.ensure(processes, 0)
    assert new != old and os.path.isdir(os.path.dirname(new))
    wait_until(lambda: not is_alive(first))
    assert is_alive(pythons.pid(0, but=first))
    processes.close()
    assert not os.path.exists(os.path.dirname(new))


def test_runs_from_a_warm_process_are_runs_like_others(lab, local_workspace, tmp_path):
    gate = lab.gate()
    first = lab.submit(GATE + "wait_for(sys.argv[1])", str(gate))
    wait_for(first, "Running")
    specification = local_workspace.paths.runs / first.id / "attempt-1" / "process-0.json"
    address = json.loads(specification.read_text())["warm"]
    gate.touch()
    wait_until(lambda: os.path.exists(address), seconds=120)

    script = """\
import json, sys
was_warm = "azureml.core" in sys.modules
from azureml.core import Run
run = Run.get_context()
run.log("number", int(sys.argv[1]))
run.tag("number", sys.argv[1])
seen = {"id": run.id, "was_warm": was_warm, "experiment": run.experiment.name}
json.dump(seen, open("outputs/seen.json", "w"))
print("this is number", sys.argv[1])
if sys.argv[1] == "1":
    raise ValueError("number one")
"""
    runs = [lab.submit(script, str(number)) for number in range(3)]
    runs.append(lab.submit(script, "3", target="local"))
    ended = [wait_for(run) for run in runs]
    assert ended == ["Completed", "Failed", "Completed", "Completed"], [
        text_of(run, "user_logs/std_log.txt", tmp_path) for run in runs
    ]
    for number, run in enumerate(runs):
        seen = json_of(run, "outputs/seen.json", tmp_path)
        assert seen["id"] == run.id
        # A run of the caller's environment may have a process of its own, not yet ready.
        assert seen["was_warm"] or number == 3
        assert run.get_metrics() == {"number": number}
        assert run.get_tags()["number"] == str(number)
        log = text_of(run, "user_logs/std_log.txt", tmp_path)
        assert log.startswith(f"this is number {number}\n")
    assert "ValueError: number one" in error_of(runs[1])["message"]
    assert "fork_server.py" not in error_of(runs[1])["message"]
