"""Routes of published pipelines and pipeline endpoints."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy.orm import Session

from local_workspace.errors import NotFound
from local_workspace.fields import json_object
from local_workspace.http import JSONResponse, get_principal, get_workspace, json_body, sdk
from local_workspace.identity.tokens import Principal
from local_workspace.services import run_history
from local_workspace.services.pipelines import parsing, published, runs, wire
from local_workspace.services.pipelines.answers import PipelineRoute
from local_workspace.store.tables.pipelines import PublishedPipelineRow
from local_workspace.workspace import LocalWorkspace

router = APIRouter(route_class=PipelineRoute)


@router.post(
    "/Pipelines/Create", openapi_extra=sdk("Pipeline.publish, PipelineRun.publish_pipeline")
)
def publish(
    workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Publish a pipeline."""
    document = json_object(body)
    with workspace.database.write() as session:
        return JSONResponse(wire.published_dto(workspace, published.publish(session, document)))


@router.get("/Pipelines", openapi_extra=sdk("PublishedPipeline.list"))
def list_published(
    active_only: bool = Query(True, alias="activeOnly"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List the published pipelines."""
    with workspace.database.read() as session:
        rows = published.list_published(session, active_only=active_only)
        return JSONResponse([wire.published_dto(workspace, row) for row in rows])


@router.get("/Pipelines/{pipeline_id}", openapi_extra=sdk("PublishedPipeline.get"))
def get_published(
    pipeline_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Describe a published pipeline."""
    with workspace.database.read() as session:
        row = published.get_published(session, pipeline_id)
        return JSONResponse(wire.published_dto(workspace, row))


@router.put(
    "/Pipelines/{pipeline_id}/status",
    openapi_extra=sdk("PublishedPipeline.enable, PublishedPipeline.disable"),
)
def set_status(
    pipeline_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> Response:
    """Enable or disable a published pipeline."""
    with workspace.database.write() as session:
        published.set_published_status(session, pipeline_id, body)
    return Response(status_code=200)


@router.post(
    "/PipelineRuns/PipelineSubmit/{pipeline_id}",
    openapi_extra=sdk("PublishedPipeline.submit, a POST to PublishedPipeline.endpoint"),
)
def submit_published(
    pipeline_id: str,
    parent_run_id: str | None = Query(None, alias="parentRunId"),
    workspace: LocalWorkspace = Depends(get_workspace),
    principal: Principal = Depends(get_principal),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Run a published pipeline."""
    info = parsing.submission_info(body)
    with workspace.database.write() as session:
        row = published.get_published(session, pipeline_id)
        return _submitted(session, workspace, principal, row, info, parent_run_id)


def _submitted(
    session: Session,
    workspace: LocalWorkspace,
    principal: Principal,
    pipeline: PublishedPipelineRow,
    info: parsing.SubmissionInfo,
    parent_run_id: str | None,
) -> JSONResponse:
    user = run_history.user_dto(workspace.settings, principal)
    row = published.make_published_run(session, pipeline, info, created_by=user)
    parent = parent_run_id or info.parent_run_id
    run = runs.submit(session, row, parent_run_id=parent, tags=info.tags)
    return JSONResponse(wire.run_dto(row, run))


@router.get(
    "/PipelineRuns/Pipeline/{pipeline_id}", openapi_extra=sdk("PipelineRun.get_pipeline_runs")
)
def runs_of_published(
    pipeline_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """List the runs of a published pipeline."""
    with workspace.database.read() as session:
        published.get_published(session, pipeline_id)
        rows = runs.runs_of(session, pipeline_id=pipeline_id)
        return JSONResponse(
            [wire.run_dto(row, run_history.find_run(session, row.run_id)) for row in rows]
        )


@router.post("/PipelineEndpoints/Create", openapi_extra=sdk("PipelineEndpoint.publish"))
def add_endpoint(
    workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Make an endpoint for a published pipeline."""
    document = json_object(body)
    with workspace.database.write() as session:
        return JSONResponse(wire.endpoint_dto(workspace, published.add_endpoint(session, document)))


@router.get("/PipelineEndpoints", openapi_extra=sdk("PipelineEndpoint.list"))
def list_endpoints(
    active_only: bool = Query(True, alias="activeOnly"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List the endpoints."""
    with workspace.database.read() as session:
        rows = published.list_endpoints(session, active_only=active_only)
        return JSONResponse([wire.endpoint_dto(workspace, row) for row in rows])


@router.get("/PipelineEndpoints/Name", openapi_extra=sdk("PipelineEndpoint.get(name=)"))
def endpoint_by_name(
    name: str = Query(alias="Name"), workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Describe the endpoint of that name."""
    with workspace.database.read() as session:
        row = published.find_endpoint(session, name)
        if row is None:
            raise NotFound(f"There is no pipeline endpoint named '{name}' in this workspace.")
        return JSONResponse(wire.endpoint_dto(workspace, row))


@router.get("/PipelineEndpoints/Id/{endpoint_id}", openapi_extra=sdk("PipelineEndpoint.get(id=)"))
def get_endpoint(
    endpoint_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Describe an endpoint."""
    with workspace.database.read() as session:
        row = published.get_endpoint(session, endpoint_id)
        return JSONResponse(wire.endpoint_dto(workspace, row))


@router.put(
    "/PipelineEndpoints/{endpoint_id}",
    openapi_extra=sdk("PipelineEndpoint.add, add_default, set_default_version, enable, disable"),
)
def change_endpoint(
    endpoint_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Add a version to an endpoint, choose its default, enable or disable it."""
    document = json_object(body)
    with workspace.database.write() as session:
        row = published.change_endpoint(session, endpoint_id, document)
        return JSONResponse(wire.endpoint_dto(workspace, row))


@router.get(
    "/PipelineEndpoints/{endpoint_id}/pipelines",
    openapi_extra=sdk("PipelineEndpoint.list_pipelines"),
)
def pipelines_of_endpoint(
    endpoint_id: str,
    active_only: bool = Query(True, alias="activeOnly"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List the published pipelines behind an endpoint."""
    with workspace.database.read() as session:
        row = published.get_endpoint(session, endpoint_id)
        found = [published.get_published(session, one) for _, one in row.versions]
        return JSONResponse(
            [
                wire.published_dto(workspace, one)
                for one in found
                if one.is_active or not active_only
            ]
        )


@router.post(
    "/PipelineRuns/PipelineEndpointSubmit/Id/{endpoint_id}",
    openapi_extra=sdk("PipelineEndpoint.submit, a POST to PipelineEndpoint.endpoint"),
)
@router.post(
    "/PipelineRuns/PipelineEndpointSubmit/Id/{endpoint_id}/{version}",
    openapi_extra=sdk("PipelineEndpoint.submit(pipeline_version=)"),
)
def submit_endpoint(
    endpoint_id: str,
    version: str | None = None,
    given_version: str | None = Query(None, alias="pipelineVersion"),
    parent_run_id: str | None = Query(None, alias="parentRunId"),
    workspace: LocalWorkspace = Depends(get_workspace),
    principal: Principal = Depends(get_principal),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Run the pipeline behind an endpoint: that of a version, or of the default one."""
    info = parsing.submission_info(body)
    with workspace.database.write() as session:
        endpoint = published.get_endpoint(session, endpoint_id)
        pipeline = published.pipeline_of_endpoint(session, endpoint, version or given_version)
        return _submitted(session, workspace, principal, pipeline, info, parent_run_id)
