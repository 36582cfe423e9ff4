"""What happens to a run configuration before the engine gets it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.engines.jobs.inputs_and_outputs import lineage
from local_workspace.errors import BadRequest, Conflict, NotFound, NotImplementedHere
from local_workspace.http import WORKSPACE_SCOPE
from local_workspace.services import content, run_history
from local_workspace.services.compute import find_compute
from local_workspace.services.execution.layout import layout_of
from local_workspace.services.execution.parsing import run_configuration
from local_workspace.store.tables.execution import JobRow
from local_workspace.store.tables.run_history import RunRow
from local_workspace.workspace import LocalWorkspace

LOCAL = "local"
_FRAMEWORKS = ("python", "pytorch", "tensorflow")


def submit_run(
    workspace: LocalWorkspace,
    experiment_name: str,
    run_id: str,
    definition: Any,
    *,
    created_by: dict[str, Any] | None = None,
) -> RunRow:
    """Make the run that `definition` describes and give it to the engine.

    `definition` is the SDK's: `Configuration`, `SnapshotId`, `ParentRunId`, names in any case. A
    run that was submitted under this id already is returned as it is, because clients repeat
    requests. Raises BadRequest for what cannot run, NotFound for an unknown compute target,
    snapshot, parent or dataset, Conflict when the id belongs to a run of another kind.
    """
    given, configuration = run_configuration(definition)
    snapshot_id = given.get("snapshotId")
    target = str(configuration.get("target") or LOCAL)
    kind = "local" if target == LOCAL else "cluster"
    node_count = layout_of(configuration).nodes
    _check(configuration, kind, node_count)
    inputs = lineage(workspace, configuration)
    with workspace.database.write() as session:
        present = session.get(JobRow, run_id)
        if present is not None:
            return run_history.get_run(session, run_id)
        if session.get(RunRow, run_id) is not None:
            raise Conflict(f"There is a run '{run_id}' already that was not submitted.")
        if kind == "cluster":
            target = _check_compute(session, target, node_count)
            content.get_snapshot(session, str(snapshot_id))
        job = JobRow(
            run_id=run_id,
            experiment_name=experiment_name,
            kind=kind,
            compute=target.lower() if kind == "cluster" else None,
            snapshot_id=snapshot_id,
            configuration=configuration,
            node_count=node_count,
            state="submitted",
            attempts=0,
            cancel_requested=False,
            submitted=utc_now(),
        )
        properties = {"_azureml.ComputeTargetType": "amlctrain" if kind == "cluster" else "local"}
        if snapshot_id:
            properties["ContentSnapshotId"] = snapshot_id
        row = run_history.upsert_run(
            session,
            experiment_name,
            run_id,
            {
                "parentRunId": given.get("parentRunId"),
                "runType": "azureml.scriptrun",
                "runTypeV2": {"orchestrator": "Execution", "traits": []},
                "target": target,
                "scriptName": configuration.get("script"),
                "runDefinition": configuration,
                "inputDatasets": inputs,
                "properties": properties,
                "cancelUri": _cancel_uri(workspace, experiment_name, run_id),
            },
            created_by,
        )
        session.add(job)
    workspace.engines.jobs.submit(job)
    return row


def cancel_run(workspace: LocalWorkspace, run_id: str) -> None:
    """Ask for the end of a submitted run; nothing happens to one that has ended.

    Raises NotFound.
    """
    with workspace.database.read() as session:
        run_history.get_run(session, run_id)
        if session.get(JobRow, run_id) is None:
            raise NotFound(f"The run '{run_id}' was not submitted: nothing executes it.")
    workspace.engines.jobs.cancel(run_id)


def _cancel_uri(workspace: LocalWorkspace, experiment_name: str, run_id: str) -> str:
    settings = workspace.settings
    scope = WORKSPACE_SCOPE.format(
        subscription_id=settings.subscription_id,
        resource_group=settings.resource_group,
        workspace_name=settings.workspace_name,
    )
    return (
        f"{workspace.origin}/execution/v1.0{scope}/experiments/{experiment_name}"
        f"/runId/{run_id}/cancel"
    )


def _check(configuration: dict[str, Any], kind: str, node_count: int) -> None:
    framework = str(configuration.get("framework") or "Python")
    if framework.lower() not in _FRAMEWORKS:
        raise NotImplementedHere(
            f"The framework '{framework}' is not offered by the local workspace: it runs Python "
            "scripts and commands."
        )
    if kind == "local" and node_count > 1:
        raise BadRequest("A run with compute_target='local' has one node.")


def _check_compute(session: Session, name: str, node_count: int) -> str:
    row = find_compute(session, name)
    if row is None:
        raise NotFound(
            f"The compute target '{name}' does not exist in this workspace. Create it first, or "
            "use compute_target='local'.",
            code="ComputeNotFound",
        )
    if node_count > row.max_nodes:
        raise BadRequest(
            f"The run asks for {node_count} nodes, and the compute target '{row.name}' has at most "
            f"{row.max_nodes}."
        )
    return row.name
