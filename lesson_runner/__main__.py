"""`python -m lesson_runner [options] [NN ...]` and `python -m lesson_runner cancel RUN_ID ...`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lesson_runner.command_line import WrongUse, agrees, chosen, lacks, listing, parse, with_needed
from lesson_runner.destination import Destination, find_destination
from lesson_runner.display import is_left_over
from lesson_runner.lessons import Lesson, Record, find_lessons
from lesson_runner.running import lesson_environment, run_lesson
from local_workspace.process import ProcessError
from local_workspace.settings import BrokenSettings

ROOT = Path(__file__).resolve().parent.parent
LAST_LINES = 30
# The SDK alone takes some seconds to import; who is asked to sign in is not waited for.
SECONDS_TO_ASK = 60.0


def main(arguments: list[str], folder: Path = ROOT) -> int:
    """Run what the command line asks for.

    Returns 0 when all is well, 1 when a lesson failed or the workspace cannot be had, 2 when the
    command or a file it reads is wrong, 130 after Ctrl+C.
    """
    try:
        if arguments[:1] == ["cancel"]:
            return _cancel(arguments[1:], folder)
        options = parse(arguments)
        lessons = find_lessons(folder)
        record = Record.load(folder / "outputs" / "lessons.json")
        if options.list:
            print(listing(lessons, record))
            return 0
        asked_for = chosen(options.numbers, lessons)
        _check_outputs(folder / "outputs" / "logs")
        destination = find_destination(folder)
        to_run = _all_to_run(asked_for, lessons, options, record.of(destination.key))
        if not options.force:
            _check_needs(to_run, lessons, record, destination)
    except WrongUse as error:
        print(error, file=sys.stderr)
        return 2
    except (ProcessError, BrokenSettings) as error:
        print(error, file=sys.stderr)
        return 1
    console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
    where = f"local workspace at {destination.origin}" if destination.is_local else "Azure"
    console.print(f"Workspace {destination.name} ({where})")
    if not destination.is_local:
        console.print(
            "If the SDK asks you to sign in, its question stands in the log of the lesson, "
            "outputs/logs/NN.log."
        )
    # One lesson is read as it runs; a tour would bury its progress under what it prints.
    single = [lesson.number for lesson in asked_for] if len(asked_for) == 1 else []
    shown = {lesson.number for lesson in to_run} if options.show else set(single)
    return _run_all(to_run, shown, destination, record, console, folder)


def _all_to_run(
    asked_for: list[Lesson],
    lessons: dict[str, Lesson],
    options: argparse.Namespace,
    done: list[str],
) -> list[Lesson]:
    """What was asked for; with what it needs if that is asked for as well, or agreed to."""
    together = with_needed(asked_for, lessons, done)
    first = [lesson for lesson in together if lesson not in asked_for]
    wanted = options.needed or (first and not options.force and agrees(first))
    return together if wanted else asked_for


def _check_outputs(logs: Path) -> None:
    try:
        logs.mkdir(parents=True, exist_ok=True)
        probe = logs / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise WrongUse(
            f"{error.filename} cannot be written ({error.strerror}). Change its permissions, or "
            "move it away."
        ) from error


def _check_needs(
    to_run: list[Lesson], lessons: dict[str, Lesson], record: Record, destination: Destination
) -> None:
    running = [lesson.number for lesson in to_run]
    for lesson in to_run:
        missing = record.missing(destination.key, lesson, running)
        if missing:
            raise WrongUse(lacks(lesson, missing, lessons))


def _run_all(
    to_run: list[Lesson],
    shown: set[str],
    destination: Destination,
    record: Record,
    console: Console,
    folder: Path,
) -> int:
    table = Table("Lesson", "Title", "Result", "Seconds")
    code = 0
    remaining = list(to_run)
    while remaining and code == 0:
        lesson = remaining[0]
        log = folder / "outputs" / "logs" / f"{lesson.number}.log"
        # A little earlier: the clock of the workspace may be another.
        since = datetime.now(timezone.utc) - timedelta(seconds=5)
        try:
            seconds, code = run_lesson(
                lesson, destination.environment, console, log, lesson.number in shown
            )
        except KeyboardInterrupt:
            _interrupted(lesson, destination, since, console, folder)
            return 130
        result = "ok" if code == 0 else "failed"
        table.add_row(lesson.number, Text(lesson.title), result, f"{seconds:.1f}")
        if code == 0:
            record.keep(destination.key, lesson.number, seconds)
            remaining.pop(0)
    for later in remaining[1:]:
        # It builds on what has failed.
        table.add_row(later.number, Text(later.title), "not run", "")
    if code != 0 and lesson.number not in shown:
        console.print(f"\nThe end of {log.relative_to(folder)}:", style="bold")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        lines = [line for line in lines if not is_left_over(line)][-LAST_LINES:]
        console.print(Text("\n".join(lines)))
    if len(to_run) > 1:
        console.print()
        console.print(table)
    console.print("The full output of each lesson: outputs/logs/NN.log")
    if destination.is_local:
        console.print(
            f"The workspace goes on running at {destination.origin}. "
            "To end it: python run.py workspace stop"
        )
    if code != 0:
        rest = " ".join(lesson.number for lesson in remaining)
        console.print(
            f"Lesson {remaining[0].number} {_ended(code)}. When it is mended, go on with "
            f"`python run.py {rest}`."
        )
        return 1
    return 0


def _ended(code: int) -> str:
    if code < 0:
        return f"was ended by signal {-code} ({signal.Signals(-code).name})"
    return f"ended with exit code {code}"


def _interrupted(
    lesson: Lesson,
    destination: Destination,
    since: datetime,
    console: Console,
    folder: Path,
) -> None:
    """Say what goes on after Ctrl+C: jobs do not end with the lesson that submitted them."""
    console.print(f"\nLesson {lesson.number} is stopped. Looking for jobs that go on ...")
    asked = _ask_for_jobs(since, destination, folder)
    if asked is None:
        console.print(
            "The workspace could not be asked. A job that was submitted goes on: its page has a "
            "button to cancel it, and `python run.py cancel RUN_ID` does, too."
        )
    elif asked:
        console.print(f"These go on: {', '.join(asked)}")
        console.print(f"To cancel: python run.py cancel {' '.join(asked)}")
    else:
        console.print("No job that it submitted goes on.")
    console.print(f"The output until here: outputs/logs/{lesson.number}.log")


def _ask_for_jobs(since: datetime, destination: Destination, folder: Path) -> list[str] | None:
    """The ids of submitted jobs that go on; None when the workspace does not say."""
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "lesson_runner.jobs", "list", since.isoformat()],
            cwd=folder,
            env=_environment_of_jobs(destination),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=SECONDS_TO_ASK,
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return None
    marked = [line.split() for line in asked.stdout.splitlines()]
    return [words[1] for words in marked if len(words) == 2 and words[0] == "job"]


def _environment_of_jobs(destination: Destination) -> dict[str, str]:
    return {**lesson_environment(destination.environment), "PYTHONPATH": str(ROOT)}


def _cancel(run_ids: list[str], folder: Path) -> int:
    if not run_ids or run_ids[0].startswith("-"):
        raise WrongUse("Which ones? `python run.py cancel RUN_ID ...`")
    destination = find_destination(folder)
    return subprocess.run(
        [sys.executable, "-m", "lesson_runner.jobs", "cancel", *run_ids],
        cwd=folder,
        env=_environment_of_jobs(destination),
        check=False,
    ).returncode


if __name__ == "__main__":
    # A closed terminal and a polite kill end the lesson as Ctrl+C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
