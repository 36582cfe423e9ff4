"""Where the project is, and the lessons in it."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LESSONS = sorted(path.name[:2] for path in REPOSITORY.glob("[0-9][0-9]_*.py"))


def find_lesson(number):
    """The path of the lesson with this number."""
    (path,) = REPOSITORY.glob(f"{number}_*.py")
    return path
