"""Benchmarks run in processes of their own: rows, failures, and being stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from repository import REPOSITORY

from benchmarks import harness, running
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.workspaces import fresh_workspace, server_pid


def good():
    """Two turns, and noise on the standard output as the SDK makes it."""
    print("noise")
    mine, _ = harness.in_turns(lambda: 2.0, lambda: 4.0, 2)
    return [harness.row("a thing", "s", "at most 3 s", lambda one: one.value <= 3, mine)]


def bad():
    """What fails."""
    raise RuntimeError("the disk is on fire")


def servers():
    """Starts a workspace, says who it is and waits."""
    with fresh_workspace() as server:
        harness.report(f"{server_pid(server)} {server.root}")
        time.sleep(300)
    return []


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "RECORD", tmp_path / "results.json")
    monkeypatch.setattr(harness, "PAGE", tmp_path / "RESULTS.md")
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def test_rows_come_back_and_turns_are_shown(capfd):
    shown = []
    [row] = running.measure(good, shown.append)
    assert (row.what, row.value) == ("a thing", 2.0)
    assert shown == ["turn 1 of 2", "turn 2 of 2"]
    assert "noise" not in capfd.readouterr().out


def test_what_fails_is_said_and_hinders_no_other(capfd):
    assert running.run(["bad", "good"], {"bad": bad, "good": good}) == 1
    said = capfd.readouterr().out
    assert "bad could not be measured" in said
    assert "RuntimeError: the disk is on fire" in said
    assert "good: a thing: 2 s (goal met: at most 3 s)" in said
    assert "| good | a thing |" in harness.PAGE.read_text()
    assert "| bad |" not in harness.PAGE.read_text()


def test_stopping_leaves_no_server_and_no_files():
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from benchmarks import running; from test_running import servers\n"
        "running.signal.signal(running.signal.SIGTERM, running._interrupt)\n"
        "running.measure(servers, lambda text: print(text, flush=True))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    pid, root = child.stdout.readline().split()
    server = psutil.Process(int(pid))
    os.kill(child.pid, signal.SIGTERM)
    child.communicate(timeout=60)
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    assert not Path(root).parent.exists()


def test_an_unknown_name_is_wrong_use(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["start", "stat"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "there is no benchmark stat" in said
    assert all(name in said for name in BENCHMARKS)
