#!/usr/bin/env python3
"""The two commands: set everything up and run the lessons, or the tests.

    python run.py                     set up if needed, then run lessons 01-15 in order
    python run.py 04                  only this one; its output is shown as it comes
    python run.py 04 06               only these; --show shows their output
    python run.py --list              the lessons: number, title, what they need, seconds last time
    python run.py cancel RUN_ID ...   cancel jobs that a lesson has submitted
    python run.py workspace COMMAND   the local workspace: open, start, stop, status, logs, reset,
                                      env, config
    python run.py setup               only set up
    python run.py test [pytest args]  set up, then the tests

Any Python from 3.8 on can start this file; it needs nothing but the standard library. It finds a
Python 3.10, makes `.venv` from requirements.txt, and goes on inside of it.
"""

import contextlib
import os
import sys
from pathlib import Path

if sys.version_info < (3, 8):
    sys.exit(
        "run.py needs a Python 3.8 or later to start; this is {}.".format(sys.version.split()[0])
    )

from lesson_runner.command_line import WrongUse, agrees, chosen, lacks, listing, parse, with_needed
from lesson_runner.lessons import Record, find_lessons
from lesson_runner.set_up import Environment, SetupError, clean_environment

ROOT = Path(__file__).resolve().parent
COMMANDS = ("setup", "test", "cancel", "workspace")
# Two workers: each has a local workspace of its own; a module's tests stay together.
TEST_WORKERS = ["-n", "2", "--no-loadscope-reorder"]


def main(arguments):
    """Do what the command line asks for; returns the exit code: 0, 1 (failed) or 2 (wrong use)."""
    if os.name == "nt":
        print("On Windows, run this inside WSL: see README.md.", file=sys.stderr)
        return 2
    command = arguments[0] if arguments and arguments[0] in COMMANDS else "lessons"
    if command == "setup" and len(arguments) > 1:
        print("`python run.py setup` takes nothing more.", file=sys.stderr)
        return 2
    if command == "lessons":
        # What can be said without the environment is said before minutes go into making it.
        options = parse(arguments)
        lessons = find_lessons(ROOT)
        record = Record.load(ROOT / "outputs" / "lessons.json")
        if options.list:
            print(listing(lessons, record))
            return 0
        try:
            asked_for = chosen(options.numbers, lessons)
        except WrongUse as error:
            print(error, file=sys.stderr)
            return 2
        if not (record.done or options.needed or options.force):
            # No lesson has run in any workspace: what is needed is missing in this one, too.
            first = [item for item in with_needed(asked_for, lessons, ()) if item not in asked_for]
            if first and not agrees(first):
                lesson = next(item for item in asked_for if item.needs)
                print(lacks(lesson, list(lesson.needs), lessons), file=sys.stderr)
                return 2
            if first:
                arguments = ["--needed", *arguments]
    environment = Environment(ROOT)
    try:
        # What `workspace env` and `config` print goes to a file: nothing else may stand there.
        with contextlib.redirect_stdout(sys.stderr if command == "workspace" else sys.stdout):
            python = environment.ensure()
    except SetupError as error:
        print("\n" + str(error), file=sys.stderr)
        return 1
    if command == "setup":
        print("Everything is set up in {}.".format(environment.folder))
        return 0
    if command == "test":
        return run_tests(python, arguments[1:])
    if command == "workspace":
        return replace_process(python, ["-m", "local_workspace", *from_here(arguments[1:])])
    return replace_process(python, ["-m", "lesson_runner", *arguments])


def from_here(arguments):
    """The arguments with a whole --root: the command runs in another folder than it is typed in."""
    whole = list(arguments)
    for place, argument in enumerate(whole):
        if argument.startswith("--root="):
            whole[place] = "--root=" + os.path.abspath(os.path.expanduser(argument[7:]))
        elif place and whole[place - 1] == "--root":
            whole[place] = os.path.abspath(os.path.expanduser(argument))
    return whole


def run_tests(python, arguments):
    """Run pytest, on two workers unless the caller chose; no test at all is a failure too."""
    chose = ("-n", "--numprocesses", "--pdb")
    workers = [] if any(argument.startswith(chose) for argument in arguments) else TEST_WORKERS
    return replace_process(python, ["-m", "pytest", *workers, *arguments])


def replace_process(python, arguments):
    """Go on as `python` in the repository's folder, so that Ctrl+C and exit codes are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.chdir(str(ROOT))
    os.execve(str(python), [str(python), *arguments], clean_environment(python.parent))


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
