"""Artifacts: the files of runs, models and datasets, which are blobs with an address of their own.

An artifact is named by origin, container and path: `ExperimentRun`, `dcid.{run id}` and
`outputs/model.pkl`, for example. Its blob is `{origin}/{container}/{path}` in the container
`azureml` of the workspace's storage account, where Azure keeps it too.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, BinaryIO
from urllib.parse import quote

from local_workspace.clock import iso
from local_workspace.errors import BadRequest, NotFound
from local_workspace.services.blob import sign_sas
from local_workspace.store.blobs import BlobError, BlobProperties
from local_workspace.workspace import LocalWorkspace

RUN_ORIGIN = "ExperimentRun"
ARTIFACT_CONTAINER = "azureml"
ARTIFACT_DATASTORE = "workspaceartifactstore"
LOG_PREFIXES = ("azureml-logs/", "logs/", "user_logs/", "system_logs/")

# The SDK puts names into addresses as they are.
_NOT_SENT_RIGHT = re.compile(r"[?#;]|%[0-9A-Fa-f]{2}")
_PAGE_SIZE = 1000
_READ_FOR = timedelta(hours=24)
# One signature serves a run's streamed log from its first line to its last.
_WRITE_FOR = timedelta(days=14)


@dataclass(frozen=True)
class Artifact:
    """An artifact and its blob."""

    origin: str
    container: str
    path: str
    blob: BlobProperties


def run_container(run_id: str) -> str:
    """The artifact container of a run."""
    return f"dcid.{run_id}"


def ensure_artifact_store(workspace: LocalWorkspace) -> None:
    """Make the blob container of artifacts unless it is there."""
    account = workspace.settings.storage_account
    if not workspace.blobs.container_exists(account, ARTIFACT_CONTAINER):
        try:
            workspace.blobs.create_container(account, ARTIFACT_CONTAINER)
        except BlobError as error:
            if error.code != "ContainerAlreadyExists":
                raise


def artifact_path(path: str) -> str:
    """`path` as artifacts are kept: relative, without `.` and empty segments.

    The SDK names the picture of `run.log_image(path="/home/me/plot.png")` by its whole path; Azure
    drops the leading slash. Raises BadRequest when nothing is left, and for `..`.
    """
    segments = [segment for segment in path.split("/") if segment not in ("", ".")]
    if not segments:
        raise BadRequest(f"'{path}' is not the path of an artifact.")
    if ".." in segments:
        raise BadRequest(
            f"The path '{path}' of an artifact contains '..': artifacts stay within their run. "
            "Give the file a name without it."
        )
    return "/".join(segments)


def _blob_name(origin: str, container: str, path: str) -> str:
    for part in (origin, container):
        if not part or "/" in part or part in (".", ".."):
            raise BadRequest(f"'{part}' is not the origin or container of an artifact.")
    return f"{origin}/{container}/{path}"


def artifact_url(
    workspace: LocalWorkspace,
    origin: str,
    container: str,
    path: str,
    permissions: str = "r",
    *,
    quoted: bool = True,
) -> str:
    """An address of the artifact with a signature; nothing is checked to exist.

    `permissions` are those of a SAS: "r" to read, "racw" to write. azureml-core takes the path out
    of an address it writes to as it is, and quotes it itself: `quoted=False` is for that.
    """
    name = _blob_name(origin, container, artifact_path(path))
    if not quoted and _NOT_SENT_RIGHT.search(name):
        raise BadRequest(
            f"The SDK sends the name '{path}' wrongly, because it contains '?', '#', ';' or a '%' "
            "before two digits. Rename the file."
        )
    settings = workspace.settings
    signature = sign_sas(
        settings.storage_account,
        settings.storage_key,
        ARTIFACT_CONTAINER,
        name,
        permissions,
        _READ_FOR if permissions == "r" else _WRITE_FOR,
    )
    address = workspace.blob_url(ARTIFACT_CONTAINER, quote(name) if quoted else name)
    return f"{address}?{signature}"


def list_artifacts(
    workspace: LocalWorkspace, origin: str, container: str, prefix: str = ""
) -> list[Artifact]:
    """All artifacts of a container whose paths begin with `prefix`, by path."""
    found: list[Artifact] = []
    start: str | None = ""
    while start is not None:
        page, start = page_of_artifacts(workspace, origin, container, prefix, start)
        found += page
    return found


def page_of_artifacts(
    workspace: LocalWorkspace, origin: str, container: str, prefix: str = "", start: str = ""
) -> tuple[list[Artifact], str | None]:
    """Up to 1,000 artifacts from `start` on, and where the next page starts (None: no more).

    A `prefix` that is the path of an artifact, with or without a slash behind it, finds that one
    too: the SDK asks for files and folders alike.
    """
    base = _blob_name(origin, container, "")
    wanted = "/".join(segment for segment in prefix.split("/") if segment not in ("", "."))
    if prefix.endswith("/") and wanted:
        wanted += "/"
    store, account = workspace.blobs, workspace.settings.storage_account
    ensure_artifact_store(workspace)
    listing = store.list(account, ARTIFACT_CONTAINER, base + wanted, start=start, limit=_PAGE_SIZE)
    blobs = listing.blobs
    file_name = base + wanted.rstrip("/")
    if not blobs and wanted.endswith("/") and store.exists(account, ARTIFACT_CONTAINER, file_name):
        blobs = [store.properties(account, ARTIFACT_CONTAINER, file_name)]
    artifacts = [Artifact(origin, container, blob.name[len(base) :], blob) for blob in blobs]
    return artifacts, listing.next_start


def artifact_exists(workspace: LocalWorkspace, origin: str, container: str, path: str) -> bool:
    """Whether there is such an artifact. Raises BadRequest when the path cannot be one."""
    return workspace.blobs.exists(
        workspace.settings.storage_account,
        ARTIFACT_CONTAINER,
        _blob_name(origin, container, artifact_path(path)),
    )


def get_artifact(workspace: LocalWorkspace, origin: str, container: str, path: str) -> Artifact:
    """One artifact. Raises NotFound."""
    path = artifact_path(path)
    name = _blob_name(origin, container, path)
    try:
        blob = workspace.blobs.properties(
            workspace.settings.storage_account, ARTIFACT_CONTAINER, name
        )
    except BlobError as error:
        if error.status != 404:
            raise
        raise _not_found(origin, container, path) from error
    return Artifact(origin, container, path, blob)


def open_artifact(
    workspace: LocalWorkspace, origin: str, container: str, path: str
) -> tuple[BinaryIO, Artifact]:
    """The open file of an artifact, and the artifact as it was then. Raises NotFound.

    The file has all that the artifact's size says, and more of it when the artifact grows.
    """
    path = artifact_path(path)
    name = _blob_name(origin, container, path)
    account = workspace.settings.storage_account
    try:
        descriptor, blob = workspace.blobs.open_descriptor(account, ARTIFACT_CONTAINER, name)
    except BlobError as error:
        if error.status != 404:
            raise
        raise _not_found(origin, container, path) from error
    return os.fdopen(descriptor, "rb"), Artifact(origin, container, path, blob)


def _not_found(origin: str, container: str, path: str) -> NotFound:
    return NotFound(
        f"The artifact '{path}' was not found in '{origin}/{container}'.",
        inner_code="ArtifactNotFound",
    )


def read_artifact(workspace: LocalWorkspace, origin: str, container: str, path: str) -> bytes:
    """The bytes of an artifact. Raises NotFound."""
    name = _blob_name(origin, container, get_artifact(workspace, origin, container, path).path)
    account = workspace.settings.storage_account
    with workspace.blobs.open(account, ARTIFACT_CONTAINER, name) as file:
        return file.read()


def write_artifact(
    workspace: LocalWorkspace, origin: str, container: str, path: str, data: bytes
) -> Artifact:
    """Write an artifact, replacing one of that path."""
    path = artifact_path(path)
    ensure_artifact_store(workspace)
    blob = workspace.blobs.put_bytes(
        workspace.settings.storage_account,
        ARTIFACT_CONTAINER,
        _blob_name(origin, container, path),
        data,
    )
    return Artifact(origin, container, path, blob)


def append_artifact(
    workspace: LocalWorkspace, origin: str, container: str, path: str, data: bytes
) -> Artifact:
    """Append to an artifact that was made by appending, or make one."""
    path = artifact_path(path)
    ensure_artifact_store(workspace)
    blob = workspace.blobs.append(
        workspace.settings.storage_account,
        ARTIFACT_CONTAINER,
        _blob_name(origin, container, path),
        data,
    )
    return Artifact(origin, container, path, blob)


def make_appendable(workspace: LocalWorkspace, origin: str, container: str, path: str) -> None:
    """Have an artifact that was written as a whole take more at its end; its content stays."""
    workspace.blobs.make_appendable(
        workspace.settings.storage_account,
        ARTIFACT_CONTAINER,
        _blob_name(origin, container, artifact_path(path)),
    )


def delete_artifact(workspace: LocalWorkspace, origin: str, container: str, path: str) -> None:
    """Delete an artifact. Raises NotFound."""
    found = get_artifact(workspace, origin, container, path)
    workspace.blobs.delete(
        workspace.settings.storage_account,
        ARTIFACT_CONTAINER,
        _blob_name(origin, container, found.path),
    )


def log_files(workspace: LocalWorkspace, container: str) -> dict[str, str]:
    """Addresses of a run's logs by path."""
    return {
        artifact.path: artifact_url(workspace, RUN_ORIGIN, container, artifact.path)
        for prefix in LOG_PREFIXES
        for artifact in list_artifacts(workspace, RUN_ORIGIN, container, prefix)
    }


def artifact_id(origin: str, container: str, path: str) -> str:
    """The id under which other services refer to an artifact."""
    return f"{origin}/{container}/{path}"


def artifact_dto(
    origin: str, container: str, path: str, blob: BlobProperties | None
) -> dict[str, Any]:
    """An artifact on the wire; `blob` is None while nothing has been uploaded."""
    return {
        "artifactId": artifact_id(origin, container, path),
        "origin": origin,
        "container": container,
        "path": path,
        "etag": blob.etag if blob else None,
        "createdTime": iso(blob.created) if blob else None,
        "dataPath": {
            "dataStoreName": ARTIFACT_DATASTORE,
            "relativePath": _blob_name(origin, container, artifact_path(path)),
            "sqlDataPath": None,
        },
        "tags": {},
    }
