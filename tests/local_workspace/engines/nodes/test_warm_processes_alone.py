"""A warm process by itself: when it ends, and what it leaves behind."""

import os
import subprocess
import venv

import pytest
from execution_helpers import (
    GATE,
    wait_until,
)

from local_workspace.engines.nodes.warm_processes import (
    IS_OFFERED,
    MAX_PROCESSES,
    NO_SDK,
    WarmProcesses,
)
from local_workspace.job_side import fork_server

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


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """A Python with nothing but the standard library."""
    folder = tmp_path_factory.mktemp("python") / "bare"
    venv.create(folder, with_pip=False)
    return str(folder / "bin" / "python")


@pytest.fixture(scope="module")
def empty_sdk(tmp_path_factory):
    """A folder with an SDK that takes no time to import, or until a gate is there."""
    folder = tmp_path_factory.mktemp("sdk")
    (folder / "azureml" / "core").mkdir(parents=True)
    (folder / "azureml" / "core" / "__init__.py").write_text(
        GATE + "wait_for(os.environ.get('PYTHON_GATE', '/'))"
    )
    return str(folder)


def run_alone(python, address, idle_seconds, *, sdk="", server_is_dead=False, told=b""):
    """The program of warm processes until it ends by itself; its exit code."""
    read_end, write_end = os.pipe()
    os.write(write_end, told)
    if server_is_dead:
        os.close(write_end)
    try:
        return subprocess.run(
            [python, fork_server.__file__, str(address), str(read_end), str(idle_seconds)],
            env={"PYTHONPATH": sdk},
            pass_fds=[read_end],
            check=False,
            timeout=60,
        ).returncode
    finally:
        os.close(read_end)
        if not server_is_dead:
            os.close(write_end)


def test_one_that_makes_room_leaves_the_others_their_place(bare_python, empty_sdk, tmp_path):
    processes = WarmProcesses(stay_seconds=0)
    # They differ in what a Python reads when it starts; these still import when the first one ends.
    gate = tmp_path / "gate"
    slow = [{"PYTHON_GATE": str(gate), "LANG": f"C{number}"} for number in range(MAX_PROCESSES)]
    addresses = []
    for environment in ({}, *slow):
        addresses.append(processes.ensure(bare_python, {"PYTHONPATH": empty_sdk, **environment}))
        if environment == {}:
            wait_until(lambda: os.path.exists(addresses[0]))
            first = processes._processes[addresses[0]][0]
    assert first.wait(30) == 0
    gate.touch()
    for address in addresses[1:]:
        wait_until(lambda address=address: os.path.exists(address))
    processes.close()
    wait_until(lambda: not os.path.exists(os.path.dirname(addresses[0])))


def test_one_that_is_told_to_end_leaves_the_folder_to_the_server(bare_python, empty_sdk, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    assert run_alone(bare_python, folder / "address", 600, sdk=empty_sdk, told=b".") == 0
    assert os.listdir(folder) == []


def test_one_without_work_ends(bare_python, empty_sdk, tmp_path):
    assert run_alone(bare_python, tmp_path / "address", 0, sdk=empty_sdk) == 0
    assert not (tmp_path / "address").exists()
    assert tmp_path.exists()


def test_one_whose_server_was_killed_leaves_nothing_behind(bare_python, empty_sdk, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    address = folder / "address"
    assert run_alone(bare_python, address, 600, sdk=empty_sdk, server_is_dead=True) == 0
    assert not folder.exists()


def test_an_environment_without_the_sdk_has_none(bare_python, tmp_path):
    assert run_alone(bare_python, tmp_path / "address", 600) == NO_SDK
    assert not (tmp_path / "address").exists()
