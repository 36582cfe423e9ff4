"""config.json and .env: what is made, what is left alone, what is said when they are broken."""

import json

import pytest
from azureml.core import Workspace

from lesson_runner.destination import OURS, WrongUse, find_destination
from local_workspace import process
from local_workspace.paths import Paths


@pytest.fixture
def stopped(tmp_path):
    """Stops the workspace that a test has started in `tmp_path`."""
    yield tmp_path
    process.stop(Paths(tmp_path / ".local_workspace"))


def test_without_config_the_local_pair_is_made(stopped, capsys):
    destination = find_destination(stopped)
    assert destination.is_local
    assert "wrote config.json and .env" in capsys.readouterr().out
    assert (stopped / ".env").stat().st_mode & 0o077 == 0
    config = json.loads((stopped / "config.json").read_text())
    assert set(config) == {"subscription_id", "resource_group", "workspace_name"}
    assert f"{destination.origin}/metadata/endpoints" in (stopped / ".env").read_text()

    before = {name: (stopped / name).read_bytes() for name in ("config.json", ".env")}
    again = find_destination(stopped)
    assert again == destination
    assert {name: (stopped / name).read_bytes() for name in before} == before
    assert capsys.readouterr().out == ""


def test_a_workspace_made_anew_refreshes_our_env_only(stopped):
    first = find_destination(stopped)
    paths = Paths(stopped / ".local_workspace")
    process.stop(paths)
    paths.settings.unlink()
    second = find_destination(stopped)
    assert second.key != first.key
    assert second.environment["MSI_SECRET"] in (stopped / ".env").read_text()
    assert first.environment["MSI_SECRET"] not in (stopped / ".env").read_text()


def test_azure_starts_nothing_and_changes_nothing(collection):
    collection.azure()
    before = sorted(path.name for path in collection.folder.iterdir())
    destination = find_destination(collection.folder)
    assert not destination.is_local and destination.key == "s/g/w"
    assert destination.environment == {"COLOUR": "blue"}
    assert sorted(path.name for path in collection.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("config", "env", "said"),
    [
        ('{\n  "subscription_id": ,\n}', "A=1\n", "config.json, line 2, is not JSON"),
        ('{"subscription_id": "s"}', "A=1\n", "lacks resource_group, workspace_name"),
        ("[]", "A=1\n", "lacks subscription_id"),
        (None, "A=1\n", "There is a .env and no config.json"),
        ("good", None, ".env is not"),
        ("good", "A=1\nnonsense\n", ".env, line 2, is not of the form NAME=value"),
        ("unfilled", "A=1\n", "fill in workspace_name"),
    ],
)
def test_broken_files_are_named(tmp_path, config, env, said):
    names = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
    if config == "good":
        config = json.dumps(names)
    elif config == "unfilled":
        config = json.dumps({**names, "workspace_name": "<name of your workspace>"})
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    if env is not None:
        (tmp_path / ".env").write_text(env)
    with pytest.raises(WrongUse, match=said.replace(".", r"\.")):
        find_destination(tmp_path)


def test_our_env_beside_a_foreign_config_is_said(stopped):
    find_destination(stopped)
    names = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
    (stopped / "config.json").write_text(json.dumps(names))
    with pytest.raises(WrongUse, match="names another workspace"):
        find_destination(stopped)
    assert json.loads((stopped / "config.json").read_text()) == names
    assert (stopped / ".env").read_text().startswith(OURS)


def test_the_template_is_what_the_sdk_reads(tmp_path, local_workspace):
    from lesson_runner.destination import KEYS

    (tmp_path / "config.json").write_text(json.dumps(local_workspace.config))
    assert set(local_workspace.config) == set(KEYS)
    workspace = Workspace.from_config(str(tmp_path / "config.json"))
    assert workspace.name == local_workspace.config["workspace_name"]
