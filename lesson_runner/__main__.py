"""`python -m lesson_runner [--force] [--list] [NN ...]`."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lesson_runner.command_line import WrongUse, chosen, listing, parse
from lesson_runner.destination import Destination, find_destination
from lesson_runner.interpreters import clean_environment
from lesson_runner.lessons import Lesson, Record, find_lessons
from local_workspace.process import ProcessError
from local_workspace.settings import BrokenSettings

ROOT = Path(__file__).resolve().parent.parent
LAST_LINES = 30


def main(arguments: list[str], folder: Path = ROOT) -> int:
    """Run what the command line asks for.

    Returns 0 when all is well, 1 when a lesson failed or the workspace cannot be had, 2 when the
    command or a file it reads is wrong.
    """
    options = parse(arguments)
    console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
    lessons = find_lessons(folder)
    record = Record.load(folder / "outputs" / "lessons.json")
    if options.list:
        print(listing(lessons, record))
        return 0
    try:
        to_run = chosen(options.numbers, lessons)
        destination = find_destination(folder)
        if not options.force:
            _check_needs(to_run, lessons, record, destination)
    except WrongUse as error:
        print(error, file=sys.stderr)
        return 2
    except (ProcessError, BrokenSettings) as error:
        print(error, file=sys.stderr)
        return 1
    where = f"local workspace at {destination.origin}" if destination.is_local else "Azure"
    console.print(f"Workspace {destination.name} ({where})")
    if not destination.is_local:
        console.print(
            "If the SDK asks you to sign in, its question stands in the log of the lesson, "
            "outputs/logs/NN.log."
        )
    return _run_all(to_run, destination, record, console, folder)


def _check_needs(
    to_run: list[Lesson], lessons: dict[str, Lesson], record: Record, destination: Destination
) -> None:
    running = [lesson.number for lesson in to_run]
    for lesson in to_run:
        missing = record.missing(destination.key, lesson, running)
        if missing:
            made_by = ", ".join(
                f"{number} ({lessons[number].title})" if number in lessons else number
                for number in missing
            )
            raise WrongUse(
                f"Lesson {lesson.number} uses what lesson {made_by} makes, which has not run in "
                f"this workspace. Run `python run.py {' '.join(missing)} {lesson.number}`; or add "
                "--force if it is there by other means, such as a colleague's run."
            )


def _run_all(
    to_run: list[Lesson],
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
        seconds, code = _run_one(lesson, destination.environment, console, log)
        result = "ok" if code == 0 else "failed"
        table.add_row(lesson.number, Text(lesson.title), result, f"{seconds:.1f}")
        if code == 0:
            record.keep(destination.key, lesson.number, seconds)
            remaining.pop(0)
    for later in remaining[1:]:
        # It builds on what has failed.
        table.add_row(later.number, Text(later.title), "not run", "")
    if code != 0:
        console.print(f"\nThe end of {log.relative_to(folder)}:", style="bold")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        console.print(Text("\n".join(lines)))
    console.print()
    console.print(table)
    console.print("The full output of each lesson: outputs/logs/NN.log")
    if destination.is_local:
        console.print(
            f"The workspace goes on running at {destination.origin}. "
            "To end it: .venv/bin/python -m local_workspace stop"
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


def _run_one(
    lesson: Lesson, variables: Mapping[str, str], console: Console, log: Path
) -> tuple[float, int]:
    log.parent.mkdir(parents=True, exist_ok=True)
    label = f"{lesson.number}  {lesson.title}"
    environment = {
        **clean_environment(Path(sys.executable).parent),
        **variables,
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",  # whatever the terminal's language
        "MPLBACKEND": "Agg",  # no window: pictures go to outputs/
    }
    # On a terminal the spinner says which lesson runs; elsewhere the line begins with it.
    if not console.is_terminal:
        console.print(Text(f"{label:<60}"), end=" ")
        sys.stdout.flush()
    started = time.monotonic()
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, lesson.path.name],
            cwd=lesson.path.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            if console.is_terminal:
                with console.status(Text(label)):
                    code = child.wait()
            else:
                code = child.wait()
        except KeyboardInterrupt:
            child.terminate()
            child.wait()
            raise
    seconds = time.monotonic() - started
    mark = Text("ok    ", "green") if code == 0 else Text("failed", "red")
    begun = Text(f"{label:<60} ") if console.is_terminal else Text()
    console.print(begun + mark + Text(f" {seconds:6.1f} s"))
    return seconds, code


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
