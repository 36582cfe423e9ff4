"""Snapshots: the files of a project folder, sent as differences from an earlier snapshot.

A snapshot's files lie as blobs in the container `snapshots`; a file that did not change is the blob
of the snapshot before. Which files belong to a snapshot is told by its tree of names and hashes.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, Conflict, NotFound
from local_workspace.fields import object_of, text_of
from local_workspace.services.blob import sign_sas
from local_workspace.store.blobs import BlobError
from local_workspace.store.tables.content import SnapshotRow
from local_workspace.workspace import LocalWorkspace

CONTAINER = "snapshots"
ZIP_CONTAINER = "snapshotzips"

# Where the SDK starts from when it knows no snapshot of the workspace.
NO_SNAPSHOT = "00000000-0000-0000-0000-000000000000"

# The SDK refuses folders above 300 MB itself, a limit that its users can raise.
MAX_SNAPSHOT_BYTES = 2 * 1024**3

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]")


def ensure_snapshot_store(workspace: LocalWorkspace) -> None:
    """Make the blob containers of snapshots and the empty snapshot unless they are there."""
    account = workspace.settings.storage_account
    for container in (CONTAINER, ZIP_CONTAINER):
        if not workspace.blobs.container_exists(account, container):
            try:
                workspace.blobs.create_container(account, container)
            except BlobError as error:
                if error.code != "ContainerAlreadyExists":
                    raise
    with workspace.database.write() as session:
        if session.get(SnapshotRow, NO_SNAPSHOT) is None:
            # What the SDK takes for the snapshot of a folder in which there is nothing.
            session.add(
                SnapshotRow(
                    snapshot_id=NO_SNAPSHOT, created=utc_now(), properties={}, tree={}, files={}
                )
            )


def snapshot_path(name: str) -> str:
    """`name` as a path inside a snapshot. Raises BadRequest for one that would lead out of it."""
    path = PurePosixPath(name.lstrip("/"))
    if not path.parts or ".." in path.parts or "\0" in name:
        raise BadRequest(
            f"'{name}' cannot be the path of a file in a snapshot: it must lie below the folder."
        )
    return str(path)


def upload_addresses(workspace: LocalWorkspace, names: list[str]) -> list[dict[str, str]]:
    """An address to upload each file to, as `fullName` and `blobUri`. Raises BadRequest.

    The SDK takes the blob's name out of the address without unquoting it, so it has no character
    that needs quoting, whatever the file is called.
    """
    settings = workspace.settings
    upload = uuid.uuid4().hex
    nodes = []
    for position, name in enumerate(names):
        base = _UNUSUAL.sub("_", PurePosixPath(snapshot_path(name)).name)[-80:]
        blob = f"{upload}/{position:05d}-{base}"
        signature = sign_sas(
            settings.storage_account, settings.storage_key, CONTAINER, blob, "racw"
        )
        nodes.append(
            {"fullName": name, "blobUri": f"{workspace.blob_url(CONTAINER, blob)}?{signature}"}
        )
    return nodes


def get_snapshot(session: Session, snapshot_id: str) -> SnapshotRow:
    """The snapshot with that id. Raises NotFound."""
    row = session.get(SnapshotRow, snapshot_id)
    if row is None:
        raise NotFound(
            f"The snapshot '{snapshot_id}' was not found. If the workspace was made anew since it "
            "was taken, submit again.",
            inner_code="SnapshotNotFound",
        )
    return row


def create_snapshot(
    workspace: LocalWorkspace, snapshot_id: str, body: dict[str, Any]
) -> SnapshotRow:
    """Make a snapshot of its parent's files and the uploaded ones, as far as they are in its tree.

    Raises BadRequest when the parent is unknown (the SDK then sends everything), when a file of the
    tree was not uploaded, leads out of the snapshot or makes it too large; Conflict when the id is
    taken.
    """
    if not _ID.fullmatch(snapshot_id):
        raise BadRequest(f"'{snapshot_id}' cannot be the id of a snapshot.")
    tree = body.get("DirTreeNode")
    if not isinstance(tree, dict):
        raise BadRequest("The body must have a 'DirTreeNode', the tree of the folder.")
    parent_id = text_of(body, "ParentSnapshotId") or NO_SNAPSHOT
    with workspace.database.read() as session:
        parent = session.get(SnapshotRow, parent_id)
    if parent is None:
        raise BadRequest(
            f"The parent snapshot '{parent_id}' does not exist: send all files.",
            inner_code="ParentSnapshotNotFound",
        )
    available = {**parent.files, **_uploaded(workspace, body)}
    files = {path: available.get(path) for path in files_of(tree)}
    missing = [path for path, file in files.items() if file is None]
    if missing:
        raise BadRequest(
            f"{len(missing)} files of the snapshot were not uploaded, among them '{missing[0]}'.",
            inner_code="SnapshotFileMissing",
        )
    size = sum(file["size"] for file in files.values() if file)
    if size > MAX_SNAPSHOT_BYTES:
        raise BadRequest(
            f"The snapshot has {size} bytes; at most {MAX_SNAPSHOT_BYTES} are allowed. Leave large "
            "files out with .amlignore and bring them as a dataset."
        )
    row = SnapshotRow(
        snapshot_id=snapshot_id,
        parent_id=parent_id,
        created=utc_now(),
        properties=object_of(body, "Properties"),
        tree=tree,
        files=files,
    )
    with workspace.database.write() as session:
        if session.get(SnapshotRow, snapshot_id) is not None:
            raise Conflict(f"There is a snapshot '{snapshot_id}' already.")
        session.add(row)
    return row


def _uploaded(workspace: LocalWorkspace, body: dict[str, Any]) -> dict[str, Any]:
    listed = body.get("FileRevisionList") or {}
    revisions = listed.get("FileNodes") or [] if isinstance(listed, dict) else None
    if not isinstance(revisions, list):
        raise BadRequest("'FileRevisionList' must have 'FileNodes', a list of files.")
    account = workspace.settings.storage_account
    files = {}
    for revision in revisions:
        name = revision.get("FullName") if isinstance(revision, dict) else None
        if not isinstance(name, str) or not isinstance(revision.get("BlobUri"), str):
            raise BadRequest("Each of 'FileNodes' must have a 'FullName' and a 'BlobUri'.")
        _, _, rest = urlsplit(revision["BlobUri"]).path.partition("/")
        container, _, blob = rest.partition("/")
        path = snapshot_path(name)
        if container != CONTAINER or not workspace.blobs.exists(account, CONTAINER, blob):
            raise BadRequest(f"The file '{name}' of the snapshot was not uploaded.")
        size = workspace.blobs.properties(account, CONTAINER, blob).size
        files[path] = {"blob": blob, "size": size}
    return files


def _children(node: dict[str, Any]) -> list[dict[str, Any]]:
    # The SDK writes a list or a dictionary by name, in one place or the other.
    children = node.get("children") or node.get("Children") or []
    return list(children.values()) if isinstance(children, dict) else list(children)


def _walk(node: dict[str, Any], base: str) -> Iterator[tuple[str, bool]]:
    """(path, whether it is a file) of everything below `node`."""
    pending = [(child, base) for child in _children(node)]
    while pending:
        child, folder = pending.pop()
        name = child.get("name") or child.get("Name") if isinstance(child, dict) else None
        if not isinstance(name, str):
            raise BadRequest("Each node of a snapshot's tree must have a name.")
        path = snapshot_path(f"{folder}/{name}")
        is_file = (child.get("type") or child.get("Type")) == "File"
        yield path, is_file
        if not is_file:
            pending += [(grandchild, path) for grandchild in _children(child)]


def files_of(tree: dict[str, Any]) -> list[str]:
    """The paths of the files in a snapshot's tree, sorted. Raises BadRequest for a bad name."""
    return sorted(path for path, is_file in _walk(tree, "") if is_file)


