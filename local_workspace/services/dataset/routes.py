"""Routes of the dataset service and of the part of the data service that the SDK v1 asks."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from local_workspace.clock import iso
from local_workspace.errors import NotFound, NotImplementedHere
from local_workspace.fields import flag_of, json_object, object_of, text_of
from local_workspace.http import (
    WORKSPACE_SCOPE,
    JSONResponse,
    get_workspace,
    json_body,
    sdk,
)
from local_workspace.service import Service
from local_workspace.services.dataset import records
from local_workspace.services.dataset.parsing import definition_of
from local_workspace.services.dataset.records import Registered
from local_workspace.store.tables.dataset import SavedDatasetRow
from local_workspace.workspace import LocalWorkspace

router = APIRouter()

_BASE = "/dataset/v1.0" + WORKSPACE_SCOPE
_DATASETS = _BASE + "/datasets"
_SAVED = _BASE + "/saveddatasets"
_ACTIVE = {"state": "active", "deprecatedBy": None, "etag": None}
# Under this name the data service gives a saved dataset as its only version.
_UNREGISTERED = "unregistered-"


def definition_dto(registered: Registered) -> dict[str, Any]:
    """One version of a dataset on the wire."""
    version, saved = registered.version, registered.saved
    return {
        "datasetId": version.dataset_id,
        "versionId": str(version.version),
        "datasetDefinitionState": _ACTIVE,
        "dataflow": saved.dataflow,
        "dataPath": None,
        "partitionFormatInPath": None,
        "profileActionResult": None,
        "notes": None,
        "etag": saved.saved_id,
        "createdTime": iso(version.created),
        "modifiedTime": iso(version.created),
        "fileType": None,
        "properties": saved.properties,
        "savedDatasetId": saved.saved_id,
    }


def dataset_dto(registered: Registered) -> dict[str, Any]:
    """A registered dataset on the wire; the version in it is called `latest`, whichever it is."""
    row = registered.dataset
    return {
        "datasetId": row.dataset_id,
        "datasetState": _ACTIVE,
        "latest": definition_dto(registered),
        "createdTime": iso(row.created),
        "modifiedTime": iso(row.modified),
        "etag": row.etag,
        "name": row.name,
        "description": row.description,
        "tags": row.tags,
        "isVisible": row.is_visible,
        "defaultCompute": None,
        "datasetType": registered.saved.dataset_type,
    }


def saved_dto(row: SavedDatasetRow) -> dict[str, Any]:
    """A saved dataset on the wire."""
    return {
        "id": row.saved_id,
        "datasetType": row.dataset_type,
        "properties": row.properties,
        "dataflowJson": row.dataflow,
        "dataChanged": None,
        "dataPath": None,
    }


@router.get(_DATASETS, openapi_extra=sdk("Dataset.get_all, Workspace.datasets"))
def list_datasets(
    names: str | None = Query(None, alias="datasetNames"),
    search: str | None = Query(None, alias="searchText"),
    include_invisible: bool = Query(False, alias="includeInvisible"),
    continuation: str | None = Query(None, alias="continuationToken"),
    page_size: int = Query(records.PAGE_SIZE, ge=1, le=1000, alias="pageSize"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List the latest version of every registered dataset, page by page."""
    with workspace.database.read() as session:
        # One more than a page tells whether there is a next one.
        rows = records.list_datasets(
            session,
            continuation,
            page_size + 1,
            names=names.split(",") if names else None,
            search=search,
            include_invisible=include_invisible,
        )
    page = rows[:page_size]
    return JSONResponse(
        {
            "value": [dataset_dto(row) for row in page],
            "continuationToken": page[-1].dataset.name if len(rows) > page_size else None,
        }
    )


