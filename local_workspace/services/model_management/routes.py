"""Routes of model management: models and assets."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from local_workspace.errors import BadRequest
from local_workspace.fields import row_number
from local_workspace.http import (
    WORKSPACE_SCOPE,
    JSONResponse,
    get_principal,
    get_workspace,
    json_body,
    sdk,
)
from local_workspace.identity.tokens import Principal
from local_workspace.service import Service
from local_workspace.services.model_management import assets, records, wire
from local_workspace.services.run_history import user_dto
from local_workspace.workspace import LocalWorkspace

router = APIRouter(prefix="/modelmanagement/v1.0" + WORKSPACE_SCOPE)
_PAGE_SIZE = 255


def _parts(model_id: str) -> tuple[str, str]:
    name, colon, version = model_id.rpartition(":")
    if not colon:
        raise records.model_not_found(model_id)
    return name, version


@router.post("/assets", openapi_extra=sdk("Model.register, Run.register_model"))
def create_asset(
    workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Make an asset of uploaded artifacts."""
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object that describes an asset.")
    with workspace.database.write() as session:
        return JSONResponse(assets.asset_dto(assets.create_asset(session, body)))


def _next_link(workspace: LocalWorkspace, request: Request, following: int) -> str:
    given = request.query_params.multi_items()
    query = [(name, value) for name, value in given if name != "$skipToken"]
    query.append(("$skipToken", str(following)))
    # The SDK looks for the parameter as it is written here.
    return f"{workspace.origin}{request.url.path}?{urlencode(query, safe='$')}"


@router.get("/assets", openapi_extra=sdk("AssetsClient.list_assets"))
def list_assets(
    request: Request,
    name: str | None = None,
    tags: str | None = None,
    properties: str | None = None,
    run_id: str | None = Query(None, alias="runId"),
    # The SDK's own spellings.
    runid: str | None = None,
    tag: str | None = None,
    count: int = Query(_PAGE_SIZE, ge=1),
    skip: str | None = Query(None, alias="$skipToken"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List assets, newest first: filtered, page by page."""
    start = row_number(skip or "0", "$skipToken")
    with workspace.database.read() as session:
        found = assets.list_assets(
            session, name=name, run_id=run_id or runid, tags=tags or tag, properties=properties
        )
        page = [assets.asset_dto(row) for row in found[start : start + count]]
    has_more = len(found) > start + count
    next_link = _next_link(workspace, request, start + count) if has_more else None
    return JSONResponse({"value": page, "nextLink": next_link})


@router.get("/assets/{asset_id}", openapi_extra=sdk("Model.download, Model.get_sas_urls"))
def get_asset(asset_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Describe an asset."""
    with workspace.database.read() as session:
        return JSONResponse(assets.asset_dto(assets.get_asset(session, asset_id)))


@router.post("/models", openapi_extra=sdk("Model.register, Run.register_model"))
def register_model(
    workspace: LocalWorkspace = Depends(get_workspace),
    principal: Principal = Depends(get_principal),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Register a model, or the next version of one."""
    with workspace.database.write() as session:
        row = wire.register(session, body, user_dto(workspace.settings, principal))
        return JSONResponse(wire.model_dto(row))


@router.get("/models", openapi_extra=sdk("Model, Model.list, Workspace.models"))
def list_models(
    request: Request,
    name: str | None = None,
    framework: str | None = None,
    tags: str | None = None,
    properties: str | None = None,
    run_id: str | None = Query(None, alias="runId"),
    dataset_id: str | None = Query(None, alias="datasetId"),
    latest_only: bool = Query(False, alias="latestVersionOnly"),
    count: int = Query(_PAGE_SIZE, ge=1, le=2**31),
    skip: str | None = Query(None, alias="$skipToken"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List versions of models, newest first: filtered, page by page."""
    start = row_number(skip or "0", "$skipToken")
    with workspace.database.read() as session:
        rows, has_more = records.page_of_versions(
            session,
            start,
            count,
            name=name,
            run_id=run_id,
            framework=framework,
            latest_only=latest_only,
            matches=wire.matcher(tags, properties, dataset_id),
        )
        page = [wire.model_dto(row) for row in rows]
    next_link = _next_link(workspace, request, start + count) if has_more else None
    return JSONResponse({"value": page, "continuationToken": None, "nextLink": next_link})


@router.get("/models/{model_id}", openapi_extra=sdk("Model(workspace, name, version=...)"))
def get_model(model_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Describe a version of a model."""
    with workspace.database.read() as session:
        return JSONResponse(wire.model_dto(records.get_version(session, *_parts(model_id))))


@router.patch(
    "/models/{model_id}",
    openapi_extra=sdk("Model.update, Model.add_tags, Model.add_properties, Model.remove_tags"),
)
def change_model(
    model_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Change tags, description, datasets or resources of a version, or add properties."""
    with workspace.database.write() as session:
        row = records.get_version(session, *_parts(model_id))
        wire.patch(row, body)
        session.flush()
        return JSONResponse(wire.model_dto(row))


@router.delete("/models/{model_id}", openapi_extra=sdk("Model.delete"))
def delete_model(model_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> Response:
    """Forget a version of a model; its files stay."""
    with workspace.database.write() as session:
        records.delete_version(session, *_parts(model_id))
    return Response(status_code=200)


SERVICE = Service(
    name="model_management",
    title="Models",
    router=router,
    prefixes=("modelmanagement",),
    discovery={"modelmanagement": ""},
)
