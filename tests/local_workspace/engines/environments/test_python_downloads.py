"""A Python that is not on this machine is fetched by uv, where it can be had."""

import json
import textwrap

import pytest

from local_workspace.engines.environments import python_downloads, pythons
from local_workspace.engines.environments.builder import EnvironmentBuilder
from local_workspace.engines.environments.plan import read_plan

OFFERED = ("3.8.20", "3.9.25", "3.12.16", "3.16.0a2")


@pytest.fixture
def uv(tmp_path, monkeypatch):
    """uv that offers some Pythons, and says it downloads them unless there is a file `offline`."""

    def listing(*versions):
        entries = [
            {"version": version, "path": f"/p/{version}", "implementation": "cpython"}
            for version in versions
        ]
        return json.dumps(entries)

    (tmp_path / "offered.json").write_text(listing(*OFFERED))
    (tmp_path / "installed.json").write_text(listing())
    for version in OFFERED:
        (tmp_path / f"with-{version}.json").write_text(listing(version))
    script = tmp_path / "uv.sh"
    script.write_text(
        textwrap.dedent(f"""\
        #!/bin/sh
        cd {tmp_path}
        echo "$@" >> calls
        case "$*" in
        *--only-downloads*) cat offered.json;;
        *--only-installed*) cat installed.json;;
        "python install"*)
            [ -e offline ] && {{ echo "dns error at https://me:word@host/x" >&2; exit 2; }}
            for version; do :; done
            cp "with-$version.json" installed.json;;
        esac
        """)
    )
    script.chmod(0o755)
    (tmp_path / "calls").touch()
    monkeypatch.delenv("UV_PYTHON_DOWNLOADS", raising=False)
    monkeypatch.setattr(pythons, "uv_command", lambda: [str(script)])
    monkeypatch.setattr(pythons, "_listed", None)
    monkeypatch.setattr(python_downloads, "_failed", {})
    return tmp_path


def choose(root, said, *packages, python, may_download=True):
    """The version of the Python that an environment gets."""
    dependencies = [f"python={python}", {"pip": list(packages)}]
    plan = read_plan({"python": {"condaDependencies": {"dependencies": dependencies}}})
    builder = EnvironmentBuilder(root)
    return str(builder.choose(plan, said.append, may_download=may_download).interpreter.version)


def downloads(uv):
    calls = (uv / "calls").read_text().splitlines()
    return [call.split()[-1] for call in calls if call.startswith("python install")]


@pytest.mark.parametrize(("asked", "used"), [("3.9", "3.9.25"), ("3.6.2", "3.8.20")])
def test_the_python_that_is_asked_for_or_the_nearest_is_downloaded(uv, asked, used):
    said = []
    assert choose(uv, said, "no-such-package", python=asked) == used
    assert f"uv downloads Python {used}." in said
    # It is here now.
    assert choose(uv, said, "no-such-package", python=used) == used
    assert downloads(uv) == [used]


def test_nothing_is_downloaded_where_it_gains_nothing(uv, monkeypatch):
    own = str(pythons.own_interpreter().version)
    # The workspace's own environment has the package; and the own Python is the nearest.
    assert choose(uv, [], "pytest", python="3.9") == own
    assert choose(uv, [], "no-such-package", python="3.9", may_download=False) == own
    (uv / "offered.json").write_text("[]")
    assert choose(uv, [], "no-such-package", python="3.9") == own
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    assert choose(uv, [], "no-such-package", python="3.8") == own
    assert downloads(uv) == []


def test_a_download_that_fails_leaves_what_is_here(uv):
    (uv / "offline").touch()
    said = []
    own = str(pythons.own_interpreter().version)
    assert choose(uv, said, "no-such-package", python="3.9") == own
    assert "Python 3.9.25 could not be downloaded: dns error at https://***@host/x" in said
    assert f"Python 3.9 is not on this machine: Python {own} is used instead." in said
    # It is not tried again at once.
    assert choose(uv, said, "no-such-package", python="3.9") == own
    assert downloads(uv) == ["3.9.25"]
