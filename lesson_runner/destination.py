"""Where the lessons go: the workspace that config.json and .env name."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dotenv

from local_workspace import process
from local_workspace.client_environment import client_environment, env_lines
from local_workspace.paths import DEFAULT_ROOT, Paths
from local_workspace.settings import Settings

KEYS = ("subscription_id", "resource_group", "workspace_name")
OURS = "# Written by run.py for the local workspace; kept up to date as long as this line stands.\n"


class WrongUse(Exception):
    """The folder is not as the lessons need it; the message says which file and what to do."""


@dataclass(frozen=True)
class Destination:
    """A workspace, the variables that lead there, and whether it is on this machine."""

    name: str
    key: str
    environment: Mapping[str, str]
    origin: str | None

    @property
    def is_local(self) -> bool:
        """Whether it is a local workspace."""
        return self.origin is not None


def find_destination(folder: Path) -> Destination:
    """Read config.json and .env of `folder`; without a config.json, make the local pair.

    Raises WrongUse when one of them is missing or broken, and ProcessError when the local
    workspace cannot be started.
    """
    config_file, env_file = folder / "config.json", folder / ".env"
    if not config_file.exists():
        if env_file.exists() and not _is_ours(env_file):
            raise WrongUse(
                f"There is a {env_file.name} and no {config_file.name}. For Azure, copy "
                "config_template.json to config.json and fill it in; for the local workspace, "
                f"move {env_file.name} away and run this again."
            )
        return _local(folder, announce=True)
    config = read_config(config_file)
    if not env_file.exists():
        raise WrongUse(
            f"{config_file.name} is here and .env is not. For Azure, copy template.env to .env "
            f"and fill it in; for the local workspace, delete {config_file.name} and run this "
            "again."
        )
    variables = read_env(env_file)
    if _is_ours(env_file):
        return _local(folder, announce=False)
    origin = variables.get("ARM_CLOUD_METADATA_URL", "").removesuffix("/metadata/endpoints")
    key = "/".join(config[name] for name in KEYS)
    return Destination(config["workspace_name"], key, variables, origin or None)


def read_config(path: Path) -> dict[str, str]:
    """The three names in config.json.

    Raises WrongUse, naming the line, when it is not JSON or a name is missing.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise WrongUse(
            f"{path.name}, line {error.lineno}, is not JSON ({error.msg}). Compare it with "
            "config_template.json."
        ) from error
    except UnicodeDecodeError as error:
        raise WrongUse(f"{path.name} is not a UTF-8 text. Write it anew.") from error
    missing = [
        name
        for name in KEYS
        if not isinstance(config, dict) or not isinstance(config.get(name), str)
    ]
    if missing:
        raise WrongUse(
            f"{path.name} lacks {', '.join(missing)}. Compare it with config_template.json."
        )
    unfilled = [name for name in KEYS if config[name].startswith("<")]
    if unfilled:
        raise WrongUse(f"{path.name}: fill in {', '.join(unfilled)}.")
    return {name: config[name] for name in KEYS}


def read_env(path: Path) -> dict[str, str]:
    """The variables of a .env file.

    Raises WrongUse, naming the line, when a line is no `NAME=value`.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise WrongUse(f"{path.name} is not a UTF-8 text. Write it anew.") from error
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#") and "=" not in stripped:
            raise WrongUse(
                f"{path.name}, line {number}, is not of the form NAME=value. Compare it with "
                "template.env."
            )
    return {name: value or "" for name, value in dotenv.dotenv_values(path).items()}


def _is_ours(env_file: Path) -> bool:
    return env_file.read_text(encoding="utf-8", errors="replace").startswith(OURS)


def _local(folder: Path, *, announce: bool) -> Destination:
    paths = Paths(folder / DEFAULT_ROOT)
    state, _ = process.start(paths, None)
    settings = Settings.load(paths.settings)
    config = {name: getattr(settings, name) for name in KEYS}
    config_file, env_file = folder / "config.json", folder / ".env"
    variables = client_environment(paths, settings, os.environ)
    lines = OURS + env_lines(variables)
    if not config_file.exists():
        config_file.write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")
    elif read_config(config_file) != config:
        raise WrongUse(
            "config.json names another workspace than .env, which run.py wrote for the local one. "
            "For Azure, fill in .env from template.env; for the local workspace, delete "
            "config.json and run this again."
        )
    if not env_file.exists() or env_file.read_text(encoding="utf-8") != lines:
        # Port and secrets change when the workspace moves or is made anew.
        env_file.touch(mode=0o600)
        env_file.write_text(lines, encoding="utf-8")
    if announce:
        print("There was no config.json: wrote config.json and .env for the local workspace.")
    return Destination(
        settings.workspace_name,
        settings.workspace_id,
        variables,
        f"https://localhost:{state.port}",
    )
