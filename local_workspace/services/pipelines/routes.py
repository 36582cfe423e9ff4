"""Routes of the pipelines service: modules, graphs and runs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy.orm import Session

from local_workspace.errors import BadRequest, NotFound
from local_workspace.fields import json_object
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
from local_workspace.services import artifact, run_history
from local_workspace.services.pipelines import modules, parsing, runs, wire
from local_workspace.services.pipelines.answers import PipelineRoute
from local_workspace.services.pipelines.published_routes import router as published_router
from local_workspace.services.pipelines.schedule_routes import router as schedule_router
from local_workspace.store.tables.run_history import RunRow
from local_workspace.workspace import LocalWorkspace

BASE = "/pipelines/v1.0" + WORKSPACE_SCOPE

router = APIRouter()
_routes = APIRouter(route_class=PipelineRoute)


@_routes.get("/DataTypes", openapi_extra=sdk("Pipeline"), dependencies=[Depends(get_workspace)])
def list_data_types() -> JSONResponse:
    """List the types of data that ports have."""
    return JSONResponse(wire.data_types())


@_routes.post("/DataTypes", openapi_extra=sdk("Pipeline"), dependencies=[Depends(get_workspace)])
def add_data_type(body: Any = Depends(json_body)) -> JSONResponse:
    """Refuse another type of data: those of the SDK are all there."""
    raise BadRequest("The types of data are those of the SDK: no other can be added.")


@_routes.post("/Modules", openapi_extra=sdk("Pipeline.submit"))
def add_module(
    workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Keep what a step runs."""
    with workspace.database.write() as session:
        row = modules.add_module(session, json_object(body))
        return JSONResponse(wire.module_dto(row)["Data"])


