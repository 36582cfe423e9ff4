"""A browser for the tests of the web pages: signs in as a user does, and reads pages strictly."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import requests
from bs4 import BeautifulSoup
from repository import REPOSITORY

from local_workspace import process
from local_workspace.studio.ticket_page import write_ticket_page

# HTML's elements without an end.
_VOID = {"meta", "link", "img", "input", "br", "hr"}
# In SVG within the pages these are written as empty.
_EMPTY_IN_SVG = {"line", "polyline", "circle"}


def open_command(server):
    """Run `python -m local_workspace open --no-browser`: the finished process and its file."""
    done = subprocess.run(
        [sys.executable, "-m", "local_workspace", "open", "--no-browser", "--root", server.root],
        cwd=REPOSITORY,
        text=True,
        capture_output=True,
        check=True,
    )
    return done, server.root / "sign-in.html"


def new_ticket(server):
    """What the command writes, made in this process: address and fields of the form."""
    state = process.read_state(server.paths)
    return form_of(write_ticket_page(server.paths, server.settings, state).read_text())


def form_of(page):
    """Address and fields of the first form of a page."""
    form = BeautifulSoup(page, "html.parser").form
    return form["action"], {field["name"]: field["value"] for field in form("input")}


class Browser(requests.Session):
    """Keeps cookies and knows the workspace; `get("/studio/...")` goes to it."""

    def __init__(self, server):
        super().__init__()
        self.trust_env = False
        self.verify = str(server.paths.certificates / "authority.pem")
        self.origin = server.origin

    def request(self, method, url, **options):
        """Send a request; an address without a host is one of the workspace."""
        return super().request(
            method, self.origin + url if url.startswith("/") else url, timeout=20, **options
        )

    def sign_in(self, server):
        """Send the form in the command's file, as the script in it does."""
        address, fields = new_ticket(server)
        return self.post(address, data=fields)

    def page(self, url, status=200):
        """A page, after checking its status and that it is well made."""
        answer = self.get(url)
        assert answer.status_code == status, answer.text
        check_html(answer.text)
        return BeautifulSoup(answer.text, "html.parser")

    def form_token(self):
        """What the forms of this session carry."""
        return self.page("/studio/").find("input", {"name": "form_token"})["value"]


def text(element):
    """The text of an element, in one line."""
    return re.sub(r"\s+", " ", element.get_text(" ")).strip()


def rows(page, caption):
    """The rows of the table with this caption: a list of {column: text}."""
    table = next(t for t in page("table") if text(t.caption) == caption)
    names = [text(cell) for cell in table.thead("th")]
    return [
        dict(zip(names, (text(cell) for cell in row(["th", "td"])), strict=True))
        for row in table.tbody("tr")
    ]


def facts(element):
    """The facts on a page or in a part of it: {name: value}."""
    return {text(fact.dt): text(fact.dd) for fact in element.select(".facts div")}


class _Checker(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.levels = [], [], []
        self.labelled = 0

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        assert len(given) == len(attributes), f"an attribute twice in <{tag}>"
        handlers = [name for name in given if name.startswith("on") or name == "style"]
        assert not handlers, f"{handlers} in <{tag}>: the content policy forbids it"
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "script":
            assert given.get("src", "").startswith("/studio/static/"), "a script within the page"
        if tag == "img":
            assert "alt" in given
        if tag == "a":
            assert given["href"].startswith(("/studio", "#")), given["href"]
        if tag == "form":
            assert given["action"].startswith("/studio")
        if tag in ("input", "select") and given.get("type") != "hidden":
            assert "label" in self.open, f"<{tag}> without a label"
        if tag == "th":
            assert given.get("scope") in ("row", "col")
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in _EMPTY_IN_SVG and "svg" in self.open
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes <{self.open[-1:]}>"
        self.open.pop()


def check_html(page):
    """Assert that a page is well formed, accessible, and free of scripts and styles within."""
    checker = _Checker()
    checker.feed(page)
    checker.close()
    assert page.startswith("<!doctype html>") and not checker.open
    assert len(checker.ids) == len(set(checker.ids)), "an id twice"
    assert checker.levels[0] == 1 and checker.levels.count(1) == 1
    steps = zip(checker.levels, checker.levels[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps), checker.levels
