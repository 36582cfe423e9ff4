"""docs/from_v1_to_v2.md covers every lesson, and its v1 code is the SDK's."""

import ast
import functools
import importlib
import inspect
import re

import pytest
from repository import REPOSITORY

TEXT = (REPOSITORY / "docs" / "from_v1_to_v2.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
V1_BLOCKS = [block for block in BLOCKS if "from azureml." in block]


def test_table_has_every_lesson():
    cells = [line.split("|")[1] for line in TEXT.splitlines() if line.startswith("|")]
    numbers = {number for cell in cells for number in re.findall(r"\d\d", cell)}
    assert numbers == {f"{number:02}" for number in range(1, 16)}


@pytest.mark.parametrize("block", BLOCKS)
def test_code_is_python(block):
    ast.parse(block)


@pytest.mark.parametrize("block", V1_BLOCKS)
def test_v1_code_calls_the_sdk_as_it_is(block):
    names = {}
    tree = ast.parse(block)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            names.update({alias.name: getattr(module, alias.name) for alias in node.names})
    assert names
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (called := resolve(node.func, names)) is not None:
            arguments = [None] * len(node.args)
            inspect.signature(called).bind(
                *arguments, **dict.fromkeys(word.arg for word in node.keywords)
            )


def resolve(function, names):
    """What a call such as `Dataset.File.upload_directory` calls, if it begins with an import."""
    first, *rest = ast.unparse(function).split(".")
    return functools.reduce(getattr, rest, names[first]) if first in names else None


def test_there_is_v1_code_for_the_first_five_lessons():
    assert len(V1_BLOCKS) >= 6
    assert [int(number) for number in re.findall(r"^## Lesson (\d\d):", TEXT, re.MULTILINE)] == [
        *range(1, 6)
    ]
