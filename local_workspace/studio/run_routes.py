"""Routes of the pages of experiments and runs."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from local_workspace.errors import NotFound
from local_workspace.http import WORKSPACE_SCOPE, JSONResponse, sdk
from local_workspace.services import run_history
from local_workspace.services.artifact import RUN_ORIGIN
from local_workspace.services.execution import cancel_run
from local_workspace.store.tables.run_history import ExperimentRow
from local_workspace.studio.files import file_response, read_log
from local_workspace.studio.metrics import one_metric
from local_workspace.studio.pages import PageRoute, form_workspace, layout, viewed_workspace
from local_workspace.studio.rendering import SECURITY_HEADERS, address, page
from local_workspace.studio.runs import ORDERS, RunChoice, run_page, runs_of_experiment
from local_workspace.workspace import LocalWorkspace

router = APIRouter(prefix="/studio", route_class=PageRoute)

_EXPERIMENTS_ON_A_PAGE = 50


@router.get("/experiments", include_in_schema=False)
def experiments(
    request: Request,
    archived: bool = False,
    continuation: str | None = None,
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """The experiments."""
    with workspace.database.read() as session:
        found = run_history.query_experiments(
            session,
            top=_EXPERIMENTS_ON_A_PAGE,
            continuation=continuation,
            view_type="All" if archived else "ActiveOnly",
        )
        counts = {
            row.experiment_id: run_history.count_by_status(session, row.experiment_id)
            for row in found.rows
        }
    return page(
        "experiments.html",
        experiments=found,
        counts=counts,
        archived=archived,
        **layout(request, workspace),
    )


@router.get("/experiments/id/{experiment_id}", openapi_extra=sdk("Experiment.get_portal_url"))
def experiment_by_id(
    experiment_id: str,
    request: Request,
    choice: RunChoice = Depends(),
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """Show the page of an experiment: its runs, filtered and sorted."""
    with workspace.database.read() as session:
        row = run_history.get_experiment_by_id(session, experiment_id)
    return _experiment(request, workspace, row, choice)


@router.get("/experiments/{name}", openapi_extra=sdk("Experiment.get_portal_url"))
def experiment_by_name(
    name: str,
    request: Request,
    choice: RunChoice = Depends(),
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """Show the page of an experiment: its runs, filtered and sorted."""
    with workspace.database.read() as session:
        row = run_history.get_experiment(session, name)
    return _experiment(request, workspace, row, choice)


def _experiment(
    request: Request, workspace: LocalWorkspace, row: ExperimentRow, choice: RunChoice
) -> Response:
    with workspace.database.read() as session:
        table, problem = runs_of_experiment(session, row, choice)
        counts = run_history.count_by_status(session, row.experiment_id)
    return page(
        "experiment.html",
        experiment=row,
        table=table,
        problem=problem,
        counts=counts,
        choice=choice,
        orders=ORDERS,
        statuses=run_history.STATUSES,
        **layout(request, workspace),
    )


@router.get("/runs/{run_id}", openapi_extra=sdk("Run.get_portal_url"))
def run(
    run_id: str,
    request: Request,
    log: str | None = None,
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """Show the page of a run: state, metrics, logs while it runs, files, inputs, outputs."""
    with workspace.database.read() as session:
        found = run_page(session, workspace, run_id)
    shown_log = log or (found.files.logs[0].path if found.files.logs else None)
    part = read_log(workspace, found.run, shown_log) if shown_log else None
    return page("run.html", found=found, log=part, log_path=shown_log, **layout(request, workspace))


@router.get(
    WORKSPACE_SCOPE + "/experiments/{name}/runs/{run_id}",
    openapi_extra=sdk("azureml.mlflow.get_portal_url"),
)
def run_of_mlflow(run_id: str) -> Response:
    """Lead to the page of a run."""
    return RedirectResponse(address("runs", run_id), status_code=307)


@router.get("/runs/{run_id}/metric", include_in_schema=False)
def metric(
    run_id: str,
    name: str,
    request: Request,
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """One metric of a run, value by value."""
    with workspace.database.read() as session:
        row = run_history.get_run(session, run_id)
        series, table = one_metric(session, run_id, name)
    return page(
        "metric.html",
        run=row,
        name=name,
        series=series,
        table=table,
        **layout(request, workspace),
    )


@router.get("/runs/{run_id}/log", include_in_schema=False)
def log_part(
    run_id: str,
    path: str,
    start: int = Query(0, ge=0),
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> JSONResponse:
    """What a log of a run has from a byte on, and the run's status: for the script of its page."""
    with workspace.database.read() as session:
        row = run_history.get_run(session, run_id)
    # The status first: what a run wrote before it ended is in the log by then.
    part = read_log(workspace, row, path, start)
    return JSONResponse(
        {
            "text": part.text,
            "next": part.next,
            "ended": row.status in run_history.TERMINAL_STATUSES,
        },
        headers=SECURITY_HEADERS,
    )


@router.get("/runs/{run_id}/files/{path:path}", include_in_schema=False)
def file(
    run_id: str,
    path: str,
    download: bool = False,
    workspace: LocalWorkspace = Depends(viewed_workspace),
) -> Response:
    """A file of a run."""
    with workspace.database.read() as session:
        row = run_history.get_run(session, run_id)
    if not path:
        raise NotFound("The address of a file ends with its path.")
    container = row.data_container_id
    return file_response(workspace, RUN_ORIGIN, container, path, download=download)


@router.post("/runs/{run_id}/cancel", include_in_schema=False)
def cancel(run_id: str, workspace: LocalWorkspace = Depends(form_workspace)) -> Response:
    """Ask for the end of a submitted run."""
    cancel_run(workspace, run_id)
    return RedirectResponse(address("runs", run_id), status_code=303)
