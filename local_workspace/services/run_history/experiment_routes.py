"""Routes of experiments."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query

from local_workspace.errors import BadRequest
from local_workspace.http import JSONResponse, get_workspace, json_body, sdk
from local_workspace.services.run_history import experiments
from local_workspace.workspace import LocalWorkspace

router = APIRouter()


def body_object(body: Any) -> dict[str, Any]:
    """`body` if it is a JSON object. Raises BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


def names_of_tags(body: Any) -> list[str]:
    """`body` if it is a list of names. Raises BadRequest."""
    if not isinstance(body, list) or not all(isinstance(name, str) for name in body):
        raise BadRequest("The body must be a list of the names of tags.")
    return body


@router.get("/experiments/{name}", openapi_extra=sdk("Experiment"))
def get_experiment(name: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Describe an experiment."""
    with workspace.database.read() as session:
        return JSONResponse(experiments.experiment_dto(experiments.get_experiment(session, name)))


@router.post("/experiments/{name}", openapi_extra=sdk("Experiment, Experiment.submit"))
def create_experiment(
    name: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Make an experiment, or describe the one of that name."""
    with workspace.database.write() as session:
        return JSONResponse(
            experiments.experiment_dto(experiments.ensure_experiment(session, name))
        )


@router.post("/experiments:query", openapi_extra=sdk("Experiment.list, ws.experiments"))
def list_experiments(
    view_type: str | None = Query(None, alias="viewType"),
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """List experiments, active or archived."""
    query = body_object(body or {})
    with workspace.database.read() as session:
        page = experiments.query_experiments(
            session,
            filter=query.get("filter"),
            order_by=query.get("orderby") or query.get("orderBy"),
            top=query.get("top"),
            continuation=query.get("continuationToken"),
            view_type=view_type or query.get("viewType"),
        )
    return JSONResponse(
        {
            "value": [experiments.experiment_dto(row) for row in page.rows],
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
            experiments.experiment_dto(experiments.get_experiment_by_id(session, experiment_id))
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
        row = experiments.update_experiment(session, experiment_id, body_object(body))
        return JSONResponse(experiments.experiment_dto(row))


@router.delete("/experimentids/{experiment_id}", openapi_extra=sdk("Experiment.delete"))
def delete_experiment(
    experiment_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Delete an experiment that has no runs."""
    with workspace.database.write() as session:
        return JSONResponse(
            experiments.experiment_dto(experiments.delete_experiment(session, experiment_id))
        )


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
