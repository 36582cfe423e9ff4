"""Routes of run history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.orm import Session

from local_workspace.clock import iso
from local_workspace.errors import ServiceError, error_body
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
from local_workspace.services import artifact
from local_workspace.services.run_history import (
    client_events,
    experiments,
    parsing,
    queries,
    records,
)
from local_workspace.services.run_history.artifact_routes import router as artifact_router
from local_workspace.services.run_history.experiment_routes import (
    router as experiment_router,
)
from local_workspace.services.run_history.paging import Page
from local_workspace.services.run_history.wire import run_details_dto, run_dto, user_dto
from local_workspace.store.tables.run_history import ExperimentRow, RunRow
from local_workspace.workspace import LocalWorkspace

BASE = "/history/v1.0" + WORKSPACE_SCOPE
RUN_TOKEN_SECONDS = 24 * 3600

router = APIRouter()
_workspace_runs = APIRouter()
_runs = APIRouter()


@dataclass(frozen=True)
class ExperimentInPath:
    """The experiment that a path names: every path of a run exists with its name and its id."""

    name: str | None
    experiment_id: str | None

    def find(self, session: Session) -> ExperimentRow:
        """The experiment. Raises NotFound."""
        if self.experiment_id is not None:
            return experiments.get_experiment_by_id(session, self.experiment_id)
        return experiments.get_experiment(session, self.name or "")

    def find_or_name(self, session: Session) -> ExperimentRow | str:
        """The experiment, or the name under which one is to be made. Raises NotFound."""
        return self.find(session) if self.experiment_id is not None else self.name or ""

    def run(self, session: Session, run_id: str) -> RunRow:
        """A run of the experiment. Raises NotFound."""
        return records.get_run_of(session, self.find(session), run_id)


def experiment_in_path(request: Request) -> ExperimentInPath:
    """The experiment that the path of a request names."""
    given = request.path_params
    return ExperimentInPath(given.get("name"), given.get("experiment_id"))


def _page(page: Page) -> JSONResponse:
    return JSONResponse(
        {
            "value": [run_dto(row) for row in page.rows],
            "continuationToken": page.continuation,
            "nextLink": None,
        }
    )


@_workspace_runs.get("/runs/{run_id}", openapi_extra=sdk("Run.get, ws.get_run"))
def get_run_of_workspace(
    run_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Describe a run of any experiment."""
    with workspace.database.read() as session:
        return JSONResponse(run_dto(records.get_run(session, run_id)))


