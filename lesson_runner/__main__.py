"""`python -m lesson_runner [--force] [--list] [NN ...]`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lesson_runner.destination import Destination, WrongUse, find_destination
from lesson_runner.lessons import Lesson, Record, find_lessons
from local_workspace.process import ProcessError
from local_workspace.settings import BrokenSettings

ROOT = Path(__file__).resolve().parent.parent
LAST_LINES = 30


def main(arguments: list[str], folder: Path = ROOT) -> int:
    """Run what the command line asks for; returns the exit code of design section 3."""
    parser = argparse.ArgumentParser(
        prog="python run.py", description="Run the lessons in order, or only those named."
    )
    parser.add_argument("numbers", nargs="*", metavar="NN", help="numbers of lessons, such as 04")
    parser.add_argument("--list", action="store_true", help="list the lessons and run none")
    parser.add_argument(
        "--force", action="store_true", help="run also when a needed lesson has not run here"
    )
    options = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    lessons = find_lessons(folder)
    record = Record.load(folder / "outputs" / "lessons.json")
    if options.list:
        console.print(_listing(lessons, record))
        return 0
    try:
        chosen = _chosen(options.numbers, lessons)
        destination = find_destination(folder)
        if not options.force:
            _check_needs(chosen, lessons, record, destination)
    except WrongUse as error:
        print(error, file=sys.stderr)
        return 2
    except (ProcessError, BrokenSettings) as error:
        print(error, file=sys.stderr)
        return 1
    where = f"local workspace at {destination.origin}" if destination.is_local else "Azure"
    console.print(f"Workspace [bold]{destination.name}[/bold] ({where})")
    return _run_all(chosen, destination, record, console, folder)


def _chosen(numbers: list[str], lessons: dict[str, Lesson]) -> list[Lesson]:
    wanted = [number.zfill(2) for number in numbers] or list(lessons)
    unknown = [number for number in wanted if number not in lessons]
    if unknown:
        raise WrongUse(
            f"There is no lesson {', '.join(unknown)}. There are: {', '.join(lessons) or 'none'}."
        )
    return [lessons[number] for number in dict.fromkeys(wanted)]


def _check_needs(
    chosen: list[Lesson], lessons: dict[str, Lesson], record: Record, destination: Destination
) -> None:
    running = [lesson.number for lesson in chosen]
    for lesson in chosen:
        missing = record.missing(destination.key, lesson, running)
        if missing:
            made_by = ", ".join(
                f"{number} ({lessons[number].title})" if number in lessons else number
                for number in missing
            )
            raise WrongUse(
                f"Lesson {lesson.number} uses what lesson {made_by} makes, which has not run in "
                f"this workspace. Run `python run.py {' '.join(missing)} {lesson.number}`; or add "
                "--force if it is there by other means."
            )


def _run_all(
    chosen: list[Lesson],
    destination: Destination,
    record: Record,
    console: Console,
    folder: Path,
) -> int:
    table = Table("Lesson", "Title", "Result", "Seconds")
    failed = None
    for lesson in chosen:
        log = folder / "outputs" / "logs" / f"{lesson.number}.log"
        seconds, code = _run_one(lesson, destination.environment, console, log)
        table.add_row(
            lesson.number, lesson.title, "ok" if code == 0 else "failed", f"{seconds:.1f}"
        )
        if code != 0:
            failed = (lesson, log, code)
            break
        record.keep(destination.key, lesson.number, seconds)
    if failed is not None:
        lesson, log, code = failed
        console.print(f"\nThe end of {log.relative_to(folder)}:", style="bold")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        console.print(Text("\n".join(lines)))
    console.print()
    console.print(table)
    console.print(f"Full output: {(folder / 'outputs' / 'logs').relative_to(folder)}/NN.log")
    if destination.is_local:
        console.print(
            f"The workspace goes on at {destination.origin}; "
            "`python -m local_workspace stop` ends it (with .venv/bin/python)."
        )
    if failed is not None:
        lesson, log, code = failed
        console.print(
            f"Lesson {lesson.number} ended with exit code {code}. When it is mended, go on with "
            f"`python run.py {lesson.number}` and those after it."
        )
        return 1
    return 0


def _run_one(
    lesson: Lesson, variables: Mapping[str, str], console: Console, log: Path
) -> tuple[float, int]:
    log.parent.mkdir(parents=True, exist_ok=True)
    label = f"{lesson.number}  {lesson.title}"
    environment = {**os.environ, **variables, "PYTHONUNBUFFERED": "1", "MPLBACKEND": "Agg"}
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
                with console.status(label):
                    code = child.wait()
            else:
                code = child.wait()
        except KeyboardInterrupt:
            child.terminate()
            child.wait()
            raise
    seconds = time.monotonic() - started
    mark = "[green]ok[/green]" if code == 0 else "[red]failed[/red]"
    console.print(f"{label:<60} {mark} {seconds:6.1f} s")
    return seconds, code


def _listing(lessons: dict[str, Lesson], record: Record) -> Table:
    table = Table("Lesson", "Title", "Needs", "Seconds last time")
    for lesson in lessons.values():
        seconds = record.seconds.get(lesson.number)
        table.add_row(
            lesson.number,
            lesson.title,
            ", ".join(lesson.needs) or "nothing",
            f"{seconds:.1f}" if seconds is not None else "-",
        )
    return table


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
