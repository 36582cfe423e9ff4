"""Pipelines in the words of the SDK's client (`azureml.pipeline.core`), which are PascalCase."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from local_workspace.clock import iso
from local_workspace.errors import NotFound
from local_workspace.http import WORKSPACE_SCOPE
from local_workspace.services import dataset
from local_workspace.store.tables.pipelines import (
    PipelineDataSourceRow,
    PipelineEndpointRow,
    PipelineGraphRow,
    PipelineModuleRow,
    PipelineRunRow,
    PublishedPipelineRow,
    ScheduleRow,
)
from local_workspace.store.tables.run_history import RunRow
from local_workspace.workspace import LocalWorkspace

# What there is for ports; the client makes those that it misses.
DATA_TYPES = (
    "AnyFile",
    "AnyDirectory",
    "AzureBlobReference",
    "AzureDataLakeReference",
    "AzureFilesReference",
    "AzureSqlDatabaseReference",
    "AzurePostgresDatabaseReference",
    "AzureDataLakeGen2Reference",
    "AzureMLDataset",
    "AzureMySqlDatabaseReference",
    "DBFSReference",
)
# The service has words of its own for the states of run history; others are the same.
_PIPELINE_STATUS = {
    "NotStarted": "NotStarted",
    "Completed": "Finished",
    "Failed": "Failed",
    "Canceled": "Canceled",
}
_STEP_STATUS = {
    **_PIPELINE_STATUS,
    "Preparing": "Queued",
    "Provisioning": "Queued",
    "Starting": "Queued",
    "Queued": "Queued",
}


def base_url(workspace: LocalWorkspace) -> str:
    """Where this service is."""
    settings = workspace.settings
    scope = WORKSPACE_SCOPE.format(
        subscription_id=settings.subscription_id,
        resource_group=settings.resource_group,
        workspace_name=settings.workspace_name,
    )
    return f"{workspace.origin}/pipelines/v1.0{scope}"


def data_types() -> list[dict[str, Any]]:
    """The data types of ports."""
    return [
        {"Id": name, "Name": name, "IsDirectory": name == "AnyDirectory"} for name in DATA_TYPES
    ]


def module_dto(row: PipelineModuleRow) -> dict[str, Any]:
    """A module; `Interface` says in short what its StructuredInterface says."""
    document = row.document
    interface = document["StructuredInterface"]
    return {
        "Data": {
            "Id": row.id,
            "UploadState": "Completed",
            "EntityStatus": "Active",
            "CreatedDate": iso(row.created),
            "LastModifiedDate": iso(row.created),
            **{
                name: document.get(name)
                for name in (
                    "Name",
                    "Description",
                    "IsDeterministic",
                    "ModuleExecutionType",
                    "ModuleType",
                    "StepType",
                    "Runconfig",
                    "CloudSettings",
                    "IdentifierHash",
                    "StructuredInterface",
                )
            },
        },
        "Interface": {
            "Parameters": _parameters(interface.get("Parameters")),
            "MetadataParameters": _parameters(interface.get("MetadataParameters")),
            "Ports": {
                "Inputs": [
                    {
                        "Name": one["Name"],
                        "Label": one.get("Label"),
                        "DataTypesIds": one.get("DataTypeIdsList") or [],
                        "IsOptional": bool(one.get("IsOptional")),
                    }
                    for one in interface.get("Inputs") or []
                ],
                "Outputs": [
                    {
                        "Name": one["Name"],
                        "Label": one.get("Label"),
                        "DataTypeId": one.get("DataTypeId"),
                    }
                    for one in interface.get("Outputs") or []
                ],
            },
        },
    }


def _parameters(given: Any) -> list[dict[str, Any]]:
    return [
        {"Name": one["Name"], "DefaultValue": one.get("DefaultValue"), "IsOptional": True}
        for one in given or []
    ]


def data_source_dto(row: PipelineDataSourceRow) -> dict[str, Any]:
    """A path in a datastore that is the input of graphs."""
    return {
        "Id": row.id,
        "Name": row.name,
        "DataTypeId": row.data_type_id,
        "DataLocation": data_location(row.datastore, row.path),
        "IdentifierHash": row.identifier_hash,
        "CreatedDate": iso(row.created),
        "EntityStatus": "Active",
    }


def data_location(datastore: str, path: str) -> dict[str, Any]:
    """A path in a blob datastore."""
    return {
        "DataReference": {
            "Type": "AzureBlob",
            "AzureBlobReference": {"RelativePath": path, "AmlDataStoreName": datastore},
        }
    }


def graph_dto(session: Session, row: PipelineGraphRow) -> dict[str, Any]:
    """A graph as it was sent, with the names of registered datasets.

    Without a name the client takes a way to a dataset that the SDK has not had for years.
    """
    graph = copy.deepcopy(row.graph)
    for node in graph.get("DatasetNodes") or []:
        value = (node.get("DataSetDefinition") or {}).get("Value") or {}
        reference = value.get("DataSetReference")
        if reference and reference.get("Id") and not reference.get("Name"):
            try:
                reference["Name"] = dataset.get_dataset(session, reference["Id"]).name
            except NotFound:
                # It was unregistered: the client says so when it asks for it.
                continue
    return {**graph, "Id": row.id}


def interface_dto(row: PipelineGraphRow) -> dict[str, Any]:
    """The parameters of a graph."""
    return {
        "Ports": {"Inputs": [], "Outputs": []},
        "MetadataParameters": [],
        "Parameters": [],
        "DataPathParameters": [],
        "DataPathParameterList": [],
        **{name: value for name, value in row.interface.items() if value is not None},
    }


def run_dto(row: PipelineRunRow, run: RunRow | None) -> dict[str, Any]:
    """A run of a pipeline; `run` is what run history says of it, once it is submitted."""
    return {
        "Id": row.run_id,
        "Description": row.description,
        "GraphId": row.graph_id,
        "IsSubmitted": run is not None,
        "UploadState": "Completed",
        "EntityStatus": "Active",
        "Status": {
            "StatusCode": pipeline_status(run),
            "StartTime": iso(run.start_time) if run else None,
            "EndTime": iso(run.end_time) if run else None,
            "CreationTime": iso(row.created),
        },
        "RunHistoryExperimentName": row.experiment_name,
        "PipelineId": row.pipeline_id,
        "ScheduleId": row.schedule_id,
        "RunSource": row.source,
        "ParameterAssignments": assignments(row.parameters, row.data_paths),
        "DataSetDefinitionValueAssignments": dataset_assignments(row.datasets),
        "CreatedDate": iso(row.created),
        "LastModifiedDate": iso(row.created),
    }


def assignments(parameters: Mapping[str, str], data_paths: Mapping[str, Any]) -> dict[str, str]:
    """All parameters with their values: the client looks up each, paths in datastores too."""
    paths = {name: f"{one['datastore']}/{one['path']}" for name, one in data_paths.items()}
    return {**parameters, **paths}


def dataset_assignments(datasets: Mapping[str, str]) -> dict[str, Any]:
    """The datasets of parameters."""
    return {name: {"SavedDataSetReference": {"Id": saved}} for name, saved in datasets.items()}


def pipeline_status(run: RunRow | None) -> str:
    """The state of a pipeline run in the words of this service."""
    return _PIPELINE_STATUS.get(run.status, "Running") if run else "NotStarted"


def step_status(run: RunRow | None) -> str:
    """The state of a step in the words of this service."""
    return _STEP_STATUS.get(run.status, "Running") if run else "NotStarted"


def task_status(run: RunRow | None) -> dict[str, Any]:
    """How far a step is."""
    return {
        "StatusCode": step_status(run),
        "RunId": run.run_id if run else None,
        "StartTime": iso(run.start_time) if run else None,
        "EndTime": iso(run.end_time) if run else None,
        "CreationTime": iso(run.created) if run else None,
    }


def published_dto(workspace: LocalWorkspace, row: PublishedPipelineRow) -> dict[str, Any]:
    """A published pipeline; its `Url` is the address of its runs."""
    return {
        "Id": row.id,
        "Name": row.name,
        "Description": row.description,
        "Version": row.version,
        "GraphId": row.graph_id,
        "EntityStatus": "Active" if row.is_active else "Disabled",
        "Url": f"{base_url(workspace)}/PipelineRuns/PipelineSubmit/{row.id}",
        "ContinueRunOnStepFailure": row.continues_on_failure,
        "ParameterAssignments": assignments(row.parameters, row.data_paths),
        "DataSetDefinitionValueAssignments": dataset_assignments(row.datasets),
        "CreatedDate": iso(row.created),
        "LastModifiedDate": iso(row.created),
    }


def endpoint_dto(workspace: LocalWorkspace, row: PipelineEndpointRow) -> dict[str, Any]:
    """A pipeline endpoint; its `Url` stays the same for all versions."""
    return {
        "Id": row.id,
        "Name": row.name,
        "Description": row.description,
        "DefaultVersion": row.default_version,
        "PipelineVersionList": [
            {"Version": version, "PipelineId": pipeline_id} for version, pipeline_id in row.versions
        ],
        "EntityStatus": "Active" if row.is_active else "Disabled",
        "Url": f"{base_url(workspace)}/PipelineRuns/PipelineEndpointSubmit/Id/{row.id}",
        "CreatedDate": iso(row.created),
        "LastModifiedDate": iso(row.created),
    }


def schedule_dto(row: ScheduleRow) -> dict[str, Any]:
    """A schedule."""
    return {
        "Id": row.id,
        "Name": row.name,
        "PipelineId": row.pipeline_id,
        "PipelineEndpointId": row.endpoint_id,
        "PipelineSubmissionInfo": row.submission,
        "Recurrence": row.recurrence,
        "DataStoreTriggerInfo": row.trigger,
        "ScheduleType": row.kind,
        "ProvisioningStatus": "Completed",
        "EntityStatus": "Active" if row.is_active else "Disabled",
        "CreatedDate": iso(row.created),
        "LastModifiedDate": iso(row.created),
    }
