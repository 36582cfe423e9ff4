"""Runs uv for one build, whose log gets what it says."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator

from local_workspace.engines.environments import pythons
from local_workspace.engines.environments.plan import (
    EnvironmentBuildCanceled,
    EnvironmentBuildError,
    hide_passwords,
)

Log = Callable[[str], None]

_POLL_SECONDS = 0.1
# How uv ends when there is no such package or version, or one that does not build.
_CANNOT_BE_HAD = 1


class Steps:
    """Runs the steps of one build."""

    def __init__(self, log: Log, stop: Callable[[], bool], lock: int) -> None:
        self.log = log
        self._stop = stop
        self._lock = lock

    def uv(self, *arguments: str, is_logged: bool = False) -> list[str]:
        """Run uv and return the lines it writes, which also go to the log if `is_logged`.

        Raises EnvironmentBuildError with these lines when it fails, EnvironmentBuildCanceled when
        the build is to stop.
        """
        code, said = self._run(arguments, is_logged)
        if code != 0:
            for line in () if is_logged else said:
                self.log(line)
            raise _failure(code, said)
        return said

    def ask(self, *arguments: str) -> list[str] | None:
        """Run uv and return the lines it writes; None when what it is asked for cannot be had.

        Nothing is logged. Raises EnvironmentBuildError when something else went wrong, such as the
        connection to the index, EnvironmentBuildCanceled when the build is to stop.
        """
        code, said = self._run(arguments, is_logged=False)
        if code not in (0, _CANNOT_BE_HAD):
            raise _failure(code, said)
        return said if code == 0 else None

    def _run(self, arguments: tuple[str, ...], is_logged: bool) -> tuple[int, list[str]]:
        process = subprocess.Popen(
            [*pythons.uv_command(), *arguments],
            cwd="/",
            env=pythons.installer_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            # An installer that outlives this process keeps the lock until it is done, so that
            # nobody else writes into the same folder.
            pass_fds=(self._lock,),
        )
        said: list[str] = []
        try:
            for line in self._lines_of(process):
                said.append(line)
                if is_logged:
                    self.log(line)
        except BaseException:
            # Whatever ends this, nobody waits for the program any more.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            process.wait()
        return process.returncode, said

    def _lines_of(self, process: subprocess.Popen[str]) -> Iterator[str]:
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

        def read() -> None:
            assert process.stdout is not None
            with process.stdout as output:
                for line in output:
                    lines.put(hide_passwords(line.rstrip()))
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                line = ""
            if line is None:
                return
            if self._stop():
                raise EnvironmentBuildCanceled("Nobody waits for it any more.")
            if line:
                yield line


def _failure(code: int, said: list[str]) -> EnvironmentBuildError:
    message = "\n".join(said) or f"uv ended with exit code {code}."
    return EnvironmentBuildError(f"The environment could not be built.\n{message}")