def restore_snapshot(workspace: LocalWorkspace, snapshot_id: str, destination: Path) -> list[Path]:
    """Write the files and folders of a snapshot below `destination`; the files, sorted.

    Raises NotFound.
    """
    with workspace.database.read() as session:
        row = get_snapshot(session, snapshot_id)
    destination.mkdir(parents=True, exist_ok=True)
    for path, is_file in _walk(row.tree, ""):
        if not is_file:
            (destination / path).mkdir(parents=True, exist_ok=True)
    written = []
    for path, file in sorted(row.files.items()):
        target = destination / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_file_of(workspace, file["blob"]), target)
        written.append(target)
    return written


def _file_of(workspace: LocalWorkspace, blob: str) -> Path:
    return workspace.blobs.path_of(workspace.settings.storage_account, CONTAINER, blob)


def zip_address(workspace: LocalWorkspace, snapshot_id: str) -> str:
    """An address to download a snapshot from as a zip file, which is made once. Raises NotFound."""
    with workspace.database.read() as session:
        row = get_snapshot(session, snapshot_id)
    settings = workspace.settings
    blob = f"{snapshot_id}.zip"
    if not workspace.blobs.exists(settings.storage_account, ZIP_CONTAINER, blob):
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / blob
            with zipfile.ZipFile(
                archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False
            ) as out:
                for path, file in sorted(row.files.items()):
                    out.write(_file_of(workspace, file["blob"]), path)
            workspace.blobs.put_file(
                settings.storage_account,
                ZIP_CONTAINER,
                blob,
                archive,
                content_type="application/zip",
            )
    signature = sign_sas(settings.storage_account, settings.storage_key, ZIP_CONTAINER, blob, "r")
    return f"{workspace.blob_url(ZIP_CONTAINER, quote(blob))}?{signature}"
