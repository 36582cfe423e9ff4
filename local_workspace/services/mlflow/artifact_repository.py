"""The files of runs and models as MLflow's server application reads them for its own pages.

Clients do not come this way: they have a plug-in that asks the artifact service.
"""

from __future__ import annotations

import re
import shutil
from urllib.parse import unquote, urlsplit

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository

from local_workspace.services.artifact import (
    ARTIFACT_CONTAINER,
    RUN_ORIGIN,
    get_artifact,
    list_artifacts,
    run_container,
)
from local_workspace.services.mlflow.entities import mlflow_errors
from local_workspace.workspace import LocalWorkspace

_OF_A_RUN = re.compile(r".*/runs/([^/]+)/artifacts(?:/(.*))?")


def artifact_place(uri: str) -> tuple[str, str, str]:
    """Origin, container and path that an `azureml:` address of artifacts means.

    `azureml://HOST/.../runs/{run}/artifacts/{path}`, which runs have, or
    `azureml://artifacts/{origin}/{container}/{path}`, which models have. Raises MlflowException.
    """
    parts = urlsplit(uri)
    found = _OF_A_RUN.fullmatch(parts.path)
    if parts.scheme == "azureml" and found:
        return RUN_ORIGIN, run_container(found[1]), unquote(found[2] or "").strip("/")
    segments = parts.path.strip("/").split("/", 2)
    if parts.scheme == "azureml" and parts.netloc == "artifacts" and len(segments) >= 2:
        path = segments[2] if len(segments) == 3 else ""
        return segments[0], segments[1], path.strip("/")
    raise MlflowException.invalid_parameter_value(
        f"'{uri}' is not the address of files of a run or a model in this workspace."
    )


class WorkspaceArtifacts(ArtifactRepository):
    """Artifacts below one address, read only."""

    def __init__(self, workspace: LocalWorkspace, uri: str) -> None:
        super().__init__(uri)
        self._workspace = workspace
        self._origin, self._container, self._base = artifact_place(uri)

    def _full(self, path: str | None) -> str:
        return "/".join(part for part in (self._base, (path or "").strip("/")) if part)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """Files and folders directly below `path`, with paths from the address on."""
        folder = self._full(path)
        prefix = f"{folder}/" if folder else ""
        skipped = len(self._base) + 1 if self._base else 0
        found: dict[str, FileInfo] = {}
        with mlflow_errors():
            artifacts = list_artifacts(self._workspace, self._origin, self._container, prefix)
        for artifact in artifacts:
            if not artifact.path.startswith(prefix):
                continue
            name, _, rest = artifact.path[len(prefix) :].partition("/")
            shown = f"{prefix}{name}"[skipped:]
            size = None if rest else artifact.blob.size
            found.setdefault(shown, FileInfo(shown, bool(rest), size))
        return sorted(found.values(), key=lambda info: info.path)

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        with mlflow_errors():
            path = self._full(remote_file_path)
            found = get_artifact(self._workspace, self._origin, self._container, path)
            account = self._workspace.settings.storage_account
            name = f"{self._origin}/{self._container}/{found.path}"
            with (
                self._workspace.blobs.open(account, ARTIFACT_CONTAINER, name) as source,
                open(local_path, "wb") as target,
            ):
                shutil.copyfileobj(source, target)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Refused: clients upload to the artifact service."""
        raise MlflowException.invalid_parameter_value(
            "Files of a run are uploaded by the client, through azureml-mlflow."
        )

    log_artifacts = log_artifact
