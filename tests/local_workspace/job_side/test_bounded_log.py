"""The log of a process: all of it while it is short, else its beginning and its end."""

import contextlib
import errno
import os
import re
import sys
import threading

import pytest
from execution_helpers import wait_until
from hypothesis import given, settings
from hypothesis import strategies as st

from local_workspace.job_side import bounded_log
from local_workspace.job_side.bounded_log import BoundedLog

REACHED = "... This log has reached {}: what follows is shown at the end of the run ..."


class Written:
    """A log in a folder."""

    def __init__(self, folder, limit):
        self.path = folder / "log.txt"
        self.path.unlink(missing_ok=True)
        self._output = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.log = BoundedLog(self._output, str(self.path), limit)

    def text(self):
        return self.path.read_text()

    def close(self):
        self.log.close()
        os.close(self._output)
        return self.text()


def test_a_short_log_is_there_at_once_and_unchanged(tmp_path):
    written = Written(tmp_path, 100)
    written.log.write(b"one\n")
    assert written.text() == "one\n"
    written.log.write(b"two")
    assert written.text() == written.close() == "one\ntwo"


def test_of_a_long_log_the_beginning_and_the_end_are_kept(tmp_path):
    lines = [b"line %03d\n" % number for number in range(1000)]
    written = Written(tmp_path, 90)
    for line in lines:
        written.log.write(line)
    beginning = "".join(f"line {number:03}\n" for number in range(5)) + REACHED.format("45 bytes")
    assert written.text() == f"{beginning}\n"
    end = "".join(f"line {number}\n" for number in range(996, 1000))
    assert written.close() == (
        f"{beginning}\n... 8.7 KiB left out (the limit of a log is 90 bytes: setting job_log_mib) "
        f"...\n{end}"
    )
    assert os.listdir(tmp_path) == ["log.txt"]


def test_a_log_that_is_over_half_its_limit_has_everything(tmp_path):
    written = Written(tmp_path, 20)
    written.log.write(b"123456789\n123456789\n")
    assert written.close() == f"123456789\n{REACHED.format('10 bytes')}\n123456789\n"


def test_letters_are_not_cut(tmp_path):
    written = Written(tmp_path, 10)
    for _ in range(4):
        written.log.write("äöü".encode())
    lines = written.close().splitlines()
    assert (lines[0], lines[-1]) == ("äö", "öü")


@settings(max_examples=200, deadline=None)
@given(
    limit=st.integers(2, 40),
    pieces=st.lists(st.binary(max_size=30).map(lambda data: data.replace(b".", b"x")), max_size=12),
)
def test_what_is_left_out_is_all_that_is_missing(tmp_path_factory, limit, pieces):
    written = Written(tmp_path_factory.getbasetemp(), limit)
    for piece in pieces:
        written.log.write(piece)
    written.log.close()
    everything, found = b"".join(pieces), written.path.read_bytes()
    shown = re.split(rb"\.\.\. [^.]* \.\.\.\n", found)
    left_out = sum(int(number) for number in re.findall(rb"\.\.\. (\d+) bytes left out", found))
    # Ends of lines that a remark interrupts.
    added = left_out + sum(map(len, shown)) - len(everything)
    assert 0 <= added < len(shown)
    assert sum(map(len, shown)) - added <= limit
    assert everything.startswith(shown[0][:-1]) and everything.endswith(shown[-1])


def test_a_full_disk_costs_what_does_not_fit(tmp_path, monkeypatch):
    written = Written(tmp_path, 1000)
    written.log.write(b"before\n")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(bounded_log.os, "write", full)
        written.log.write(b"lost\n")
    written.log.write(b"after\n")
    assert written.close() == "before\nafter\n... 5 bytes left out (No space left on device) ...\n"


def test_a_disk_that_is_full_for_a_while_costs_what_was_kept(tmp_path, monkeypatch):
    written = Written(tmp_path, 20)
    written.log.write(b"beginning\nkept\n")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(bounded_log.os, "pwrite", full)
        written.log.write(b"lost\n")
    written.log.write(b"1\n2\n")
    lines = written.close().splitlines()
    assert lines[0] == "beginning"
    assert lines[2:] == ["... 12 bytes left out (No space left on device) ...", "2"]


EVERY_WAY = """\
import multiprocessing, os, subprocess, sys
def say(what):
    print(what, flush=True)
if __name__ == "__main__":
    print("print")
    print("stderr", file=sys.stderr)
    os.write(1, b"descriptor\\n")
    os.write(os.dup(2), b"duplicate\\n")
    subprocess.run(["echo", "program"])
    subprocess.run("echo shell >&2", shell=True)
    for method in ("fork", "spawn"):
        process = multiprocessing.get_context(method).Process(target=say, args=[method])
        process.start()
        process.join()
"""


def test_whatever_prints_prints_into_it_in_its_order(start):
    started = start(EVERY_WAY)
    assert started.wait() == 0
    expected = ["print", "stderr", "descriptor", "duplicate", "program", "shell", "fork", "spawn"]
    assert started.printed().splitlines() == expected


@pytest.mark.parametrize("command", ["seq 1000000", "seq 1000000 >&2; exit 0"])
def test_a_script_that_prints_much_has_a_log_within_the_limit(start, tmp_path, command):
    started = start("", command=command, log_limit=10_000)
    assert started.wait() == 0
    lines = started.printed().splitlines()
    assert lines[:3] == ["1", "2", "3"] and lines[-3:] == ["999998", "999999", "1000000"]
    assert REACHED.format("4.9 KiB") in lines
    whole = sum(len(f"{number}\n") for number in range(1, 1_000_001))
    assert f"... {(whole - 10_000) / 1024**2:.1f} MiB left out" in started.printed()
    assert started.log.stat().st_size < 10_000 + 300
    assert not list(tmp_path.glob("log.txt.*"))


def test_a_job_that_prints_without_end_is_ended_and_its_end_is_shown(start):
    started = start("", command="yes", log_limit=10_000)
    wait_until(lambda: "what follows is shown" in started.log.read_text())
    started.node_ends()
    assert started.wait() < 0
    lines = started.printed().splitlines()
    assert lines[0] == lines[-1] == "y"
    assert any("left out (the limit of a log is 9.8 KiB" in line for line in lines)


@pytest.mark.skipif(sys.platform != "linux", reason="another one's output is opened by /proc")
def test_who_still_prints_does_not_hold_up_the_end(start):
    """One that is not below the supervisor, so that it cannot be ended."""
    started = start("import os\nprint(os.getpid())\nwhile not os.path.exists('end'): pass\n")
    output = os.open(f"/proc/{int(started.printed())}/fd/1", os.O_WRONLY)

    def print_without_end():
        with contextlib.suppress(BrokenPipeError):
            while True:
                os.write(output, b"y\n" * 1000)

    printing = threading.Thread(target=print_without_end)
    printing.start()
    (started.log.parent / "end").touch()
    assert started.wait() == 0
    printing.join()
    os.close(output)
