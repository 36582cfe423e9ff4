"""Answers about artifacts, which the artifact service and run history share."""

from __future__ import annotations

from typing import Any

from local_workspace.errors import BadRequest, Conflict, ServiceError, error_body
from local_workspace.services.artifact import records
from local_workspace.workspace import LocalWorkspace

WRITE = "racw"


def content_dto(
    workspace: LocalWorkspace,
    origin: str,
    container: str,
    path: str,
    permissions: str = "r",
    *,
    quoted: bool = True,
) -> dict[str, Any]:
    """Where the content of an artifact is, with a signature to read or write it."""
    return {
        "contentUri": records.artifact_url(
            workspace, origin, container, path, permissions, quoted=quoted
        ),
        "origin": origin,
        "container": container,
        "path": path,
        "tags": {},
    }


def content_of_existing(
    workspace: LocalWorkspace, origin: str, container: str, path: str
) -> dict[str, Any]:
    """Where to read an artifact. Raises NotFound."""
    found = records.get_artifact(workspace, origin, container, path)
    return content_dto(workspace, origin, container, found.path)


def artifact_page(
    workspace: LocalWorkspace, origin: str, container: str, prefix: str, continuation: str | None
) -> dict[str, Any]:
    """A page of artifacts."""
    artifacts, following = records.page_of_artifacts(
        workspace, origin, container, prefix, continuation or ""
    )
    return {
        "value": [records.artifact_dto(a.origin, a.container, a.path, a.blob) for a in artifacts],
        "continuationToken": following,
        "nextLink": None,
    }


def content_page(
    workspace: LocalWorkspace, origin: str, container: str, prefix: str, continuation: str | None
) -> dict[str, Any]:
    """A page of addresses to read artifacts from: those of the file `prefix`, or of that folder.

    Only whole names count: the SDK asks so for the files of a model, and `model` has none of
    `model_2`.
    """
    folder = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
    artifacts, following = records.page_of_artifacts(
        workspace, origin, container, folder, continuation or ""
    )
    return {
        "value": [content_dto(workspace, a.origin, a.container, a.path) for a in artifacts],
        "continuationToken": following,
        "nextLink": None,
    }


def created(
    workspace: LocalWorkspace, origin: str, container: str, body: Any, *, quoted: bool
) -> dict[str, Any]:
    """Addresses to write the artifacts in `body` (`paths`) to, by path as the client wrote it.

    A path that cannot be one is an error of its own and does not hinder the others.
    """
    entries = body.get("paths") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise BadRequest("The body must have 'paths', a list of objects with 'path'.")
    records.ensure_artifact_store(workspace)
    artifacts: dict[str, Any] = {}
    contents: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for entry in entries:
        path = entry.get("path") if isinstance(entry, dict) else None
        if not isinstance(path, str):
            raise BadRequest("Each of 'paths' must have a 'path'.")
        try:
            if records.artifact_exists(workspace, origin, container, path):
                # Azure's words. Artifacts are written once: the clients upload with the condition
                # that there is no such blob, and would otherwise fail later and less clearly.
                raise Conflict(
                    f"Resource Conflict: ArtifactId "
                    f"{records.artifact_id(origin, container, path)} already exists."
                )
            contents[path] = content_dto(workspace, origin, container, path, WRITE, quoted=quoted)
            artifacts[path] = records.artifact_dto(origin, container, path, None)
        except ServiceError as error:
            errors[path] = error_body(error)
    return {
        "artifacts": artifacts,
        "artifactContentInformation": contents,
        "errors": errors,
    }
