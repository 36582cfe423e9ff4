"""The pages say what is true of the repository."""

import re
import subprocess

import pytest
from repository import REPOSITORY

PAGES = sorted([REPOSITORY / "README.md", *REPOSITORY.glob("docs/*.md")])
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    inside = [target for target in targets if "://" not in target]
    missing = [target for target in inside if not (page.parent / target).exists()]
    assert missing == []


def test_the_readme_lists_fifteen_lessons_and_says_which_are_there():
    rows = re.findall(r"^\| (\d\d) \| (\S.*?) \|.*\| ([\w ]+) \|$", README, re.MULTILINE)
    assert [number for number, _, _ in rows] == [f"{number:02}" for number in range(1, 16)]
    for number, name, status in rows:
        there = list(REPOSITORY.glob(f"{number}_*.py"))
        if status == "yes":
            assert name.endswith(f"({there[0].name})"), number
        else:
            assert status == "being written" and not there, number


def test_the_readme_shows_the_two_commands_first():
    head = README.split("## ")[0]
    assert "python run.py  " in head and "python run.py test" in head


def test_no_package_index_is_named_anywhere():
    names = ("pypi" + ".org", "pythonhosted" + ".org")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git repository")
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = REPOSITORY / name
        if path.suffix in (".png", ".csv") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        assert [found for found in names if found in text] == [], name
