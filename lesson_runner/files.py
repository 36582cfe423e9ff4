"""Reads config.json and .env as the SDK and python-dotenv do, and says what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import parse_stream

from lesson_runner.command_line import WrongUse

KEYS = ("subscription_id", "resource_group", "workspace_name")
_SDK_FOLDERS = (".azureml", "aml_config")
_SDK_FILES = ("config.json", "project.json")


def find_config(folder: Path) -> Path | None:
    """The file that `Workspace.from_config()` reads in `folder`; None when there is none.

    The SDK looks for `.azureml/` and `aml_config/` in the folder and in all above it before it
    looks for config.json itself, so that such a file, even in the home folder, goes first
    (`Workspace.from_config` of azureml-core 1.61).
    """
    for subfolder in _SDK_FOLDERS:
        for name in _SDK_FILES:
            for above in (folder, *folder.parents):
                if (above / subfolder / name).is_file():
                    return above / subfolder / name
    # A config.json further up does not count: it is not this repository's.
    own = folder / "config.json"
    return own if own.exists() else None


def read_config(path: Path) -> dict[str, str]:
    """The three names in config.json.

    Raises WrongUse, naming the line, when it is not JSON or a name is missing.
    """
    try:
        config = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise WrongUse(
            f"{path}, line {error.lineno}, is not JSON ({error.msg}). Compare it with "
            "config_template.json."
        ) from error
    if isinstance(config, dict) and isinstance(config.get("Scope"), str):
        config = _from_scope(config["Scope"])
    missing = [
        name
        for name in KEYS
        if not isinstance(config, dict) or not isinstance(config.get(name), str)
    ]
    if missing:
        raise WrongUse(f"{path} lacks {', '.join(missing)}. Compare it with config_template.json.")
    names = {name: config[name] for name in KEYS}
    if unfilled(names):
        raise WrongUse(f"{path}: fill in {', '.join(unfilled(names))}.")
    return names


def _from_scope(scope: str) -> dict[str, str]:
    """The names in a resource id, the form of the SDK's first config files."""
    parts = scope.strip("/").split("/")
    values = {kind.lower(): value for kind, value in zip(parts[::2], parts[1::2], strict=False)}
    wanted = zip(KEYS, ("subscriptions", "resourcegroups", "workspaces"), strict=True)
    return {name: values[kind] for name, kind in wanted if kind in values}


def read_env(path: Path) -> dict[str, str]:
    """The variables of a .env file.

    Raises WrongUse, naming the line, when a line is no `NAME=value`.
    """
    if not path.is_file():
        raise WrongUse(f"{path} is a folder, and must be a file. Move it away.")
    variables = {}
    with path.open(encoding="utf-8") as file:
        try:
            bindings = list(parse_stream(file))
        except UnicodeDecodeError as error:
            raise WrongUse(f"{path.name} is not a UTF-8 text. Write it anew.") from error
    for binding in bindings:
        if binding.error or (binding.key is not None and binding.value is None):
            raise WrongUse(
                f"{path.name}, line {binding.original.line}, is not of the form NAME=value. "
                "Compare it with template.env."
            )
        if binding.key is not None:
            variables[binding.key] = binding.value or ""
    return variables


def unfilled(values: Mapping[str, str]) -> list[str]:
    """The names whose values still are a template's `<what stands here>`."""
    return [name for name, value in values.items() if value.startswith("<") and value.endswith(">")]


def _text(path: Path) -> str:
    if not path.is_file():
        raise WrongUse(f"{path} is a folder, and must be a file. Move it away.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise WrongUse(f"{path} is not a UTF-8 text. Write it anew.") from error
