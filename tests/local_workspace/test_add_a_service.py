"""A service and an engine are added by the steps of the docs, and by nothing else."""

import contextlib
import hashlib
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from execution_helpers import wait_until

from local_workspace.identity.tokens import TokenIssuer
from local_workspace.paths import Paths
from local_workspace.settings import Settings
from local_workspace.store.blobs import BlobStore
from local_workspace.store.database import Database
from local_workspace.store.schema import revisions

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "how_the_local_workspace_works.md"


def blocks():
    """The files of the page's last section: path -> code."""
    section = PAGE.read_text(encoding="utf-8").split("\n## Add a service, add an engine\n")[1]
    section = section.split("\n## ")[0]
    # The page's migration is the first after the first: here it is the next one.
    newest = revisions()[-1]
    section = section.replace("0002", f"{int(newest) + 1:04}").replace("0001", newest)
    return dict(re.findall(r"```python\n# (\S+)\n(.*?)```", section, re.DOTALL))


def with_entries(startup, block):
    """The text of startup.py with the imports and the entries of a block."""
    imports = re.findall(r"^from .*\n", block, re.MULTILINE)
    entries = re.findall(r"^(\w+) = \(\.\.\., (.+)\)$", block, re.MULTILINE)
    assert len(imports) == len(entries) == 2
    for name, entry in entries:
        startup, count = re.subn(rf"^({name}: .* = \()", rf"\1{entry}, ", startup, flags=re.M)
        assert count == 1, name
    future = "from __future__ import annotations\n"
    return startup.replace(future, future + "".join(imports))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the repository in which the steps were done."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(REPOSITORY / "local_workspace", folder / "local_workspace")
    shutil.copytree(REPOSITORY / "docs", folder / "docs")
    shutil.copy2(REPOSITORY / "pyproject.toml", folder)
    for name, code in blocks().items():
        path = folder / name
        if name == "local_workspace/startup.py":
            code = with_entries(path.read_text(encoding="utf-8"), code)
        else:
            assert not path.exists(), name
            path.parent.mkdir(exist_ok=True)
        path.write_text(code, encoding="utf-8")
    return folder


def python(project, *arguments):
    """Run Python in the project; its output. It must end well."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=project, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_support_matrix_has_its_title_and_its_routes(project):
    python(project, "-m", "local_workspace.support_matrix")
    page = (project / "docs" / "support_matrix.md").read_text(encoding="utf-8")
    section = page.split("\n## Checksums\n")[1].split("\n## ")[0]
    assert "Ask for the checksum of a file." in section
    assert "`GET /checksum/v1.0{WS}/checksums/{checksum_id}`" in section


def test_its_table_is_the_same_in_an_old_workspace_and_in_a_new_one(project, toy, tmp_path):
    open_database = "from local_workspace.store.database import Database; Database"
    python(project, "-c", f"{open_database}('sqlite:///{tmp_path}/new.db').close()")

    def table(file):
        with contextlib.closing(sqlite3.connect(file)) as database:
            return database.execute("SELECT * FROM pragma_table_info('checksums')").fetchall()

    assert table(toy.paths.database) == table(tmp_path / "new.db") != []


def test_it_keeps_the_layers_and_the_style(project):
    lint = "from importlinter.cli import lint_imports; lint_imports(no_cache=True)"
    assert "0 broken" in python(project, "-c", lint)
    new = [name for name in blocks() if name != "local_workspace/startup.py"]
    python(project, "-m", "ruff", "check", *new)
    python(project, "-m", "ruff", "format", "--check", *new)


class Toy:
    """The copy's server, and requests to its new service."""

    def __init__(self, project, root):
        self.project = project
        self.paths = Paths(root)

    def command(self, name, *arguments):
        python(self.project, "-m", "local_workspace", name, "--root", self.paths.root, *arguments)

    def request(self, method, path, **options):
        settings = Settings.load(self.paths.settings)
        origin = f"https://localhost:{settings.port}"
        answer = requests.request(
            method,
            origin + path.format(base=f"/checksum/v1.0{settings.scope}/checksums"),
            headers={"Authorization": f"Bearer {TokenIssuer(settings).issue(origin)[0]}"},
            verify=str(self.paths.certificates / "authority.pem"),
            timeout=30,
            **options,
        )
        return answer

    def ask(self, blob):
        return self.request("POST", "{base}", json={"blobName": blob}).json()["id"]

    def described(self, checksum_id):
        return self.request("GET", f"{{base}}/{checksum_id}").json()

    def answer(self, checksum_id):
        """What the engine found, when it has."""
        return wait_until(
            lambda: (found := self.described(checksum_id))["state"] != "asked" and found
        )

    def wait_for_failure(self, checksum_id):
        """Until the engine has tried, and could not."""
        line = f"failed in a step of {checksum_id}"
        wait_until(lambda: line in self.paths.server_log.read_text(encoding="utf-8"))

    def put(self, blob, data):
        account = Settings.load(self.paths.settings).storage_account
        BlobStore(self.paths.blobs).put_bytes(account, "checksummed", blob, data)


@pytest.fixture(scope="module")
def toy(project, tmp_path_factory):
    toy = Toy(project, tmp_path_factory.mktemp("root"))
    # A workspace of the repository as it is, without the new table.
    Database(f"sqlite:///{toy.paths.database}").close()
    toy.command("start", "--port", "0")
    yield toy
    toy.command("stop")


def test_discovery_lists_it_and_dispatch_reaches_it(toy):
    settings = Settings.load(toy.paths.settings)
    ticket = TokenIssuer(settings).ticket(f"discovery/{settings.workspace_id}")
    listed = toy.request("GET", f"/discovery/workspaces/{settings.workspace_id}/{ticket}").json()
    assert listed["checksum"] == listed["history"]
    missing = toy.request("GET", "{base}/nobody")
    assert missing.status_code == 404
    assert missing.json()["error"]["message"] == "There is no checksum 'nobody'."
    assert toy.request("POST", "{base}", json=[]).status_code == 400


def test_its_engine_hears_of_it_and_does_the_work(toy):
    # The container was made at the start.
    toy.put("here", b"1234")
    found = toy.answer(toy.ask("here"))
    assert (found["state"], found["answer"]) == ("done", hashlib.sha256(b"1234").hexdigest())


def test_a_step_that_fails_is_tried_again(toy):
    checksum_id = toy.ask("late")
    toy.wait_for_failure(checksum_id)
    toy.put("late", b"12")
    assert toy.answer(checksum_id)["answer"] == hashlib.sha256(b"12").hexdigest()


def test_in_the_end_it_fails_with_a_reason(toy):
    found = toy.answer(toy.ask("never"))
    assert found["state"] == "failed"
    assert "The specified blob does not exist. (blob 'never')" in found["answer"]


def test_what_the_tables_hold_is_found_at_the_next_start(toy):
    toy.put("after", b"1")
    toy.command("stop")
    with contextlib.closing(sqlite3.connect(toy.paths.database)) as database, database:
        database.execute("INSERT INTO checksums VALUES ('of-before', 'after', 'asked', NULL)")
    toy.command("start")
    assert toy.answer("of-before")["answer"] == hashlib.sha256(b"1").hexdigest()
