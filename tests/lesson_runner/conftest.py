"""A small collection of lessons in a folder of its own."""

import json
import sys

import pytest

LESSON = '"""{title}.\n\nNeeds: {needs}\n"""\n\n{body}\n'


class Collection:
    """A folder with lessons and, when asked for, config.json and .env."""

    def __init__(self, folder):
        self.folder = folder

    def lesson(self, number, body="print('hello')", needs="nothing", title="A title"):
        text = LESSON.format(title=title, needs=needs, body=body)
        (self.folder / f"{number}_lesson.py").write_text(text)

    def azure(self, **config):
        names = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
        (self.folder / "config.json").write_text(json.dumps({**names, **config}))
        (self.folder / ".env").write_text("COLOUR=blue\n")

    def run(self, *arguments):
        """Run `lesson_runner` on this folder; the exit code."""
        from lesson_runner.__main__ import main

        return main(list(arguments), self.folder)


@pytest.fixture
def collection(tmp_path):
    return Collection(tmp_path)


@pytest.fixture
def interpreter():
    return sys.executable
