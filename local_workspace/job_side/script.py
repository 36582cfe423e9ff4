"""Runs a user's script in this process as `python script.py` does, and a command as a shell does.

Only the standard library is imported here: an environment need not have the SDK.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import thread as futures_thread
from importlib.machinery import SourceFileLoader
from types import FrameType, ModuleType, TracebackType

# What a message keeps of a long traceback; all of it is in the log.
_LONGEST_TRACEBACK = 12_000
# What a shell answers for a process that a signal ended is this plus its number.
_OF_A_SIGNAL = 128


def run_script(script: str, arguments: list[str]) -> tuple[int, dict[str, str | None] | None]:
    """Run a script as `__main__`; its exit code and, when it raised, type, message, traceback.

    SIGTERM ends it like sys.exit(143), so that its `finally` blocks run. Returns when its threads
    have ended, too.
    """
    if not os.path.isfile(script):
        message = (
            f"The script '{script}' does not exist in the snapshot of the run. Check 'script' and "
            "'source_directory' of the ScriptRunConfig, and .amlignore."
        )
        print(message, file=sys.stderr)
        return 1, {"type": "FileNotFoundError", "message": message}
    main = _main_module(script, arguments)
    try:
        with _ended_by_sigterm():
            with open(script, "rb") as file:
                # `dont_inherit`: or the script would have the __future__ imports of this module.
                code = compile(file.read(), main.__file__ or script, "exec", dont_inherit=True)
            exec(code, main.__dict__)
            _join_threads()
    except SystemExit as exit_:
        return _exit_code(exit_), None
    except BaseException as error:
        text = _traceback_of(error)
        sys.stderr.write(text)
        return 1, {
            "type": type(error).__name__,
            "message": str(error),
            "traceback": text[-_LONGEST_TRACEBACK:],
        }
    return 0, None


def run_command(command: str) -> int:
    """Run a line for the shell, and return its exit code; SIGTERM is left to what it runs."""
    shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
    with _handled(signal.SIGTERM, _nothing):
        code = subprocess.call([shell, "-c", command], stdin=subprocess.DEVNULL)
    return code if code >= 0 else _OF_A_SIGNAL - code


def _main_module(script: str, arguments: list[str]) -> ModuleType:
    """The module that the script becomes, in its place, with `sys` as its interpreter's would be.

    It stays for what runs after the script: threads, functions given to atexit, unpickling.
    """
    path = os.path.abspath(script)
    sys.argv = [script, *arguments]
    sys.path[0:1] = [os.path.dirname(path)]
    module = ModuleType("__main__")
    module.__dict__.update(
        {
            "__annotations__": {},
            "__builtins__": builtins,
            "__cached__": None,
            "__file__": path,
            "__loader__": SourceFileLoader("__main__", path),
        }
    )
    sys.modules["__main__"] = module
    return module


def _join_threads() -> None:
    """Wait for the script's threads, as an interpreter does before it ends.

    Those of executors wait for work until the interpreter tells them that there will be none: the
    standard library knows them, under a private name only.
    """
    of_executors = getattr(futures_thread, "_threads_queues", {})
    for thread in threading.enumerate():
        if thread is threading.main_thread() or thread.daemon or thread in of_executors:
            continue
        thread.join()


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    def end(number: int, _frame: FrameType | None) -> None:
        # Once: what cleans up now may take the time that the node gives it.
        signal.signal(number, _nothing)
        raise SystemExit(_OF_A_SIGNAL + number)

    def in_a_forked_process() -> None:
        # It ends as it would without this; see multiprocessing.Process.terminate.
        if signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _mask(signal.SIG_UNBLOCK)

    # Python forgets a signal that comes between a fork and the first steps of the new process:
    # it has to wait until it finds the right handler.
    os.register_at_fork(
        before=lambda: _mask(signal.SIG_BLOCK),
        after_in_parent=lambda: _mask(signal.SIG_UNBLOCK),
        after_in_child=in_a_forked_process,
    )
    with _handled(signal.SIGTERM, end):
        yield


def _mask(how: int) -> None:
    signal.pthread_sigmask(how, {signal.SIGTERM})


@contextlib.contextmanager
def _handled(number: int, handler: object) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        if signal.getsignal(number) is handler:
            signal.signal(number, before)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler, because programs that are started inherit a signal that is ignored."""


def _exit_code(exit_: SystemExit) -> int:
    if exit_.code is None:
        return 0
    if isinstance(exit_.code, int):
        return exit_.code & 0xFF
    print(exit_.code, file=sys.stderr)
    return 1


def _traceback_of(error: BaseException) -> str:
    """The traceback of a user's error without the frame that led to the user's script."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))
