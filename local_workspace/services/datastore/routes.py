"""Routes of the datastore service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from local_workspace.clock import iso
from local_workspace.http import (
    WORKSPACE_SCOPE,
    JSONResponse,
    get_workspace,
    json_body,
    sdk,
)
from local_workspace.service import Service
from local_workspace.services.datastore import records
from local_workspace.services.datastore.access import ACCOUNT_KEY, SAS
from local_workspace.services.datastore.parsing import datastore_of
from local_workspace.store.tables.datastore import DatastoreRow
from local_workspace.workspace import LocalWorkspace

router = APIRouter(prefix="/datastore/v1.0" + WORKSPACE_SCOPE)


def datastore_dto(
    workspace: LocalWorkspace, row: DatastoreRow, include_secret: bool
) -> dict[str, Any]:
    """A datastore on the wire.

    The endpoint is made at the moment of reading: the server's port may be another one than when
    the datastore was registered.
    """
    secret = row.credential
    if secret is None:
        secret = workspace.storage_accounts()[row.account]
    if not include_secret:
        secret = None
    return {
        "name": row.name,
        "dataStoreType": row.store_type,
        "hasBeenValidated": True,
        "tags": row.tags,
        "createdTime": iso(row.created),
        "modifiedTime": iso(row.modified),
        "azureStorageSection": {
            "accountName": row.account,
            "containerName": row.container,
            "endpoint": row.endpoint or workspace.storage_suffix,
            "protocol": "https",
            "credentialType": row.credential_type,
            "credential": secret,
            "isSas": row.credential_type == SAS,
            "accountKey": secret if row.credential_type == ACCOUNT_KEY else None,
            "sasToken": secret if row.credential_type == SAS else None,
            "blobCacheTimeout": row.blob_cache_timeout,
            "clientCredentials": None,
            "areWorkspaceManagedIdentitiesAllowed": False,
            "serviceDataAccessAuthIdentity": "None",
            "subscriptionId": row.subscription_id,
            "resourceGroup": row.resource_group,
        },
    }


@router.get("/datastores", openapi_extra=sdk("Workspace.datastores"))
def list_datastores(
    names: str | None = Query(None, alias="dataStoreNames"),
    continuation: str | None = Query(None, alias="continuationToken"),
    count: int = Query(records.PAGE_SIZE, ge=1, le=1000),
    include_secret: bool = Query(False, alias="includeSecret"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List the datastores, page by page."""
    wanted = names.split(",") if names else None
    with workspace.database.read() as session:
        # One more than a page tells whether there is a next one.
        rows = records.list_datastores(session, continuation, count + 1, wanted)
    page = rows[:count]
    return JSONResponse(
        {
            "value": [datastore_dto(workspace, row, include_secret) for row in page],
            "continuationToken": page[-1].name if len(rows) > count else None,
        }
    )


@router.post("/datastores", openapi_extra=sdk("Datastore.register_azure_blob_container"))
def register_datastore(
    create_if_not_exists: bool = Query(False, alias="createIfNotExists"),
    skip_validation: bool = Query(False, alias="skipValidation"),
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> Response:
    """Register a blob container with its account key or a SAS, both of which are checked."""
    row = datastore_of(body)
    with workspace.database.read() as session:
        # Before a container is made for it.
        records.check_name_is_free(session, row.name)
    records.validate(workspace, row, create_container=create_if_not_exists, skip=skip_validation)
    with workspace.database.write() as session:
        records.register_datastore(session, row)
    return Response(status_code=200)


@router.get("/datastores/{name}", openapi_extra=sdk("Datastore.get"))
def get_datastore(
    name: str,
    include_secret: bool = Query(True, alias="includeSecret"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Describe a datastore, with what is needed to reach its data."""
    with workspace.database.read() as session:
        row = records.get_datastore(session, name)
    return JSONResponse(datastore_dto(workspace, row, include_secret))


@router.put(
    "/datastores/{name}",
    openapi_extra=sdk("Datastore.register_azure_blob_container(overwrite=True)"),
)
def update_datastore(
    name: str,
    create_if_not_exists: bool = Query(False, alias="createIfNotExists"),
    skip_validation: bool = Query(False, alias="skipValidation"),
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> Response:
    """Replace a datastore, for example its key."""
    row = datastore_of(body, name)
    records.validate(workspace, row, create_container=create_if_not_exists, skip=skip_validation)
    with workspace.database.write() as session:
        records.update_datastore(session, row)
    return Response(status_code=200)


@router.delete("/datastores/{name}", openapi_extra=sdk("Datastore.unregister"))
def delete_datastore(name: str, workspace: LocalWorkspace = Depends(get_workspace)) -> Response:
    """Forget a datastore; its data stay."""
    with workspace.database.write() as session:
        found = records.delete_datastore(session, name)
    return Response(status_code=200 if found else 204)


@router.get("/default", openapi_extra=sdk("Workspace.get_default_datastore"))
def get_default_datastore(
    include_secret: bool = Query(True, alias="includeSecret"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Describe the default datastore."""
    with workspace.database.read() as session:
        row = records.default_datastore(session)
    return JSONResponse(datastore_dto(workspace, row, include_secret))


@router.put(
    "/default/{name}",
    openapi_extra=sdk("Workspace.set_default_datastore, Datastore.set_as_default"),
)
def set_default_datastore(
    name: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> Response:
    """Make a datastore the default."""
    with workspace.database.write() as session:
        records.set_default_datastore(session, name)
    return Response(status_code=200)


SERVICE = Service(
    name="datastore",
    title="Datastores",
    router=router,
    prefixes=("datastore",),
    prepare=records.ensure_default_datastores,
    not_yet=(
        (
            "File shares, Data Lake and SQL databases as data",
            "`Datastore.register_azure_file_share`",
        ),
    ),
)
