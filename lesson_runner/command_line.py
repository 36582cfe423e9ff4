"""What `python run.py` understands, and the list of lessons it shows."""

from __future__ import annotations

import argparse
import sys
from typing import Collection

from lesson_runner.lessons import Lesson, Record

DESCRIPTION = """\
Run the lessons in order, or only those named.

  python run.py                     set up if needed, then run every lesson
  python run.py 04                  only this one; its output is shown as it comes
  python run.py 04 06               only these; --show shows their output
  python run.py --list              the lessons: number, title, what they need, seconds last time
  python run.py workspace COMMAND   the local workspace: open, start, stop, status, logs, reset,
                                    env, config
  python run.py setup               only set up
  python run.py cancel RUN_ID ...   cancel jobs that a lesson has submitted
  python run.py test [pytest args]  set up, then the tests
"""


class WrongUse(Exception):
    """The command, or a file it reads, is not as it must be; the message says what to do."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options and the `numbers` of lessons; exits with code 2 on anything else."""
    parser = argparse.ArgumentParser(
        prog="python run.py",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("numbers", nargs="*", metavar="NN", help="numbers of lessons, such as 04")
    parser.add_argument("--list", action="store_true", help="list the lessons and run none")
    parser.add_argument(
        "--show", action="store_true", help="show what the lessons print, also when they are many"
    )
    parser.add_argument(
        "--needed", action="store_true", help="run first what they need and has not run here"
    )
    parser.add_argument(
        "--force", action="store_true", help="run also when a needed lesson has not run here"
    )
    return parser.parse_args(arguments)


def chosen(numbers: list[str], lessons: dict[str, Lesson]) -> list[Lesson]:
    """The lessons named, in the order named and each once; all of them when none is named.

    Raises WrongUse when there is no such lesson.
    """
    there_are = ", ".join(lessons) or "none"
    wanted = [number.zfill(2) for number in numbers] or list(lessons)
    unknown = [number for number in wanted if number not in lessons]
    if unknown:
        raise WrongUse(f"There is no lesson {', '.join(unknown)}. There are: {there_are}.")
    if not wanted:
        raise WrongUse("There are no lessons here (files named NN_title.py beside run.py).")
    return [lessons[number] for number in dict.fromkeys(wanted)]


def with_needed(
    to_run: list[Lesson], lessons: dict[str, Lesson], done: Collection[str]
) -> list[Lesson]:
    """`to_run`, and before each what it needs, and that needs in turn, and is not `done`."""
    ordered: dict[str, Lesson] = {}

    def add(lesson: Lesson) -> None:
        for number in lesson.needs:
            if number in lessons and number not in done and number not in ordered:
                add(lessons[number])
        ordered[lesson.number] = lesson

    for lesson in to_run:
        add(lesson)
    return list(ordered.values())


def lacks(lesson: Lesson, missing: list[str], lessons: dict[str, Lesson]) -> str:
    """A sentence on what has not run yet, and what to type."""
    made_by = ", ".join(
        f"{number} ({lessons[number].title})" if number in lessons else number for number in missing
    )
    return (
        f"Lesson {lesson.number} uses what lesson {made_by} makes, which has not run in this "
        f"workspace. Run `python run.py --needed {lesson.number}`, which runs that first; or add "
        "--force if it is there by other means, such as a colleague's run."
    )


def agrees(lessons: list[Lesson]) -> bool:
    """Ask whether to run these first; False without a person to ask."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    titles = "".join(f"  {lesson.number}  {lesson.title}\n" for lesson in lessons)
    try:
        answer = input(f"What is asked for needs first:\n{titles}Run these, too? [Y/n] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("", "y", "yes")


def listing(lessons: dict[str, Lesson], record: Record) -> str:
    """A table of the lessons: number, title, what they need, seconds they took last time."""
    rows = [("Lesson", "Title", "Needs", "Seconds last time")]
    for lesson in lessons.values():
        seconds = record.seconds.get(lesson.number)
        needs = ", ".join(lesson.needs) or "nothing"
        last = "-" if seconds is None else f"{seconds:.1f}"
        rows.append((lesson.number, lesson.title, needs, last))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]])
        for row in rows
    )
