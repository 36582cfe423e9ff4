"""Routes of the content service: snapshots."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from local_workspace.errors import BadRequest, NotImplementedHere
from local_workspace.http import WORKSPACE_SCOPE, JSONResponse, get_workspace, json_body, sdk
from local_workspace.service import Service
from local_workspace.services.content import records
from local_workspace.workspace import LocalWorkspace

router = APIRouter()

_V1 = "/content/v1.0" + WORKSPACE_SCOPE + "/snapshots"
_V2 = "/content/v2.0" + WORKSPACE_SCOPE + "/snapshots"
_SUBMIT = "Experiment.submit, Experiment.start_logging(snapshot_directory=...)"


@router.get(_V1 + "/latest/metadata", openapi_extra=sdk(_SUBMIT))
def latest_snapshot(workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Give an empty tree to compare with, so that a client without a cache sends all its files."""
    return JSONResponse({"id": records.NO_SNAPSHOT, "root": _empty_tree()})


def _empty_tree() -> dict[str, Any]:
    return {
        "name": "",
        "hash": None,
        "type": "Directory",
        "timestamp": "0001-01-01T00:00:00+00:00",
        "sasUrl": None,
        "absoluteUrl": None,
        "sizeBytes": 0,
        "sizeSet": False,
        "children": {},
    }


@router.post(_V2 + "/getblob", openapi_extra=sdk(_SUBMIT))
def addresses_to_upload(
    workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Give addresses to upload the files of a snapshot to."""
    names = body.get("FileNames") if isinstance(body, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadRequest("The body must have 'FileNames', a list of paths.")
    return JSONResponse({"fileNodes": records.upload_addresses(workspace, names)})


@router.post(_V2 + "/{snapshot_id}", openapi_extra=sdk(_SUBMIT))
def create_snapshot(
    snapshot_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Make a snapshot from its parent and the uploaded files."""
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    row = records.create_snapshot(workspace, snapshot_id, body)
    return JSONResponse({"id": row.snapshot_id, "root": row.tree})


@router.post(_V2 + "/{snapshot_id}/zip", openapi_extra=sdk("Run.restore_snapshot"))
@router.get(_V1 + "/{snapshot_id}", openapi_extra=sdk("Run.restore_snapshot"))
def zip_snapshot(
    snapshot_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Give the address to download a snapshot from as a zip file."""
    return JSONResponse({"zipSasUri": records.zip_address(workspace, snapshot_id)})


@router.get(_V1 + "/{snapshot_id}/metadata", openapi_extra=sdk("Run.get_snapshot_id"))
@router.get(_V2 + "/{snapshot_id}/metadata", openapi_extra=sdk("Run.get_snapshot_id"))
def describe_snapshot(
    snapshot_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Give the tree of a snapshot."""
    with workspace.database.read() as session:
        row = records.get_snapshot(session, snapshot_id)
        return JSONResponse({"id": row.snapshot_id, "root": row.tree})


@router.post(_V2 + "/uri/{snapshot_id}", openapi_extra=sdk("not available: git snapshots"))
def snapshot_of_git(snapshot_id: str) -> JSONResponse:
    """Answer that a snapshot is taken from a folder, not from a git repository."""
    raise NotImplementedHere(
        "The local workspace takes snapshots of folders only. Clone the git repository and give "
        "the folder as source_directory."
    )


SERVICE = Service(
    name="content",
    title="Snapshots",
    router=router,
    prefixes=("content",),
    prepare=records.ensure_snapshot_store,
)