@router.post(_DATASETS, openapi_extra=sdk("Dataset.register"))
def register_dataset(
    if_exists_ok: bool = Query(True, alias="ifExistsOk"),
    update_definition: bool = Query(False, alias="updateDefinitionIfExists"),
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Register a dataset, or a new version of one; an unchanged definition keeps its version."""
    body = json_object(body, "The description of a dataset")
    latest = json_object(body.get("latest"), "'latest'")
    definition = definition_of(
        body.get("datasetType"), latest.get("dataflow"), latest.get("properties")
    )
    registered = records.register_dataset(
        workspace.database,
        body.get("name"),
        definition,
        description=text_of(body, "description"),
        tags=body.get("tags"),
        is_visible=flag_of(body, "isVisible") is not False,
        saved_id=text_of(latest, "savedDatasetId"),
        exist_ok=if_exists_ok,
        new_version=update_definition,
    )
    return JSONResponse(dataset_dto(registered))


@router.get(_DATASETS + "/query/name={name}", openapi_extra=sdk("Dataset.get_by_name"))
def get_dataset_by_name(
    name: str,
    version: str | None = Query(None, alias="versionId"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Give a version of a registered dataset, or the latest one."""
    with workspace.database.read() as session:
        found = records.get_registered(session, records.find_dataset(session, name), version)
    return JSONResponse(dataset_dto(found))


@router.get(_DATASETS + "/query/savedDatasetId={saved_id}", openapi_extra=sdk("Dataset.get_by_id"))
def get_datasets_by_saved_id(
    saved_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Give the registered version that has this id, or an empty list."""
    with workspace.database.read() as session:
        found = records.registration_of(session, saved_id)
    return JSONResponse({"value": [dataset_dto(found)] if found else [], "continuationToken": None})


@router.get(_DATASETS + "/{dataset_id}", openapi_extra=sdk("Dataset.get_by_id"))
def get_dataset(
    dataset_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Give the latest version of a dataset by the id of its registration."""
    with workspace.database.read() as session:
        found = records.get_registered(session, records.get_dataset(session, dataset_id))
    return JSONResponse(dataset_dto(found))


@router.put(_DATASETS + "/{dataset_id}", openapi_extra=sdk("Dataset.update, add_tags, remove_tags"))
def update_dataset(
    dataset_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Change the description or the tags of a registered dataset."""
    body = json_object(body, "The description of a dataset")
    version = text_of(object_of(body, "latest"), "versionId")
    with workspace.database.write() as session:
        row = records.update_dataset(
            session,
            dataset_id,
            description=text_of(body, "description"),
            tags=body.get("tags"),
            is_visible=flag_of(body, "isVisible"),
        )
        found = records.get_registered(session, row, version)
    return JSONResponse(dataset_dto(found))


@router.delete(_DATASETS + "/{name}", openapi_extra=sdk("Dataset.unregister_all_versions"))
def unregister_dataset(name: str, workspace: LocalWorkspace = Depends(get_workspace)) -> Response:
    """Forget a registered dataset with all its versions; its data stay."""
    with workspace.database.write() as session:
        records.unregister_dataset(session, name)
    return Response(status_code=200)


@router.get(_DATASETS + "/{dataset_id}/definitions", openapi_extra=sdk("Dataset versions"))
def list_definitions(
    dataset_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """List all versions of a registered dataset."""
    with workspace.database.read() as session:
        versions = records.list_versions(session, records.get_dataset(session, dataset_id))
    return JSONResponse(
        {"value": [definition_dto(version) for version in versions], "continuationToken": None}
    )


@router.post(
    _DATASETS + "/{dataset_id}/actions/result",
    openapi_extra=sdk("not available: TabularDataset.get_profile"),
)
@router.post(
    _SAVED + "/{saved_id}/profilewithpreview",
    openapi_extra=sdk("not available: TabularDataset.submit_profile_run"),
)
def no_profiles(workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Answer that the service makes no profiles of datasets."""
    raise NotImplementedHere(
        "The local workspace makes no profiles of datasets. "
        "`dataset.to_pandas_dataframe().describe()` gives the same numbers.",
        status=400,
    )


@router.post(_SAVED, openapi_extra=sdk("Dataset.as_named_input"))
def ensure_saved(
    workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Save a dataset without registering it, so that a run can refer to it."""
    body = json_object(body, "The description of a dataset")
    definition = definition_of(
        body.get("datasetType"), body.get("dataflowJson"), body.get("properties")
    )
    with workspace.database.write() as session:
        row = records.ensure_saved(session, definition)
    return JSONResponse(saved_dto(row))


@router.get(_SAVED + "/{saved_id}", openapi_extra=sdk("Dataset.get_by_id"))
def get_saved(saved_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Give a saved dataset by its id."""
    with workspace.database.read() as session:
        row = records.get_saved(session, saved_id)
    return JSONResponse(saved_dto(row))


@router.get(
    "/data/v1.0" + WORKSPACE_SCOPE + "/dataversion/{name}/versions/{version}",
    openapi_extra=sdk("every use of a Dataset"),
)
def get_data_version(
    name: str, version: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Give the steps of a saved dataset as the data engine reads them."""
    with workspace.database.read() as session:
        if not name.startswith(_UNREGISTERED):
            # The SDK asks for a data asset of v2 when there is no dataset of that name.
            raise NotFound(
                f"There is no data asset '{name}' (version {version}): the local workspace has "
                "the datasets of v1 only.",
                code="UserError",
                inner_code="DatasetNotFound",
            )
        row = records.get_saved(session, name[len(_UNREGISTERED) :])
    return JSONResponse(
        {
            "legacyDataflow": row.rs_dataflow,
            "legacyDatasetType": row.dataset_type,
            "isLatest": True,
            "savedDatasets": {row.saved_id: saved_dto(row)},
        }
    )


SERVICE = Service(name="dataset", title="Datasets", router=router, prefixes=("data", "dataset"))
