"""What a node does: starts the processes of a job and stays with them until their end.

Runs inside a worker of Dask; imports nothing but the standard library. When the worker dies, so
do the processes: each is started under a supervisor (`job_side/supervisor.py`), which watches a
pipe that ends with the worker, and ends everything below it before it ends itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from local_workspace.engines.nodes.warm_processes import WarmStarted, start_from_warm
from local_workspace.whole_files import write_whole

# How long a cancellation or a deadline may go unseen. The end of a process is seen at once.
_POLL_SECONDS = 0.1
# Where the end of a process cannot be waited for.
_SLEEP_SECONDS = 0.02
# What a process has to clean up, once it is asked to end.
_GRACE_SECONDS = 3.0
# What its supervisor has to end the rest and to write the log to its end; it needs much less.
_LAST_SECONDS = 30.0
CANCEL_FILE = "cancel"
# One process imports `distributed` and then makes nodes in 0.1 s each, instead of 2 s. Not on
# macOS, whose libraries do not all survive a fork.
NODE_START_METHOD = "forkserver" if sys.platform == "linux" else "spawn"

DRIVER = Path(__file__).parent.parent.parent / "job_side" / "driver.py"


def run_node(specification_paths: list[str]) -> list[dict[str, Any]]:
    """Run the processes of a job that belong to one node, each described by a file.

    Returns `rank`, `reason` ("exited", "canceled" or "timed out") and `exit_code` (negative for a
    signal) of each. When one of them fails the others are ended: they would wait for it for ever.
    """
    paths = [Path(path) for path in specification_paths]
    cancel = paths[0].parent / CANCEL_FILE
    processes: list[_Process] = []
    try:
        for path in paths:
            specification = json.loads(path.read_text(encoding="utf-8"))
            if cancel.exists():
                break
            processes.append(_Process(specification, path))
            processes[-1].note(path.parent)
        _watch(processes, cancel)
        started = {process.rank: process.outcome() for process in processes}
        not_started = {"reason": "canceled", "exit_code": -signal.SIGTERM}
        return [
            {"rank": rank, **started.get(rank, not_started)}
            for rank in (json.loads(path.read_text(encoding="utf-8"))["rank"] for path in paths)
        ]
    finally:
        _end(processes)
        for process in processes:
            process.close()


class _Process:
    """One process of a job, under its supervisor."""

    def __init__(self, specification: dict[str, Any], path: Path) -> None:
        self.rank: int = specification["rank"]
        self.deadline: float | None = specification.get("deadline")
        self.reason = "exited"
        self._supervisor, self._liveness = _start(specification, path)
        self.exit_handle = _exit_handle(self._supervisor.pid)

    def has_ended(self) -> bool:
        return self._supervisor.poll() is not None

    def has_failed(self) -> bool:
        return self._supervisor.poll() not in (None, 0)

    def outcome(self) -> dict[str, Any]:
        return {"reason": self.reason, "exit_code": self._supervisor.wait()}

    def wait(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._supervisor.wait(max(seconds, 0))

    def note(self, folder: Path) -> None:
        """Say who runs where, for whoever looks for a job's processes."""
        note = {"node": os.getpid(), "process": self._supervisor.pid}
        write_whole(folder / f"node-{self.rank}.json", json.dumps(note))

    def ask_to_end(self) -> None:
        """Send SIGTERM to the process and to what it started in its own session."""
        self._signal(signal.SIGTERM)

    def let_go(self) -> None:
        """Have the process killed, and all below it: its supervisor sees that the node is gone."""
        if self._liveness is not None:
            os.close(self._liveness)
            self._liveness = None

    def see_off(self) -> None:
        """Return when all of it has ended."""
        if self.exit_handle is None:
            self.wait(_LAST_SECONDS)
            has_ended = self.has_ended()
        else:
            # Not by `wait`: for that a process has ended when the warm one it came from is gone.
            has_ended = _is_readable([self.exit_handle], _LAST_SECONDS)
        if not has_ended:
            self._signal(signal.SIGKILL)

    def close(self) -> None:
        if self.exit_handle is not None:
            os.close(self.exit_handle)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.exit_handle is None:
                os.kill(self._supervisor.pid, number)
            else:
                signal.pidfd_send_signal(self.exit_handle, number)


def _watch(processes: list[_Process], cancel: Path) -> None:
    """Return when all have ended, or have to."""
    while running := [process for process in processes if not process.has_ended()]:
        if cancel.exists() or any(process.has_failed() for process in processes):
            reason = "canceled"
        elif running[0].deadline is not None and time.time() > running[0].deadline:
            reason = "timed out"
        else:
            _wait_for_an_end(running)
            continue
        # One of them may have ended, or failed, since: that is not for this reason.
        for process in running:
            if not process.has_ended():
                process.reason = reason
        _end(running)


def _wait_for_an_end(running: list[_Process]) -> None:
    handles = [process.exit_handle for process in running]
    if None in handles:
        time.sleep(_SLEEP_SECONDS)
        return
    _is_readable(handles, _POLL_SECONDS)


def _is_readable(handles: list[int], seconds: float) -> bool:
    """Whether one of the descriptors is readable within `seconds`."""
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _end(processes: list[_Process]) -> None:
    """Ask processes to end, and make them."""
    running = [process for process in processes if not process.has_ended()]
    for process in running:
        process.ask_to_end()
    limit = time.monotonic() + _GRACE_SECONDS
    for process in running:
        process.wait(limit - time.monotonic())
    for process in processes:
        process.let_go()
    for process in processes:
        process.see_off()


def _exit_handle(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where there is none."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _start(
    specification: dict[str, Any], path: Path
) -> tuple[subprocess.Popen[bytes] | WarmStarted, int]:
    read_end, write_end = os.pipe()
    try:
        with open(specification["log"], "ab") as log:
            started = start_from_warm(specification, path, log.fileno(), read_end)
            process = started or subprocess.Popen(
                [specification["python"], "-u", str(DRIVER), str(path), str(read_end)],
                cwd=specification["folder"],
                env=specification["environment"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(read_end,),
                start_new_session=True,
            )
    except BaseException:
        os.close(write_end)
        raise
    finally:
        os.close(read_end)
    return process, write_end