@_workspace_runs.get(
    "/computes/{compute}/runs",
    openapi_extra=sdk("ComputeTarget.get_active_runs, Run.list_by_compute"),
)
def list_runs_of_compute(
    compute: str,
    filter: str | None = Query(None, alias="$filter"),
    continuation: str | None = Query(None, alias="$continuationToken"),
    order: str | None = Query(None, alias="$orderby"),
    top: int | None = Query(None, alias="$top"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List the runs on a compute target that have not ended."""
    with workspace.database.read() as session:
        return _page(
            queries.query_runs(
                session,
                active_on=compute,
                filter=filter,
                order_by=order,
                top=top,
                continuation=continuation,
            )
        )


@_runs.post("/runs:query", openapi_extra=sdk("Experiment.get_runs, Run.list"))
def query_runs(
    experiment: ExperimentInPath = Depends(experiment_in_path),
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """List the runs of an experiment: filtered, ordered, page by page."""
    asked = parsing.page_asked_for(body)
    with workspace.database.read() as session:
        found = experiment.find(session)
        return _page(queries.query_runs(session, experiment_id=found.experiment_id, **asked))


@_runs.get("/runcounts", openapi_extra=sdk("Experiment"))
def count_runs(
    experiment: ExperimentInPath = Depends(experiment_in_path),
    filter: str | None = Query(None, alias="$filter"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Count the runs of an experiment by status."""
    with workspace.database.read() as session:
        found = experiment.find(session)
        counts = queries.count_by_status(session, found.experiment_id, filter)
    return JSONResponse({"totalCount": sum(counts.values()), "runCounts": counts})


@_runs.patch("/batch/runs", openapi_extra=sdk("Run.create_children"))
def change_runs(
    experiment: ExperimentInPath = Depends(experiment_in_path),
    workspace: LocalWorkspace = Depends(get_workspace),
    principal: Principal = Depends(get_principal),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Make or change several runs; what is wrong with one does not hinder the others."""
    items = parsing.runs_of_batch(body)
    runs: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    user = user_dto(workspace.settings, principal)
    with workspace.database.write() as session:
        found = experiment.find(session)
        for item in items:
            try:
                # What a refused change had done already is taken back.
                with session.begin_nested():
                    row = records.upsert_run(
                        session, found, item["runId"], parsing.run_changes(item), user
                    )
                runs[row.run_id] = run_dto(row)
            except ServiceError as error:
                errors[item["runId"]] = error_body(error)
    return JSONResponse({"runs": runs, "errors": errors})


@_runs.post("/batch/events", openapi_extra=sdk("Run.create_children"))
def post_events(
    experiment: ExperimentInPath = Depends(experiment_in_path),
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Take events of several runs."""
    items = parsing.events_of_batch(body)
    errors = []
    with workspace.database.write() as session:
        experiment.find(session)
        for run_id, item in items:
            try:
                client_events.apply_event(session, run_id, item)
            except ServiceError as error:
                errors.append({"key": item, "value": error_body(error)})
    return JSONResponse({"errors": errors})


@_runs.get("/runs/{run_id}", openapi_extra=sdk("Run, Run.get_status, Run.get_tags"))
def get_run(
    run_id: str,
    experiment: ExperimentInPath = Depends(experiment_in_path),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Describe a run."""
    with workspace.database.read() as session:
        return JSONResponse(run_dto(experiment.run(session, run_id)))


@_runs.patch(
    "/runs/{run_id}",
    openapi_extra=sdk(
        "Experiment.start_logging, Run.child_run, Run.tag, Run.set_tags, Run.add_properties, "
        "Run.display_name"
    ),
)
def change_run(
    run_id: str,
    experiment: ExperimentInPath = Depends(experiment_in_path),
    workspace: LocalWorkspace = Depends(get_workspace),
    principal: Principal = Depends(get_principal),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Make a run, or change it: tags and properties are merged, properties never replaced."""
    changes = parsing.run_changes(parsing.body_object(body))
    with workspace.database.write() as session:
        found = experiment.find_or_name(session)
        user = user_dto(workspace.settings, principal)
        return JSONResponse(run_dto(records.upsert_run(session, found, run_id, changes, user)))


@_runs.get("/runs/{run_id}/details", openapi_extra=sdk("Run.get_details, Run.get_status"))
def get_details(
    run_id: str,
    experiment: ExperimentInPath = Depends(experiment_in_path),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """Describe a run with its datasets, definition and the addresses of its logs."""
    with workspace.database.read() as session:
        row = experiment.run(session, run_id)
    logs = artifact.log_files(workspace, row.data_container_id)
    return JSONResponse(run_details_dto(row, logs))


@_runs.get("/runs/{run_id}/children", openapi_extra=sdk("Run.get_children"))
def list_children(
    run_id: str,
    experiment: ExperimentInPath = Depends(experiment_in_path),
    filter: str | None = Query(None, alias="$filter"),
    continuation: str | None = Query(None, alias="$continuationToken"),
    order: str | None = Query(None, alias="$orderby"),
    sort: str | None = Query(None, alias="$sortorder"),
    top: int | None = Query(None, alias="$top"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> JSONResponse:
    """List the children of a run."""
    with workspace.database.read() as session:
        experiment.run(session, run_id)
        return _page(
            queries.query_runs(
                session,
                parent_run_id=run_id,
                filter=filter,
                order_by=f"{order} {sort}" if order and sort else order,
                top=top,
                continuation=continuation,
            )
        )


@_runs.delete("/runs/{run_id}/tags", openapi_extra=sdk("Run.remove_tags"))
def delete_tags(
    run_id: str,
    experiment: ExperimentInPath = Depends(experiment_in_path),
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Delete tags of a run."""
    tags = parsing.names_of_tags(body)
    with workspace.database.write() as session:
        experiment.run(session, run_id)
        return JSONResponse(run_dto(records.delete_run_tags(session, run_id, tags)))


@_runs.post(
    "/runs/{run_id}/events",
    openapi_extra=sdk("Run.start, Run.complete, Run.fail, Run.cancel"),
)
def post_event(
    run_id: str,
    experiment: ExperimentInPath = Depends(experiment_in_path),
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> Response:
    """Take an event of a run: started, completed, failed, canceled, a warning, an error."""
    with workspace.database.write() as session:
        experiment.run(session, run_id)
        client_events.apply_event(session, run_id, body)
    return Response(status_code=200)


@_runs.get("/runs/{run_id}/token", openapi_extra=sdk("Run.get_context"))
def renew_token(
    run_id: str,
    experiment: ExperimentInPath = Depends(experiment_in_path),
    workspace: LocalWorkspace = Depends(get_workspace),
    principal: Principal = Depends(get_principal),
) -> JSONResponse:
    """Give a new token for a run, before its present one ends."""
    with workspace.database.read() as session:
        experiment.run(session, run_id)
    token, expires = workspace.tokens.issue(
        workspace.origin, run_id=run_id, role=principal.role, lifetime=RUN_TOKEN_SECONDS
    )
    end = datetime.fromtimestamp(expires, timezone.utc)
    return JSONResponse({"token": token, "expiryTimeUtc": iso(end)})


@_runs.get("/runs/{run_id}/metricsingest/wait", openapi_extra=sdk("Run.flush, Run.complete"))
def wait_for_metrics(
    run_id: str,
    experiment: ExperimentInPath = Depends(experiment_in_path),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> Response:
    """Say that all metrics are there: they are kept before their request is answered."""
    with workspace.database.read() as session:
        experiment.run(session, run_id)
    return Response(status_code=200)


router.include_router(experiment_router, prefix=BASE)
router.include_router(_workspace_runs, prefix=BASE)
for _scope in ("/experiments/{name}", "/experimentids/{experiment_id}"):
    router.include_router(_runs, prefix=BASE + _scope)
    router.include_router(artifact_router, prefix=BASE + _scope)


SERVICE = Service(
    name="run_history",
    title="Experiments and runs (run history)",
    router=router,
    prefixes=("history",),
    discovery={"history": ""},
)
