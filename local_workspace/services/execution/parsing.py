"""The shape of a run configuration: what everything after this relies on."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from local_workspace.errors import BadRequest

# Azure's limit for the seconds of a run; also what the SDK sends when nothing is said.
_LONGEST_RUN_SECONDS = 2592000
_TEXTS = ("script", "command", "target", "framework", "communicator")
_OBJECTS = (
    "environment",
    "environmentVariables",
    "docker",
    "data",
    "outputData",
    "history",
    "mpi",
    "pytorch",
    "tensorflow",
)
# Objects inside those of `data` and `outputData`, at whatever depth.
_OBJECTS_OF_DATA = frozenset(
    {
        "dataLocation",
        "dataset",
        "dataPath",
        "outputLocation",
        "additionalOptions",
        "uploadOptions",
        "sourceGlobs",
        "registrationOptions",
    }
)


def run_configuration(definition: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A submitted definition with its names in camel case, and the configuration in it.

    Raises BadRequest, which names the field, when something has another shape than the SDK gives
    it.
    """
    if not isinstance(definition, dict):
        raise BadRequest("The body must be a JSON object with a 'Configuration'.")
    given = {name[:1].lower() + name[1:]: value for name, value in definition.items()}
    configuration = given.get("configuration")
    if not isinstance(configuration, dict):
        raise BadRequest("The run has no 'Configuration'.")
    for name in _TEXTS:
        _check(configuration, name, str, "text")
    for name in _OBJECTS:
        _check(configuration, name, dict, "a JSON object")
    _check(configuration, "arguments", list, "a list")
    for name in ("snapshotId", "parentRunId"):
        _check(given, name, str, "text")
    for name in ("data", "outputData"):
        for key, item in (configuration.get(name) or {}).items():
            if not isinstance(item, dict):
                raise BadRequest(f"'{name}' must be a JSON object of objects; '{key}' is none.")
            _check_data(item, key)
    environment = configuration.get("environment") or {}
    _check(environment, "environmentVariables", dict, "a JSON object")
    _check_variables(environment.get("environmentVariables") or {})
    _check_variables(configuration.get("environmentVariables") or {})
    _check_history(configuration.get("history") or {})
    if not configuration.get("script") and not configuration.get("command"):
        raise BadRequest("The run configuration has neither a 'script' nor a 'command'.")
    seconds = configuration.get("maxRunDurationSeconds")
    if seconds is not None and not (
        isinstance(seconds, int) and 0 < seconds <= _LONGEST_RUN_SECONDS
    ):
        raise BadRequest(
            f"'max_run_duration_seconds' must be between 1 and {_LONGEST_RUN_SECONDS}, not "
            f"{seconds!r}."
        )
    return given, configuration


def _check(section: dict[str, Any], name: str, kind: type, described: str) -> None:
    value = section.get(name)
    if value is not None and not isinstance(value, kind):
        raise BadRequest(f"'{name}' must be {described}, not {value!r}.")


def _check_data(item: Any, key: str) -> None:
    if isinstance(item, dict):
        for name, value in item.items():
            if name in _OBJECTS_OF_DATA and value is not None and not isinstance(value, dict):
                raise BadRequest(f"'{name}' of '{key}' must be a JSON object, not {value!r}.")
            _check_data(value, key)


def _check_variables(variables: dict[str, Any]) -> None:
    for name, value in variables.items():
        if not name or "=" in name or "\0" in f"{name}{value}":
            raise BadRequest(
                f"{name!r} cannot be an environment variable: a name is not empty and has no '=', "
                "and neither name nor value has a null character."
            )
        if isinstance(value, (dict, list)):
            raise BadRequest(f"The environment variable '{name}' must be text, not {value!r}.")


def _check_history(history: dict[str, Any]) -> None:
    _check(history, "directoriesToWatch", list, "a list")
    for folder in history.get("directoriesToWatch") or []:
        path = PurePosixPath(folder) if isinstance(folder, str) else None
        if path is None or path.is_absolute() or ".." in path.parts:
            raise BadRequest(
                f"'directoriesToWatch' has folders inside the one of the run, not {folder!r}."
            )
