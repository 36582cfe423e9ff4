"""Routes of experiments."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query

from local_workspace.fields import text_of
from local_workspace.http import JSONResponse, get_workspace, json_body, sdk
from local_workspace.services.run_history import experiments
from local_workspace.services.run_history.parsing import (
    body_object,
    experiment_changes,
    names_of_tags,
    page_asked_for,
)
from local_workspace.services.run_history.wire import experiment_dto
from local_workspace.workspace import LocalWorkspace

router = APIRouter()


@router.get("/experiments/{name}", openapi_extra=sdk("Experiment"))
def get_experiment(name: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Describe an experiment."""
    with workspace.database.read() as session:
        return JSONResponse(experiment_dto(experiments.get_experiment(session, name)))


@router.post("/experiments/{name}", openapi_extra=sdk("Experiment, Experiment.submit"))
def create_experiment(
    name: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Make an experiment, or describe the one of that name."""
    with workspace.database.write() as session:
        return JSONResponse(experiment_dto(experiments.ensure_experiment(session, name)))


@router.post("/experiments:query", openapi_extra=sdk("Experiment.list, ws.experiments"))
def list_experiments(
    view_type: str | None = Query(None, alias="viewType"),
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """List experiments, active or archived."""
    view_type = view_type or text_of(body_object(body or {}), "viewType")
    with workspace.database.read() as session:
        page = experiments.query_experiments(session, view_type=view_type, **page_asked_for(body))
    return JSONResponse(
        {
            "value": [experiment_dto(row) for row in page.rows],
            "continuationToken": page.continuation,
            "nextLink": None,
        }
    )


@router.get("/experimentids/{experiment_id}", openapi_extra=sdk("Experiment.refresh"))
def get_experiment_by_id(
    experiment_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Describe an experiment by its id."""
    with workspace.database.read() as session:
        return JSONResponse(
            experiment_dto(experiments.get_experiment_by_id(session, experiment_id))
        )


@router.patch(
    "/experimentids/{experiment_id}",
    openapi_extra=sdk("Experiment.tag, Experiment.archive, Experiment.reactivate"),
)
def update_experiment(
    experiment_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Rename, describe, tag, archive or reactivate an experiment."""
    with workspace.database.write() as session:
        row = experiments.update_experiment(session, experiment_id, experiment_changes(body))
        return JSONResponse(experiment_dto(row))


@router.delete("/experimentids/{experiment_id}", openapi_extra=sdk("Experiment.delete"))
def delete_experiment(
    experiment_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Delete an experiment that has no runs."""
    with workspace.database.write() as session:
        return JSONResponse(experiment_dto(experiments.delete_experiment(session, experiment_id)))


@router.post(
    "/experimentids/{experiment_id}/tags:delete", openapi_extra=sdk("Experiment.remove_tags")
)
def delete_experiment_tags(
    experiment_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Delete tags of an experiment."""
    tags = names_of_tags(body_object(body).get("tags"))
    with workspace.database.write() as session:
        experiments.delete_experiment_tags(session, experiment_id, tags)
    return JSONResponse({"errors": {}})
