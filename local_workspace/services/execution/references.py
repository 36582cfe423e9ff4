"""The data references of a run configuration: paths in datastores that a run has as files."""

from __future__ import annotations

import re
from typing import Any, Literal, cast

from sqlalchemy.orm import Session

from local_workspace.errors import BadRequest, ServiceError
from local_workspace.services import datastore
from local_workspace.services.execution.job import JobReference
from local_workspace.workspace import LocalWorkspace

_MODES = ("mount", "download", "upload")
# It is a part of an environment variable's name, and a folder has it.
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def parse_references(references: dict[str, dict[str, Any]]) -> tuple[JobReference, ...]:
    """The `dataReferences` of a run configuration. Raises BadRequest."""
    return tuple(_reference(name, document) for name, document in references.items())


def check_references(
    workspace: LocalWorkspace, session: Session, references: tuple[JobReference, ...]
) -> None:
    """Check that the datastores of data references are there and within reach.

    Raises BadRequest, which names the reference.
    """
    for one in references:
        try:
            datastore.blob_location(
                workspace, session, one.datastore, to_write=one.mode == "upload"
            )
        except ServiceError as error:
            raise BadRequest(
                f"The data reference '{one.name}' of the run cannot be used: {error.message}",
                code=error.code,
                inner_code=error.inner_code,
            ) from error


def _reference(name: str, document: dict[str, Any]) -> JobReference:
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"{name!r} cannot be the name of a data reference: it becomes a part of the "
            "environment variable AZUREML_DATAREFERENCE_…, so it has letters, digits, '_' and "
            "'-' only."
        )
    for key in ("dataStoreName", "pathOnDataStore", "mode", "pathOnCompute"):
        value = document.get(key)
        if value is not None and (not isinstance(value, str) or "\0" in value):
            raise BadRequest(f"'{key}' of the data reference '{name}' must be text, not {value!r}.")
    overwrite = document.get("overwrite")
    if overwrite is not None and not isinstance(overwrite, bool):
        raise BadRequest(
            f"'overwrite' of the data reference '{name}' must be true or false, not {overwrite!r}."
        )
    if not document.get("dataStoreName"):
        raise BadRequest(f"The data reference '{name}' names no datastore ('dataStoreName').")
    mode = (document.get("mode") or "mount").lower()
    if mode not in _MODES:
        raise BadRequest(
            f"The data reference '{name}' has the mode '{mode}'; there are mount, download and "
            "upload."
        )
    given = document.get("pathOnDataStore") or ""
    parts = [part for part in given.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadRequest(
            f"The path '{given}' of the data reference '{name}' contains '..': it stays within its "
            "datastore."
        )
    return JobReference(
        name,
        cast(Literal["mount", "download", "upload"], mode),
        document["dataStoreName"],
        "/".join(parts),
        document.get("pathOnCompute") or None,
        bool(overwrite),
    )
