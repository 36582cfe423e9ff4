"""Runs as they look on the wire."""

from __future__ import annotations

from typing import Any

from local_workspace.clock import iso
from local_workspace.identity.tokens import Principal
from local_workspace.settings import Settings
from local_workspace.store.tables.run_history import ExperimentRow, RunRow


def user_dto(settings: Settings, principal: Principal) -> dict[str, Any]:
    """Who made a run."""
    return {
        "userObjectId": principal.object_id,
        "userPuId": None,
        "userIdp": None,
        "userAltSecId": None,
        "userIss": None,
        "userTenantId": settings.tenant_id,
        "userName": principal.name,
        "upn": None,
    }


def run_dto(row: RunRow) -> dict[str, Any]:
    """`row` as the SDK's RunDto."""
    return {
        "runNumber": row.number,
        "rootRunId": row.root_run_id,
        "createdUtc": iso(row.created),
        "createdBy": row.created_by,
        "userId": (row.created_by or {}).get("userObjectId"),
        "error": row.error,
        "warnings": row.warnings or None,
        "runUuid": row.run_id,
        "parentRunUuid": row.parent_run_id,
        "rootRunUuid": row.root_run_id,
        "lastModifiedUtc": iso(row.last_modified),
        "runId": row.run_id,
        "parentRunId": row.parent_run_id,
        "experimentId": row.experiment_id,
        "status": row.status,
        "startTimeUtc": iso(row.start_time),
        "endTimeUtc": iso(row.end_time),
        "heartbeatEnabled": row.heartbeat_enabled,
        "options": row.options,
        "name": row.name,
        "displayName": row.display_name,
        "dataContainerId": row.data_container_id,
        "description": row.description,
        "hidden": row.hidden,
        "runType": row.run_type,
        "runTypeV2": {"orchestrator": row.orchestrator, "traits": list(row.traits)},
        "properties": row.properties,
        "parameters": row.params,
        "scriptName": row.script_name,
        "target": row.target,
        "tags": row.tags,
        "inputDatasets": row.input_datasets,
        "outputDatasets": row.output_datasets,
        "runDefinition": row.run_definition,
        "primaryMetricName": row.primary_metric_name,
        "createdFrom": row.created_from,
        "cancelUri": row.cancel_uri,
        "diagnosticsUri": row.diagnostics_uri,
        "queueingInfo": row.queueing_info,
    }


def _as_the_client_looks(row: RunRow, log_files: dict[str, str]) -> dict[str, str]:
    """The logs of a run; that of a step is there by its old name, too.

    `StepRun.wait_for_completion(show_output=True)` follows logs in `azureml-logs/` alone, where
    Azure had them before `user_logs/`.
    """
    log = log_files.get("user_logs/std_log.txt")
    if row.run_type != "azureml.StepRun" or log is None:
        return log_files
    return {**log_files, "azureml-logs/70_driver_log.txt": log}


def run_details_dto(row: RunRow, log_files: dict[str, str]) -> dict[str, Any]:
    """`row` as the SDK's RunDetailsDto; `log_files` are addresses by path."""
    return {
        "runId": row.run_id,
        "runUuid": row.run_id,
        "parentRunUuid": row.parent_run_id,
        "rootRunUuid": row.root_run_id,
        "target": row.target,
        "status": row.status,
        "parentRunId": row.parent_run_id,
        "createdTimeUtc": iso(row.created),
        "startTimeUtc": iso(row.start_time),
        "endTimeUtc": iso(row.end_time),
        "error": row.error,
        "warnings": row.warnings or None,
        "tags": row.tags,
        "properties": row.properties,
        "parameters": row.params,
        "services": row.services,
        "inputDatasets": row.input_datasets,
        "outputDatasets": row.output_datasets,
        "runDefinition": row.run_definition,
        "logFiles": _as_the_client_looks(row, log_files),
        "runTypeV2": {"orchestrator": row.orchestrator, "traits": list(row.traits)},
        "submittedBy": (row.created_by or {}).get("userName"),
    }


def experiment_dto(row: ExperimentRow) -> dict[str, Any]:
    """`row` on the wire."""
    return {
        "experimentId": row.experiment_id,
        "name": row.name,
        "description": row.description,
        "createdUtc": iso(row.created),
        "archivedTime": iso(row.archived),
        "tags": row.tags,
        "artifactLocation": None,
        "latestRunUpdateTime": None,
        "latestCreatedRunCreatedUtc": None,
    }
