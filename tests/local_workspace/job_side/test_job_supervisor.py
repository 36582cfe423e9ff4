"""What a supervisor does: it ends as its script ends, and with nothing left below it."""

import ast
import os
import signal
import sys
from pathlib import Path

import pytest
from execution_helpers import DAEMONS, is_alive, wait_until

from local_workspace.job_side import driver, supervisor

ADOPTS = pytest.mark.skipif(sys.platform != "linux", reason="nobody adopts orphans there")
FOREVER = "import signal\nwhile True: signal.pause()\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 0),
        ("import sys; sys.exit(3)", 3),
        ("raise ValueError('no')", 1),
        ("import os; os._exit(77)", 77),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.abort()", -6),
        ("import os, signal; os.kill(os.getpid(), signal.SIGUSR1)", -signal.SIGUSR1),
    ],
)
def test_it_ends_as_the_script_ends(start, tmp_path, text, code):
    assert start(text).wait() == code
    assert not list(tmp_path.rglob("core*"))


@ADOPTS
def test_nothing_is_left_when_the_script_has_ended(start):
    started = start(DAEMONS + "raise SystemExit(4)")
    assert started.wait() == 4
    pids = started.printed().split()
    assert len(pids) == 3 and not any(is_alive(int(pid)) for pid in pids)


@ADOPTS
def test_nothing_is_left_of_a_script_that_was_killed(start):
    started = start(DAEMONS + "os.kill(os.getpid(), 9)")
    assert started.wait() == -signal.SIGKILL
    assert not any(is_alive(int(pid)) for pid in started.printed().split())


@ADOPTS
def test_nothing_is_left_of_a_command(start, tmp_path):
    (tmp_path / "daemons.py").write_text(DAEMONS)
    started = start("", command=f"{sys.executable} daemons.py; exit 5")
    assert started.wait() == 5
    assert not any(is_alive(int(pid)) for pid in started.printed().split())


@ADOPTS
def test_nothing_is_left_when_the_node_has_ended(start):
    started = start(DAEMONS + FOREVER)
    pids = [int(pid) for pid in started.printed().split()]
    assert all(is_alive(pid) for pid in pids)
    started.node_ends()
    assert started.wait() == -signal.SIGKILL
    assert not any(is_alive(pid) for pid in pids)


@ADOPTS
def test_sigterm_is_for_the_script_and_the_rest_ends_with_it(start):
    started = start(
        DAEMONS + "try:\n    os.waitpid(apart.pid, 0)\nfinally:\n    print('cleaned')\n"
    )
    pids = started.printed().split()
    started.process.terminate()
    assert started.wait() == 143
    assert started.printed().splitlines()[1:] == ["cleaned"]
    assert not any(is_alive(int(pid)) for pid in pids)


def test_the_script_does_not_outlive_its_supervisor(start):
    started = start(f"import os\nprint(os.getpid(), flush=True)\n{FOREVER}")
    script = int(started.printed())
    assert script != started.process.pid
    started.process.kill()
    wait_until(lambda: not is_alive(script))


@ADOPTS
def test_orphans_that_end_are_collected_while_the_script_runs(start):
    started = start(DAEMONS + FOREVER)
    orphan = int(started.printed().split()[2])
    os.kill(orphan, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{orphan}").exists())
    assert started.process.poll() is None


def test_processes_are_found_by_ps_too(start):
    """As on macOS."""
    started = start("import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid)\n" + FOREVER)
    child = int(started.printed())
    script = dict(supervisor._parents_by_ps())[child]
    assert dict(supervisor._parents_by_ps())[script] == started.process.pid
    if sys.platform == "linux":
        assert dict(supervisor._parents())[child] == script


@pytest.mark.parametrize("path", sorted(Path(driver.__file__).parent.glob("*.py")), ids=str)
def test_any_python_of_an_environment_can_read_it(path):
    ast.parse(path.read_text(), feature_version=(3, 7))
