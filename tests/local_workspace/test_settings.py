"""Settings of a workspace: of an older one, and such as cannot be."""

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


@pytest.mark.parametrize("value", [0, -1, 1.5, "256", None])
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
