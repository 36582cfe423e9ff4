"""Wheels that a user put into the workspace with `Environment.add_private_pip_wheel`."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from local_workspace.services.artifact import ARTIFACT_CONTAINER, artifact_exists
from local_workspace.workspace import LocalWorkspace

_ORIGIN = "Environment"
_CONTAINER = "azureml-private-packages"
# The address that the SDK gives: of any port, because the workspace may have moved since.
_ADDRESS = re.compile(
    rf"https://[^/\s]+@localhost:\d+/{ARTIFACT_CONTAINER}/{_ORIGIN}/{_CONTAINER}/(\S+\.whl)"
)


def with_files_of_private_packages(
    workspace: LocalWorkspace, definition: Mapping[str, Any]
) -> Mapping[str, Any]:
    """`definition` with the addresses of wheels in this workspace replaced by their files.

    An installer has no right to read those addresses. What is not in the workspace stays as it
    is, for the installer to complain about.
    """
    conda = (definition.get("python") or {}).get("condaDependencies")
    if not isinstance(conda, dict) or not _ADDRESS.search(str(conda)):
        return definition
    definition = copy.deepcopy(definition)
    for item in definition["python"]["condaDependencies"].get("dependencies") or []:
        if isinstance(item, dict) and isinstance(item.get("pip"), list):
            item["pip"] = [_with_file(workspace, str(entry)) for entry in item["pip"]]
    return definition


def _with_file(workspace: LocalWorkspace, entry: str) -> str:
    match = _ADDRESS.search(entry)
    if match is None:
        return entry
    wheel = unquote(match[1])
    if not artifact_exists(workspace, _ORIGIN, _CONTAINER, wheel):
        return entry
    blob = f"{_ORIGIN}/{_CONTAINER}/{wheel}"
    file = workspace.blobs.path_of(workspace.settings.storage_account, ARTIFACT_CONTAINER, blob)
    return entry.replace(match[0], file.as_uri())