@_routes.get("/Modules/Hash/{identifier_hash}", openapi_extra=sdk("Pipeline.submit"))
def module_by_hash(
    identifier_hash: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Find what a step runs by the client's fingerprint."""
    with workspace.database.read() as session:
        return JSONResponse(wire.module_dto(modules.module_by_hash(session, identifier_hash)))


@_routes.get("/Modules/{module_id}", openapi_extra=sdk("PipelineRun.get_graph"))
def get_module(module_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Describe what a step runs."""
    with workspace.database.read() as session:
        return JSONResponse(wire.module_dto(modules.get_module(session, module_id)))


@_routes.post("/DataSources", openapi_extra=sdk("DataReference, DataPath in a pipeline"))
def add_data_source(
    workspace: LocalWorkspace = Depends(get_workspace), body: Any = Depends(json_body)
) -> JSONResponse:
    """Keep a path in a datastore as an input of pipelines."""
    with workspace.database.write() as session:
        row = modules.add_data_source(session, json_object(body))
        return JSONResponse(wire.data_source_dto(row))


@_routes.get("/DataSources/Hash/{identifier_hash}", openapi_extra=sdk("Pipeline.submit"))
def data_source_by_hash(
    identifier_hash: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Find a path in a datastore by the client's fingerprint."""
    with workspace.database.read() as session:
        row = modules.data_source_by_hash(session, identifier_hash)
        return JSONResponse(wire.data_source_dto(row))


@_routes.get("/DataSources/{source_id}", openapi_extra=sdk("PipelineRun.get_graph"))
def get_data_source(
    source_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Describe a path in a datastore."""
    with workspace.database.read() as session:
        return JSONResponse(wire.data_source_dto(modules.get_data_source(session, source_id)))


@_routes.get("/Graphs/{graph_id}", openapi_extra=sdk("PipelineRun.get_graph"))
def get_graph(graph_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Give the nodes and edges of a pipeline."""
    with workspace.database.read() as session:
        return JSONResponse(wire.graph_dto(session, modules.get_graph(session, graph_id)))


@_routes.get("/Graphs/{graph_id}/Interface", openapi_extra=sdk("PipelineRun.get_graph"))
def get_interface(
    graph_id: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Give the parameters of a pipeline."""
    with workspace.database.read() as session:
        return JSONResponse(wire.interface_dto(modules.get_graph(session, graph_id)))


@_routes.post(
    "/PipelineRuns/Unsubmitted/CreationInfoWithGraph",
    openapi_extra=sdk("Experiment.submit(pipeline), Pipeline.submit"),
)
def make_run(
    experiment: str | None = Query(None, alias="experimentName"),
    workspace: LocalWorkspace = Depends(get_workspace),
    principal: Principal = Depends(get_principal),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Make a run of a graph that has not begun."""
    given = json_object(body)
    info = parsing.submission_info(given.get("CreationInfo"))
    name = experiment or info.experiment_name
    if not name:
        raise BadRequest("The run needs an 'experimentName'.")
    user = run_history.user_dto(workspace.settings, principal)
    with workspace.database.write() as session:
        graph = modules.add_graph(session, given.get("Graph"), given.get("GraphInterface"))
        row = runs.make_run(session, graph.id, name, info, created_by=user)
        return JSONResponse(wire.run_dto(row, None))


@_routes.post("/PipelineRuns/Submit/{run_id}", openapi_extra=sdk("Experiment.submit(pipeline)"))
def submit_run(
    run_id: str,
    parent_run_id: str | None = Query(None, alias="parentRunId"),
    workspace: LocalWorkspace = Depends(get_workspace),
) -> Response:
    """Have a run begin."""
    with workspace.database.write() as session:
        runs.submit(session, runs.get_pipeline_run(session, run_id), parent_run_id=parent_run_id)
    return Response(status_code=200)


@_routes.get("/PipelineRuns/{run_id}", openapi_extra=sdk("PipelineRun.get_status"))
def get_run(run_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Describe a run of a pipeline."""
    with workspace.database.read() as session:
        row = runs.get_pipeline_run(session, run_id)
        return JSONResponse(wire.run_dto(row, run_history.find_run(session, run_id)))


@_routes.delete("/PipelineRuns/{run_id}/Execution", openapi_extra=sdk("PipelineRun.cancel"))
def cancel_run(run_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> Response:
    """End a run of a pipeline and the steps that run."""
    with workspace.database.write() as session:
        runs.request_cancel(session, run_id)
    return Response(status_code=200)


# Steps


def _run_of_step(session: Session, run_id: str, node_id: str) -> RunRow | None:
    runs.get_pipeline_run(session, run_id)
    step = runs.find_step(session, run_id, node_id)
    return run_history.get_run(session, step.step_run_id) if step else None


def _node(body: Any) -> str:
    """The node that a body names: a list of ids, of which only graphs in graphs have several."""
    if not isinstance(body, list) or not body or not all(isinstance(one, str) for one in body):
        raise BadRequest("The body must be a list with the id of a node.")
    return body[-1]


@_routes.post(
    "/PipelineRuns/{run_id}/Graph/Node/StatusCode", openapi_extra=sdk("StepRun.get_status")
)
def step_status(
    run_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Say in a word how far a step is."""
    node_id = _node(body)
    with workspace.database.read() as session:
        return JSONResponse(wire.step_status(_run_of_step(session, run_id, node_id)))


@_routes.post("/PipelineRuns/{run_id}/Graph/Node/Status", openapi_extra=sdk("StepRun"))
def step_details(
    run_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Say how far a step is."""
    node_id = _node(body)
    with workspace.database.read() as session:
        return JSONResponse(wire.task_status(_run_of_step(session, run_id, node_id)))


@_routes.post("/PipelineRuns/{run_id}/Graph/AllNodes/Status", openapi_extra=sdk("PipelineRun"))
def all_steps(run_id: str, workspace: LocalWorkspace = Depends(get_workspace)) -> JSONResponse:
    """Say how far each step is."""
    with workspace.database.read() as session:
        row = runs.get_pipeline_run(session, run_id)
        graph = modules.read_graph(session, modules.get_graph(session, row.graph_id))
        return JSONResponse(
            {
                node_id: wire.task_status(_run_of_step(session, run_id, node_id))
                for node_id in graph.steps
            }
        )


@_routes.post(
    "/PipelineRuns/{run_id}/Outputs",
    openapi_extra=sdk("StepRun.get_outputs, StepRun.get_output_data"),
)
def step_outputs(
    run_id: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> JSONResponse:
    """Say where the outputs of a step are."""
    node_id = _node(body)
    with workspace.database.read() as session:
        runs.get_pipeline_run(session, run_id)
        step = runs.find_step(session, run_id, node_id)
        return JSONResponse(
            {name: _node_output(place) for name, place in (step.outputs if step else {}).items()}
        )


def _node_output(place: dict[str, Any]) -> dict[str, Any]:
    return {"DataLocation": wire.data_location(place["datastore"], place["path"])}


@_routes.get(
    "/PipelineRuns/{run_id}/PipelineRunOutputs/{name}",
    openapi_extra=sdk("PipelineRun.get_pipeline_output"),
)
def pipeline_output(
    run_id: str, name: str, workspace: LocalWorkspace = Depends(get_workspace)
) -> JSONResponse:
    """Say where a named output of a pipeline is."""
    with workspace.database.read() as session:
        row = runs.get_pipeline_run(session, run_id)
        graph = modules.read_graph(session, modules.get_graph(session, row.graph_id))
        source = graph.outputs.get(name)
        step = runs.find_step(session, run_id, source.node_id) if source else None
        if source is None or step is None or source.port not in step.outputs:
            raise NotFound(
                f"The pipeline run has no output '{name}' (yet). Its outputs are: "
                f"{', '.join(graph.outputs) or 'none'}."
            )
        return JSONResponse(_node_output(step.outputs[source.port]))


@_routes.post(
    "/PipelineRuns/{run_id}/Graph/Shareable/{kind}",
    openapi_extra=sdk("StepRun.get_stdout_log, get_stderr_log, get_job_log"),
)
def step_log(
    run_id: str,
    kind: str,
    workspace: LocalWorkspace = Depends(get_workspace),
    body: Any = Depends(json_body),
) -> PlainTextResponse:
    """Give the log of a step as text: what it wrote (both streams are one here), or its errors."""
    node_id = _node(body)
    with workspace.database.read() as session:
        run = _run_of_step(session, run_id, node_id)
    if run is None:
        return PlainTextResponse("")
    if kind.upper() == "STDERR":
        error = ((run.error or {}).get("error") or {}).get("message") or ""
        return PlainTextResponse(str(error))
    container = run.data_container_id
    if kind.upper() == "JOBLOG":
        names = sorted(artifact.log_files(workspace, container))
    else:
        names = [one for one in artifact.log_files(workspace, container) if "std_log" in one]
    texts = []
    for name in sorted(names):
        content = artifact.read_artifact(workspace, artifact.RUN_ORIGIN, container, name)
        texts.append(content.decode("utf-8", "replace"))
    return PlainTextResponse("".join(texts))


router.include_router(_routes, prefix=BASE)
router.include_router(published_router, prefix=BASE)
router.include_router(schedule_router, prefix=BASE)


SERVICE = Service(
    name="pipelines",
    title="Pipelines, published pipelines, schedules",
    router=router,
    prefixes=("pipelines", "studioservice"),
    discovery={"pipelines": ""},
    not_yet=(
        ("Drafts, modules with versions", "`PipelineDraft`, `Module`, `ModuleStep`"),
        ("Batch scoring in parallel", "`ParallelRunStep`"),
        (
            "Sweeps and automated ML as steps, copies between datastores",
            "`HyperDriveStep`, `AutoMLStep`, `DataTransferStep`",
        ),
    ),
)
