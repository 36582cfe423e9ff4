"""Runs one lesson: its output goes to a log file, and to the reader who asked for it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.text import Text

from lesson_runner.display import Display
from lesson_runner.interpreters import clean_environment
from lesson_runner.lessons import Lesson

# How long a lesson that was interrupted may take to end its runs before it is ended by force.
SECONDS_TO_END = 10.0


def run_lesson(
    lesson: Lesson, variables: Mapping[str, str], console: Console, log: Path, show: bool
) -> tuple[float, int]:
    """Run `lesson` with `variables` in its environment; its seconds and its exit code.

    All it prints goes to `log`. With `show` the reader sees it as it comes, without left-over
    lines; without, a line says how it goes. Raises KeyboardInterrupt when the reader stops it,
    after the lesson has ended.
    """
    label = f"{lesson.number}  {lesson.title}"
    spins = console.is_terminal and not show
    if show:
        console.print(Text(f"\n{label}", "bold"))
    elif not spins:
        console.print(Text(f"{label:<60}"), end=" ")
        sys.stdout.flush()
    started = time.monotonic()
    spinner = console.status(Text(label)) if spins else contextlib.nullcontext()
    with log.open("wb") as output, _started(lesson, variables) as child, spinner:
        _pass_on(child, output, Display(_write) if show else None)
        code = child.wait()
    seconds = time.monotonic() - started
    mark = Text("ok    ", "green") if code == 0 else Text("failed", "red")
    begun = Text(f"{label:<60} ") if spins or show else Text()
    console.print(begun + mark + Text(f" {seconds:6.1f} s"))
    return seconds, code


def lesson_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program of this workspace's, such as a lesson."""
    return {
        **clean_environment(Path(sys.executable).parent),
        **variables,
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",  # whatever the terminal's language
        "MPLBACKEND": "Agg",  # no window: pictures go to outputs/
    }


@contextlib.contextmanager
def _started(lesson: Lesson, variables: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The lesson as a process, which Ctrl+C here interrupts once and which then has ended."""
    child = subprocess.Popen(
        [sys.executable, lesson.path.name],
        cwd=lesson.path.parent,
        env=lesson_environment(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # A terminal's Ctrl+C goes to a whole group: the lesson is to get it once, from here.
        start_new_session=True,
    )
    try:
        yield child
    except BaseException:
        # Ctrl+C, above all: whatever ends this ends the lesson, and goes on.
        _end(child)
        raise
    finally:
        assert child.stdout is not None
        child.stdout.close()


def _pass_on(child: subprocess.Popen[bytes], output: BinaryIO, display: Display | None) -> None:
    assert child.stdout is not None
    try:
        while True:
            # A process that a lesson leaves behind may hold the pipe open for ever.
            ended = child.poll() is not None
            if not select.select([child.stdout], [], [], 0 if ended else 0.1)[0]:
                if ended:
                    break
                continue
            data = os.read(child.stdout.fileno(), 65536)
            if not data:
                break
            output.write(data)
            output.flush()
            if display is not None:
                display.feed(data)
    finally:
        if display is not None:
            display.close()


def _end(child: subprocess.Popen[bytes]) -> None:
    # An interrupted lesson ends its own runs first, as `with experiment.start_logging()` does.
    assert child.stdout is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if child.poll() is None:
            child.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                # Its pipe is read on, lest it wait for a reader for ever.
                child.communicate(timeout=SECONDS_TO_END)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
