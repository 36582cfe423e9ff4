"""Where the lessons go: the workspace that config.json and .env name."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lesson_runner.command_line import WrongUse
from lesson_runner.files import KEYS, find_config, read_config, read_env, unfilled
from local_workspace import process
from local_workspace.client_environment import client_environment, env_lines
from local_workspace.paths import DEFAULT_ROOT, Paths
from local_workspace.settings import Settings

OURS = "# Written by run.py for the local workspace; kept up to date as long as this line stands.\n"
SERVICE_PRINCIPAL = tuple(
    f"AZUREML_SERVICE_PRINCIPAL_{part}" for part in ("TENANT_ID", "ID", "PASSWORD")
)


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

    A local workspace that they lead to is started when it does not run. Raises WrongUse when a
    file is missing or broken, and ProcessError when the local workspace cannot be started.
    """
    config_file, env_file = find_config(folder), folder / ".env"
    ours = env_file.is_file() and _is_ours(env_file)
    if config_file is None:
        if env_file.exists() and not ours:
            raise WrongUse(
                "There is a .env and no config.json. For Azure, copy config_template.json to "
                "config.json and fill it in; for the local workspace, move .env away and run "
                "this again."
            )
        return _own(folder, None)
    config = read_config(config_file)
    if not env_file.exists():
        raise WrongUse(
            f"{config_file} is here and .env is not. For Azure, copy template.env to .env and "
            f"fill it in; for the local workspace, move {config_file.name} away and run this "
            "again."
        )
    if ours:
        return _own(folder, config_file)
    variables = read_env(env_file)
    if urlsplit(variables.get("ARM_CLOUD_METADATA_URL", "")).hostname in ("localhost", "127.0.0.1"):
        return _other(config_file, config, variables)
    principal = [name for name in SERVICE_PRINCIPAL if {**os.environ, **variables}.get(name)]
    if principal and len(principal) < len(SERVICE_PRINCIPAL):
        lacking = ", ".join(name for name in SERVICE_PRINCIPAL if name not in principal)
        raise WrongUse(
            f".env: a service principal needs {lacking} as well. Set all three of it, or none."
        )
    missing = unfilled(variables)
    if missing:
        raise WrongUse(f".env: fill in {', '.join(missing)}, or begin the line with #.")
    return Destination(config["workspace_name"], _names(config), variables, None)


def _names(config: Mapping[str, str]) -> str:
    return "/".join(config[name] for name in KEYS)


def _is_ours(env_file: Path) -> bool:
    return env_file.read_text(encoding="utf-8", errors="replace").startswith(OURS)


def _own(folder: Path, config_file: Path | None) -> Destination:
    """The local workspace of this folder, with the pair of files that run.py keeps for it."""
    paths = Paths(folder / DEFAULT_ROOT)
    if config_file is not None and paths.settings.exists():
        _same_workspace(config_file, Settings.load(paths.settings))
    state, _ = process.start(paths, None)
    settings = Settings.load(paths.settings)
    if config_file is None:
        config = {name: getattr(settings, name) for name in KEYS}
        text = json.dumps(config, indent=4) + "\n"
        (folder / "config.json").write_text(text, encoding="utf-8")
        print("There was no config.json: wrote config.json and .env for the local workspace.")
    else:
        _same_workspace(config_file, settings)
    variables = client_environment(paths, settings, os.environ)
    try:
        lines = OURS + env_lines(variables)
    except ValueError as error:
        raise WrongUse(str(error)) from error
    env_file = folder / ".env"
    if not env_file.exists() or env_file.read_text(encoding="utf-8") != lines:
        if env_file.exists():
            print("The local workspace has changed (its port or its secrets): wrote .env anew.")
        # Port and secrets change when the workspace moves or is made anew.
        env_file.touch(mode=0o600)
        env_file.write_text(lines, encoding="utf-8")
    origin = f"https://localhost:{state.port}"
    return Destination(settings.workspace_name, settings.workspace_id, variables, origin)


def _other(
    config_file: Path, config: Mapping[str, str], variables: Mapping[str, str]
) -> Destination:
    """A local workspace that the user's own .env leads to; its files are only read."""
    # `python -m local_workspace env` names the certificate authority below the root.
    paths = Paths(Path(variables.get("REQUESTS_CA_BUNDLE", "")).parent.parent)
    renew = (
        f"Write it anew with `{paths.command('env')} > .env`, "
        f"or move .env and {config_file.name} away and run this again."
    )
    if not paths.settings.exists():
        raise WrongUse(
            f".env leads to a local workspace in {paths.root}, and there is none. Start it with "
            f"`{paths.command('start')}`, or move .env and "
            f"{config_file.name} away and run this again."
        )
    settings = Settings.load(paths.settings)
    _same_workspace(config_file, settings)
    if variables.get("MSI_SECRET") != settings.msi_secret:
        raise WrongUse(f"The local workspace in {paths.root} was made anew after .env. {renew}")
    state, _ = process.start(paths, None)
    origin = f"https://localhost:{state.port}"
    if urlsplit(variables["ARM_CLOUD_METADATA_URL"]).port != state.port:
        raise WrongUse(f".env leads to another port than that of the workspace, {origin}. {renew}")
    return Destination(config["workspace_name"], settings.workspace_id, variables, origin)


def _same_workspace(config_file: Path, settings: Settings) -> None:
    config = read_config(config_file)
    if config != {name: getattr(settings, name) for name in KEYS}:
        raise WrongUse(
            f"{config_file} names another workspace than the local one, to which .env leads. For "
            "Azure, fill in .env from template.env; for the local workspace, move "
            f"{config_file.name} away and run this again."
        )
