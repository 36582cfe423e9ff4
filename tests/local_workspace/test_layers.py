"""Which module may import which: the contracts of `pyproject.toml` hold, and notice what breaks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_LINT = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
)

# Imports that go the wrong way.
WRONG = [
    ("services.arm.wrong_a", "engines.base"),
    ("services.arm.wrong_b", "studio.pages"),
    ("services.arm.wrong_c", "services.compute.records"),
    ("engines.nodes.wrong", "services.metric.records"),
    ("engines.environments.wrong", "engines.nodes.node"),
    ("studio.wrong", "services.artifact.records"),
    ("store.wrong", "workspace"),
    ("job_side.wrong", "paths"),
]


def lint(folder):
    """What `lint-imports` says of the project in `folder`, and its exit code."""
    done = subprocess.run(
        [sys.executable, "-c", _LINT],
        cwd=folder,
        # Wide enough for a whole import on a line.
        env={**os.environ, "COLUMNS": "200"},
        text=True,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_hold():
    code, output = lint(REPOSITORY)
    assert code == 0, output


def test_an_import_that_goes_the_wrong_way_is_named(tmp_path):
    package = tmp_path / "local_workspace"
    shutil.copytree(
        REPOSITORY / package.name, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy2(REPOSITORY / "pyproject.toml", tmp_path)
    for importer, imported in WRONG:
        code = (
            "from typing import TYPE_CHECKING\n\n"
            f"if TYPE_CHECKING:\n    import local_workspace.{imported}\n"
        )
        path = package.joinpath(*importer.split(".")).with_suffix(".py")
        path.write_text(code, encoding="utf-8")
    (package / "nowhere.py").touch()
    (package / "store" / "circle").mkdir()
    for one, other in (("__init__", "one"), ("one", "two"), ("two", "one")):
        path = package / "store" / "circle" / f"{one}.py"
        path.write_text(f"import local_workspace.store.circle.{other}\n", encoding="utf-8")

    code, output = lint(tmp_path)
    assert code == 1
    assert "4 broken" in output
    for importer, imported in WRONG:
        line = f"local_workspace.{importer} -> local_workspace.{imported} (l.4)"
        assert line in output, output
    assert "not listed as layers:\n\n- local_workspace.nowhere" in output
    assert "No cycles are allowed in local_workspace.store.circle." in output
