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
        ("good", "A=<fill me in>\n", ".env: fill in A"),
        (b"\xff\xfe", "A=1\n", "not a UTF-8 text"),
        ("good", b"A=\xff\n", "not a UTF-8 text"),
        ("good", "AZUREML_SERVICE_PRINCIPAL_ID=x\n", "TENANT_ID, AZUREML_SERVICE_PRINCIPAL_PASSW"),
    ],
)
def test_broken_files_are_named(tmp_path, config, env, said):
    names = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
    if config == "good":
        config = json.dumps(names)
    elif config == "unfilled":
        config = json.dumps({**names, "workspace_name": "<name of your workspace>"})
    for name, text in (("config.json", config), (".env", env)):
        if text is not None:
            data = text if isinstance(text, bytes) else text.encode()
            (tmp_path / name).write_bytes(data)
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


def test_a_file_that_the_sdk_prefers_is_noticed(stopped):
    folder = stopped / "repository"
    folder.mkdir()
    names = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
    (stopped / ".azureml").mkdir()
    (stopped / ".azureml/config.json").write_text(json.dumps(names))
    with pytest.raises(WrongUse, match=r"\.azureml/config\.json is here and \.env is not"):
        find_destination(folder)
    (folder / ".env").write_text("A=1\n")
    assert find_destination(folder).key == "s/g/w"
    scope = "/subscriptions/s2/resourceGroups/g2/providers/X/workspaces/w2"
    (stopped / ".azureml/config.json").write_text(json.dumps({"Id": None, "Scope": scope}))
    assert find_destination(folder).key == "s2/g2/w2"


def test_a_local_pair_written_by_hand_is_followed_and_left_alone(stopped):
    first = find_destination(stopped)
    paths = Paths(stopped / ".local_workspace")
    env_file = stopped / ".env"
    by_hand = env_file.read_text().removeprefix(OURS)
    env_file.write_text(by_hand)
    process.stop(paths)
    again = find_destination(stopped)
    assert process.is_running(paths)
    assert again.is_local and again.key == first.key and env_file.read_text() == by_hand

    env_file.write_text(by_hand.replace(first.environment["MSI_SECRET"], "an-older-secret"))
    with pytest.raises(WrongUse, match="was made anew after"):
        find_destination(stopped)
    port = first.origin.rpartition(":")[2]
    env_file.write_text(by_hand.replace(f"localhost:{port}/metadata", "localhost:1/metadata"))
    with pytest.raises(WrongUse, match="another port"):
        find_destination(stopped)
    env_file.write_text(by_hand.replace(str(paths.root), str(stopped / "elsewhere")))
    with pytest.raises(WrongUse, match="there is none"):
        find_destination(stopped)


@pytest.mark.parametrize("name", ["config.json", ".env"])
def test_a_folder_in_the_place_of_a_file_is_said(collection, name):
    collection.azure()
    (collection.folder / name).unlink()
    (collection.folder / name).mkdir()
    with pytest.raises(WrongUse, match=f"{name} is a folder"):
        find_destination(collection.folder)


def test_outputs_that_cannot_be_written_are_said(collection, capsys):
    collection.azure()
    collection.lesson("01")
    (collection.folder / "outputs").write_text("in the way")
    assert collection.run() == 2
    assert "outputs" in (said := capsys.readouterr().err) and "cannot be written" in said
