"""The lessons of a folder: their numbers, titles, needs, and how they went last time."""

from __future__ import annotations

import ast
import inspect
import json
import re
import tokenize
from dataclasses import dataclass, field
from pathlib import Path

from local_workspace.whole_files import write_whole

_NAME = re.compile(r"(\d\d)_\w+\.py")
_NEEDS = re.compile(r"^Needs: (.+)$", re.MULTILINE)
_BEFORE_DOCSTRING = (tokenize.ENCODING, tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE)


@dataclass(frozen=True)
class Lesson:
    """One numbered script."""

    number: str
    path: Path
    title: str
    needs: tuple[str, ...]


def find_lessons(folder: Path) -> dict[str, Lesson]:
    """The lessons of `folder` by number, in order.

    The title is the first line of a lesson's docstring; what must have run before stands in its
    line `Needs: 01, 02`.
    """
    lessons = {}
    for path in sorted(folder.glob("[0-9][0-9]_*.py")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        text = docstring(path) or path.stem
        needs = _NEEDS.search(text)
        lessons[match[1]] = Lesson(
            number=match[1],
            path=path,
            title=text.splitlines()[0].strip().rstrip("."),
            needs=tuple(re.findall(r"\d\d", needs[1])) if needs else (),
        )
    return lessons


def docstring(path: Path) -> str:
    """The docstring of a script, read without parsing the rest of it; "" when it has none.

    A reader's slip further down in one lesson, or syntax newer than the Python that runs this,
    must not keep the others from being found.
    """
    try:
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                if token.type == tokenize.STRING:
                    return inspect.cleandoc(ast.literal_eval(token.string))
                if token.type not in _BEFORE_DOCSTRING:
                    return ""
    except (tokenize.TokenError, SyntaxError, ValueError, AttributeError):
        return ""
    return ""


@dataclass
class Record:
    """What ran, in which workspace, and how long it took; kept in `outputs/lessons.json`."""

    path: Path
    done: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read `path`; a missing or broken record is an empty one, for it can be made again."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            done = {
                str(name): [str(number) for number in ran] for name, ran in values["done"].items()
            }
            seconds = {str(number): float(taken) for number, taken in values["seconds"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls(path)
        return cls(path, done, seconds)

    def of(self, workspace: str) -> list[str]:
        """The numbers of the lessons that ran in `workspace`."""
        return self.done.get(workspace, [])

    def missing(self, workspace: str, lesson: Lesson, running: list[str]) -> list[str]:
        """The lessons that `lesson` needs and that neither ran in `workspace` nor run before it."""
        done = self.of(workspace)
        earlier = running[: running.index(lesson.number)]
        return [number for number in lesson.needs if number not in done and number not in earlier]

    def keep(self, workspace: str, number: str, seconds: float) -> None:
        """Remember that lesson `number` went well in `workspace`."""
        done = self.done.setdefault(workspace, [])
        if number not in done:
            done.append(number)
        self.seconds[number] = round(seconds, 1)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"done": self.done, "seconds": self.seconds}, indent=2)
        write_whole(self.path, content + "\n")
