"""Runs a job's script in a process below this one, and leaves nothing of it behind.

The process that a node has started forks: the new one becomes the script's, this one stays with it
to its end, writes what it prints into the log, and then ends everything that the script started,
in whatever session that is. Only the standard library, which any Python of a job's environment has.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_workspace.job_side.bounded_log import BoundedLog

_PR_SET_CHILD_SUBREAPER = 36
_CHUNK = 64 * 1024
# As much as a pipe can hold: what comes after that was not written before the script's end.
_MOST_IN_A_PIPE = 1024 * 1024
# A process that waits for a disk or a file server cannot be ended: it is not waited for for ever.
_END_SECONDS = 5.0
_PAUSE_SECONDS = 0.001
_FAILED = 70


def supervise(liveness: int, log: BoundedLog, afterwards: Callable[[], None]) -> int:
    """Fork; returns in the new process alone, with a descriptor that ends with its supervisor.

    The new process leads a session of its own. This one ends as that ends, by the same exit code or
    signal, after it has killed all that is left below it and called `afterwards`. SIGTERM is passed
    on to the new process's group. When `liveness` ends, all is killed at once.
    """
    # Before there is anything that could leave an orphan.
    _adopt_orphans()
    output, printed = os.pipe()
    supervisor, life = os.pipe()
    # One that comes now waits until there is somebody who knows what to do with it.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    script = os.fork()
    if script == 0:
        os.setsid()
        for descriptor in (output, life, liveness):
            os.close(descriptor)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        os.close(printed)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return supervisor
    try:
        os.close(printed)
        os.close(supervisor)
        status = _Supervisor(script, liveness, output, log).watch(mask)
        for last in (log.close, afterwards):
            try:
                last()
            except Exception:
                # How the script ended is what counts.
                traceback.print_exc()
        _end_as(status)
    except BaseException:
        traceback.print_exc()
    finally:
        # The caller has something else to do, which is the new process's affair.
        os._exit(_FAILED)


class _Supervisor:
    """Watches the process `script` and everything below it."""

    def __init__(self, script: int, liveness: int, output: int, log: BoundedLog) -> None:
        self._script = script
        self._liveness = liveness
        self._output = output
        self._log = log
        self._status: int | None = None
        self._has_children = True

    def watch(self, mask: set[signal.Signals]) -> int:
        """Return when the script has ended, and all below it; how it ended, as waitpid says it."""
        woken, wakeup = os.pipe()
        for descriptor in (woken, wakeup, self._output):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._signal_group(signal.SIGTERM))
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        with selectors.DefaultSelector() as selector:
            for source in (self._liveness, woken, self._output):
                selector.register(source, selectors.EVENT_READ)
            while self._status is None:
                ready = {key.fd for key, _ in selector.select()}
                if self._liveness in ready:
                    break
                if woken in ready:
                    os.read(woken, _CHUNK)
                    self._reap()
                if self._output in ready and self._take_output() == 0:
                    selector.unregister(self._output)
        self._end_all()
        left = _MOST_IN_A_PIPE
        while left > 0:
            taken = self._take_output()
            if not taken:
                break
            left -= taken
        return signal.SIGKILL if self._status is None else self._status

    def _signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the script and to what it started in its own session."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            try:
                os.killpg(self._script, number)
            except ProcessLookupError:
                # In its first moments it does not lead a group yet.
                if self._status is None:
                    os.kill(self._script, number)

    def _take_output(self) -> int | None:
        """Hand on what has been printed; how many bytes, 0 if nobody can print any more."""
        try:
            data = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return None
        self._log.write(data)
        return len(data)

    def _reap(self) -> None:
        """Collect the processes that have ended: the script, and orphans of what it started."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._has_children = False
                return
            if pid == 0:
                return
            if pid == self._script:
                self._status = status

    def _end_all(self) -> None:
        """Kill everything below, until nothing is left.

        Where orphans are not adopted, those in a session of their own are not found.
        """
        limit = time.monotonic() + _END_SECONDS
        self._reap()
        while True:
            # They are looked for before the kill, which makes orphans.
            below = _below(os.getpid()) if self._has_children else []
            self._signal_group(signal.SIGKILL)
            for pid in below:
                # It may have ended, or be another user's.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            self._reap()
            if not self._has_children or time.monotonic() > limit:
                return
            time.sleep(_PAUSE_SECONDS)


def _adopt_orphans() -> None:
    """Become the parent of orphans below this process, where there is such a thing (Linux)."""
    if sys.platform != "linux":
        return
    try:
        import ctypes
    except ImportError:
        # A Python can be built without it.
        return
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _below(root: int) -> list[int]:
    """All processes that descend from `root`."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents() if sys.platform == "linux" else _parents_by_ps():
        children.setdefault(parent, []).append(pid)
    found = []
    unseen = [root]
    while unseen:
        of_one = children.get(unseen.pop(), [])
        found += of_one
        unseen += of_one
    return found


def _parents() -> Iterator[tuple[int, int]]:
    """Each process and its parent."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The name of a program may have any character in it, and stands in parentheses.
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        yield int(name), int(fields[1])


def _parents_by_ps() -> Iterator[tuple[int, int]]:
    """The same where there is no /proc (macOS)."""
    table = subprocess.run(
        ["ps", "-axo", "pid=,ppid="], stdout=subprocess.PIPE, check=False
    ).stdout.decode()
    for line in table.splitlines():
        pid, parent = line.split()
        yield int(pid), int(parent)


def _end_as(status: int) -> None:
    """End this process in the way that `status` (of waitpid) tells of another one."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        # The other one has left its core already, if that is wanted.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))
