"""Every lesson reads alike, and calls the SDK as it is."""

import ast
import re
import subprocess
import sys

import pytest
from repository import LESSONS, find_lesson


@pytest.fixture(params=LESSONS)
def text(request):
    return find_lesson(request.param).read_text(encoding="utf-8")


@pytest.fixture
def tree(text):
    return ast.parse(text)


def test_lesson_is_short(text):
    # What all of them open with, the check of the Python, is not counted.
    assert len(text.splitlines()) < 205
    assert text.count("\n# %% ") >= 3, "cells"


def test_docstring_says_what_a_reader_must_know(tree):
    said = ast.get_docstring(tree)
    assert re.match(r"[^\n]{1,60}\.\n\n", said), "a title of one line, short enough for a table"
    assert re.search(r"^Needs: (nothing|\d\d(, \d\d)*)$", said, re.MULTILINE)
    assert re.search(r"^What you will do: ", said, re.MULTILINE)
    assert re.search(r"^The ideas$", said, re.MULTILINE)
    assert re.search(r"^Cost and time on Azure: ", said, re.MULTILINE)
    assert re.search(r"^In SDK v2: ", said, re.MULTILINE)


def test_env_is_loaded_before_the_sdk_is_imported(tree):
    """The SDK reads its cloud settings at import, and .env decides, not the shell."""
    check, stop, imported, loaded, *_ = tree.body[1:]
    assert ast.unparse(check) == "from importlib.util import find_spec"
    assert isinstance(stop, ast.If)
    assert ast.unparse(imported) == "from dotenv import load_dotenv"
    assert ast.unparse(loaded) == "load_dotenv(override=True)"


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_python_without_the_sdk_is_told_what_to_type(lesson):
    path = find_lesson(lesson)
    # -S: no site-packages, as a Python that has only its own library.
    bare = [sys.executable, "-S", path.name]
    done = subprocess.run(bare, cwd=path.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"`python run.py {path.name[:2]}`" in done.stderr


def test_no_machinery(tree):
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.FunctionDef) and node.name == "main")
        assert (
            not isinstance(node, ast.ImportFrom) or node.module.split(".")[0] != "local_workspace"
        )
        if isinstance(node, ast.ExceptHandler):
            assert ast.unparse(node.type) == "ComputeTargetException"


def test_ends_with_what_to_read_next(tree):
    assert re.match(r"print\('\\nNext: ", ast.unparse(tree.body[-1]))
