"""Routes of schedules."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query, Response

from local_workspace.fields import json_object
from local_workspace.http import JSONResponse, get_workspace, json_body, sdk
from local_workspace.services import run_history
from local_workspace.services.pipelines import runs, schedules, wire
from local_workspace.services.pipelines.answers import PipelineRoute
from local_workspace.store.tables.pipelines import ScheduleRow
from local_workspace.workspace import LocalWorkspace

router = APIRouter(route_class=PipelineRoute)


def _answer(rows: list[ScheduleRow]) -> JSONResponse:
    return JSONResponse([wire.schedule_dto(row) for row in rows])


@router.post("/Schedules/Create", openapi_extra=sdk("Schedule.create"))
def add_schedule(
    workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Make a schedule."""
    document = json_object(body)
    with workspace.database.write() as session:
        return JSONResponse(wire.schedule_dto(schedules.add_schedule(session, document)))


@router.get("/Schedules", openapi_extra=sdk("Schedule.list"))
def list_schedules(
    active_only: bool = Query(True, alias="activeOnly"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List the schedules."""
    with workspace.database.read() as session:
        return _answer(schedules.list_schedules(session, active_only=active_only))


@router.get("/Schedules/{schedule_id}", openapi_extra=sdk("Schedule.get"))
def get_schedule(
    schedule_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Describe a schedule."""
    with workspace.database.read() as session:
        return JSONResponse(wire.schedule_dto(schedules.get_schedule(session, schedule_id)))


@router.put(
    "/Schedules/{schedule_id}",
    openapi_extra=sdk("Schedule.update, Schedule.enable, Schedule.disable"),
)
def change_schedule(
    schedule_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Change, enable or disable a schedule."""
    document = json_object(body)
    with workspace.database.write() as session:
        row = schedules.change_schedule(session, schedule_id, document)
        return JSONResponse(wire.schedule_dto(row))


@router.get(
    "/Schedules/Pipeline/{pipeline_id}", openapi_extra=sdk("Schedule.get_schedules_for_pipeline_id")
)
def schedules_of_pipeline(
    pipeline_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """List the schedules of a published pipeline."""
    with workspace.database.read() as session:
        return _answer(schedules.list_schedules(session, pipeline_id=pipeline_id))


@router.get(
    "/Schedules/PipelineEndpoint/{endpoint_id}",
    openapi_extra=sdk("Schedule.get_schedules_for_pipeline_endpoint_id"),
)
def schedules_of_endpoint(
    endpoint_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """List the schedules of a pipeline endpoint."""
    with workspace.database.read() as session:
        return _answer(schedules.list_schedules(session, endpoint_id=endpoint_id))


@router.get("/PipelineRuns/Schedule/{schedule_id}", openapi_extra=sdk("Schedule.get_pipeline_runs"))
def runs_of_schedule(
    schedule_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """List the runs that a schedule started."""
    with workspace.database.read() as session:
        schedules.get_schedule(session, schedule_id)
        rows = runs.runs_of(session, schedule_id=schedule_id)
        return JSONResponse(
            [wire.run_dto(row, run_history.find_run(session, row.run_id)) for row in rows]
        )


@router.get(
    "/PipelineRuns/Schedule/{schedule_id}/Last",
    openapi_extra=sdk("Schedule.get_last_pipeline_run"),
)
def last_run_of_schedule(
    schedule_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> Response:
    """Describe the last run that a schedule started; nothing when there is none."""
    with workspace.database.read() as session:
        schedules.get_schedule(session, schedule_id)
        rows = runs.runs_of(session, schedule_id=schedule_id)
        if not rows:
            return Response(status_code=204)
        return JSONResponse(wire.run_dto(rows[0], run_history.find_run(session, rows[0].run_id)))
