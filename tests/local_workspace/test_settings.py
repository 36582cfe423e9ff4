"""Settings of a workspace: of an older one, and such as cannot be."""

import base64
import dataclasses
import json

import pytest

from local_workspace.settings import BrokenSettings, Settings


def test_settings_of_an_older_workspace_have_what_came_since(tmp_path):
    path = tmp_path / "workspace.json"
    settings = Settings(port=7443)
    settings.save(path)
    older = json.loads(path.read_text())
    del older["job_log_mib"]
    path.write_text(json.dumps(older))
    assert Settings.load(path) == settings


@pytest.mark.parametrize("value", [0, -1, 1.5, "256", None, True])
def test_a_limit_that_cannot_be_is_told(tmp_path, value):
    path = tmp_path / "workspace.json"
    Settings().save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "job_log_mib": value}))
    with pytest.raises(BrokenSettings, match="job_log_mib must be a whole number above 0, not"):
        Settings.load(path)


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_strict_environments_are_true_or_false(tmp_path, value):
    path = tmp_path / "workspace.json"
    Settings().save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "strict_environments": value}))
    with pytest.raises(BrokenSettings, match="strict_environments must be true or false, not"):
        Settings.load(path)


def _changed(path, **changes):
    Settings().save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("msi_secret", ""),
        ("msi_secret", " " * 40),
        ("msi_secret", None),
        ("msi_secret", "short"),
        ("signing_key", ""),
        ("signing_key", 7),
        ("storage_key", ""),
        ("storage_key", "no base64, but long enough to be a key of 64 bytes"),
        ("storage_key", base64.b64encode(b"short").decode()),
        ("workspace_id", "the-first"),
        ("tenant_id", ""),
        ("storage_account", "Not/An/Account"),
        ("workspace_name", "a/b"),
        ("port", "7443"),
        ("port", -1),
        ("port", 65536),
        ("port", True),
        ("port", None),
        ("created", []),
        ("database_url", 5),
        ("keep_logs_days", True),
    ],
)
def test_a_value_that_cannot_be_is_told_by_its_name(tmp_path, name, value):
    path = _changed(tmp_path / "workspace.json", **{name: value})
    with pytest.raises(BrokenSettings, match=rf"workspace.json cannot be read \({name} must be "):
        Settings.load(path)


def test_a_secret_is_not_in_the_message(tmp_path):
    path = _changed(tmp_path / "workspace.json", storage_key="secret but no base64")
    with pytest.raises(BrokenSettings) as told:
        Settings.load(path)
    assert "secret but" not in str(told.value)


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Settings) if f.type == "str"])
def test_what_must_be_the_same_for_every_reader_is_not_made_up(tmp_path, name):
    path = tmp_path / "workspace.json"
    Settings().save(path)
    values = json.loads(path.read_text())
    del values[name]
    path.write_text(json.dumps(values))
    with pytest.raises(BrokenSettings, match=f"does not set {name}"):
        Settings.load(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"a text"', "[" * 100_000, "\x00"])
def test_a_file_that_is_no_object_is_told(tmp_path, content):
    path = tmp_path / "workspace.json"
    path.write_text(content)
    with pytest.raises(BrokenSettings, match=r"workspace\.json cannot be read"):
        Settings.load(path)


def test_a_folder_of_that_name_is_told(tmp_path):
    with pytest.raises(BrokenSettings, match="Is a directory"):
        Settings.load(tmp_path)
