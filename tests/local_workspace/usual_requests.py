"""What is usual: the bodies that clients send to each route and operation."""

from __future__ import annotations

import json
from typing import Any

NO_SNAPSHOT = "00000000-0000-0000-0000-000000000000"
_TIME = "2026-01-31T10:00:00Z"
_STEPS = json.dumps({"meta": {"RsDataflow": "type: mltable\npaths: []\ntransformations: []\n"}})
_ARTIFACTS = {"paths": [{"path": "outputs/new.txt"}]}
_EVENT = {"name": "Microsoft.MachineLearning.Run.Start", "data": {"RunId": "r", "StartTime": _TIME}}
_QUERY = {
    "filter": "RunId ne x",
    "orderby": "RunId",
    "top": 5,
    "continuationToken": None,
    "viewType": "All",
}
_RUN = {
    "runId": "r",
    "parentRunId": None,
    "name": "n",
    "displayName": "d",
    "description": "about",
    "hidden": False,
    "tags": {"stage": "new"},
    "properties": {},
    "runTypeV2": {"orchestrator": "o", "traits": ["t"]},
    "runDefinition": {"script": "s.py"},
    "options": {},
    "createdFrom": {},
    "queueingInfo": {},
    "dataContainerId": "dcid.r",
    "inputDatasets": [{"identifier": {"savedId": "x"}}],
    "outputDatasets": [],
    "startTimeUtc": _TIME,
    "status": "NotStarted",
}
_COMPUTE = {
    "location": "local",
    "tags": {"a": "b"},
    "identity": {"type": "SystemAssigned", "userAssignedIdentities": {"x": {}}},
    "properties": {
        "computeType": "AmlCompute",
        "computeLocation": "local",
        "description": "about",
        "properties": {
            "vmSize": "STANDARD_DS2_V2",
            "vmPriority": "dedicated",
            "subnet": {"id": "x"},
            "enableNodePublicIp": True,
            "userAccountCredentials": {"adminUserName": "a", "adminUserPassword": "b"},
            "scaleSettings": {
                "minNodeCount": 0,
                "maxNodeCount": 1,
                "nodeIdleTimeBeforeScaleDown": "PT120S",
            },
        },
    },
}
_JOB = {
    "Configuration": {
        "script": "s.py",
        "arguments": ["--x", 1],
        "target": "no-such-cluster",
        "framework": "Python",
        "communicator": "OpenMpi",
        "nodeCount": 1,
        "mpi": {"processCountPerNode": 1, "nodeCount": 1},
        "maxRunDurationSeconds": 5,
        "environment": {
            "name": "e",
            "version": "1",
            "python": {"userManagedDependencies": True, "condaDependencies": {"dependencies": []}},
            "environmentVariables": {"A": "b"},
            "docker": {"enabled": False},
        },
        "environmentVariables": {"A": "b"},
        "history": {"outputCollection": True, "directoriesToWatch": ["logs"]},
        "data": {
            "d": {
                "mechanism": "direct",
                "environmentVariableName": "d",
                "pathOnCompute": "p",
                "dataLocation": {"dataset": {"id": "x", "name": "n", "version": "1"}},
            }
        },
        "outputData": {
            "o": {
                "mechanism": "mount",
                "outputLocation": {"dataPath": {"relativePath": "p", "datastoreName": "x"}},
                "additionalOptions": {
                    "pathOnCompute": "p",
                    "uploadOptions": {"overwrite": True, "sourceGlobs": {"patterns": ["*"]}},
                    "registrationOptions": {"name": "n", "tags": {"a": "b"}},
                },
            }
        },
    },
    "SnapshotId": NO_SNAPSHOT,
    "ParentRunId": None,
}
_ENVIRONMENT = {
    "python": {"userManagedDependencies": True, "condaDependencies": {"dependencies": ["pip"]}},
    "environmentVariables": {"A": "b"},
    "docker": {"enabled": False},
    "spark": {"packages": []},
    "inferencingStackVersion": "latest",
}
_DATASTORE = {
    "name": "made_here",
    "dataStoreType": "AzureBlob",
    "tags": {"a": "b"},
    "azureStorageSection": {
        "accountName": "elsewhere",
        "containerName": "container",
        "endpoint": "core.windows.net",
        "protocol": "https",
        "credentialType": "AccountKey",
        "credential": "a2V5",
        "subscriptionId": "s",
        "resourceGroup": "g",
        "blobCacheTimeout": 5,
    },
}
_DATASET = {
    "name": "d",
    "datasetType": "file",
    "description": "about",
    "tags": {"a": "b"},
    "isVisible": True,
    "latest": {"dataflow": _STEPS, "properties": {}, "savedDatasetId": None, "versionId": "1"},
}
_ASSET = {
    "name": "m",
    "artifacts": [{"prefix": "ExperimentRun/dcid.r/outputs"}],
    "runid": "r",
    "kvTags": {"a": "b"},
    "properties": {"a": "b"},
    "meta": {"a": "b"},
}
_MODEL = {
    "name": "m",
    "url": "aml://asset/{asset_id}",
    "description": "about",
    "mimeType": "application/json",
    "kvTags": {"a": "b"},
    "properties": {"a": "b"},
    "runId": "r",
    "experimentName": "e",
    "framework": "Custom",
    "frameworkVersion": "1",
    "unpack": False,
    "datasets": [{"name": "training", "id": "x"}],
    "sampleInputData": "x",
    "resourceRequirements": {"cpu": 1},
}
_PATCHES = [
    {"op": "replace", "path": "/kvTags", "value": {"a": "b"}},
    {"op": "replace", "path": "/description", "value": "about"},
    {"op": "add", "path": "/datasets", "value": [{"name": "n", "id": "x"}]},
]
_METRICS = {
    "values": [
        {
            "name": "m",
            "columns": {"m": "double"},
            "properties": {"uxMetricType": "azureml.v1.scalar"},
            "value": [{"metricId": None, "createdUtc": _TIME, "step": 1, "data": {"m": 1.0}}],
        }
    ]
}
_SNAPSHOT = {
    "ParentSnapshotId": NO_SNAPSHOT,
    "Properties": {"a": "b"},
    "DirTreeNode": {
        "name": "",
        "type": "Directory",
        "children": {"f": {"name": "f", "type": "Directory", "children": []}},
    },
    "FileRevisionList": {"FileNodes": [{"FullName": "f", "BlobUri": "https://x/snapshots/a/b"}]},
}

# The usual body of each route that takes one, by method and the end of its path.
_MODULE = {
    "Name": "m",
    "Description": "about",
    "IsDeterministic": True,
    "ModuleExecutionType": "escloud",
    "StepType": "PythonScriptStep",
    "IdentifierHash": "h",
    "StorageId": NO_SNAPSHOT,
    "Runconfig": "{}",
    "StructuredInterface": {
        "Inputs": [
            {
                "Name": "in",
                "DataTypeIdsList": ["AnyFile"],
                "DataStoreMode": "mount",
                "IsOptional": True,
                "PathOnCompute": "x",
                "DataReferenceName": "in",
            }
        ],
        "Outputs": [{"Name": "out", "DataTypeId": "AnyFile", "DataStoreName": "made_here"}],
        "Parameters": [{"Name": "p", "DefaultValue": "1", "SetEnvironmentVariable": True}],
        "MetadataParameters": [{"Name": "Target", "DefaultValue": "cc"}],
        "Arguments": [{"ValueType": "Parameter", "Value": "p"}],
    },
}
_ASSIGNMENTS = {
    "ParameterAssignments": {"rate": "2"},
    "DataPathAssignments": {"folder": {"DataStoreName": "made_here", "RelativePath": "a"}},
    "DataSetDefinitionValueAssignments": {},
}
_PIPELINE = {
    "Graph": {
        "ModuleNodes": [
            {
                "Id": "n",
                "ModuleId": "{module_id}",
                "RegenerateOutput": False,
                "Runconfig": "{}",
                "ModuleParameters": [{"Name": "p", "Value": "rate", "ValueType": "1"}],
                "ModuleMetadataParameters": [{"Name": "Script", "Value": "s.py"}],
                "ModuleInputSettings": [{"Name": "in", "DataStoreMode": "mount"}],
                "ModuleOutputSettings": [
                    {
                        "Name": "out",
                        "DatasetOutputOptions": {
                            "PathOnDatastore": "a",
                            "SourceGlobs": {"GlobPatterns": ["*"]},
                        },
                        "DatasetRegistration": {"Name": "d", "Tags": {"a": "b"}},
                    }
                ],
            }
        ],
        "DatasetNodes": [{"Id": "d", "DataPathParameterName": "folder"}],
        "Edges": [
            {
                "SourceOutputPort": {"NodeId": "d", "PortName": "data"},
                "DestinationInputPort": {"NodeId": "n", "PortName": "in"},
            },
            {
                "SourceOutputPort": {"NodeId": "n", "PortName": "out"},
                "DestinationInputPort": {"GraphPortName": "all"},
            },
        ],
    },
    "GraphInterface": {
        "Parameters": [{"Name": "rate", "DefaultValue": "1", "Type": "0"}],
        "DataPathParameters": [
            {"Name": "folder", "DefaultValue": _ASSIGNMENTS["DataPathAssignments"]["folder"]}
        ],
        "DataPathParameterList": [],
    },
}
_SUBMISSION = {
    "ExperimentName": "e",
    "Description": "about",
    "RunSource": "SDK",
    "Tags": {"a": "b"},
    "ContinueRunOnStepFailure": False,
    **_ASSIGNMENTS,
}
_SCHEDULE = {
    "Name": "s",
    "PipelineId": "{pipeline_id}",
    "PipelineSubmissionInfo": _SUBMISSION,
    "ScheduleType": "0",
    "EntityStatus": "Disabled",
    "Recurrence": {
        "Frequency": "Week",
        "Interval": 1,
        "StartTime": "2090-01-01T00:00:00",
        "TimeZone": "GMT Standard Time",
        "Schedule": {"Hours": [3], "Minutes": [30], "WeekDays": ["Monday"]},
    },
}

BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/Modules"): _MODULE,
    ("POST", "/DataSources"): {
        "Name": "d",
        "DataTypeId": "AnyFile",
        "DataStoreName": "made_here",
        "PathOnDataStore": "a/b",
        "IdentifierHash": "h",
    },
    ("POST", "/PipelineRuns/Unsubmitted/CreationInfoWithGraph"): {
        "CreationInfo": _SUBMISSION,
        **_PIPELINE,
    },
    ("POST", "/Pipelines/Create"): {"Name": "p", "Version": "1", **_SUBMISSION, **_PIPELINE},
    ("PUT", "/Pipelines/{pipeline_id}/status"): "Active",
    ("POST", "/PipelineRuns/PipelineSubmit/{pipeline_id}"): _SUBMISSION,
    ("POST", "/PipelineEndpointSubmit/Id/{endpoint_id}"): _SUBMISSION,
    ("POST", "/PipelineEndpointSubmit/Id/{endpoint_id}/{version}"): _SUBMISSION,
    ("POST", "/PipelineEndpoints/Create"): {
        "Name": "e",
        "Description": "about",
        "PipelineId": "{pipeline_id}",
    },
    ("PUT", "/PipelineEndpoints/{endpoint_id}"): {
        "Name": "e",
        "Description": "about",
        "DefaultVersion": "0",
        "EntityStatus": "Active",
        "PipelineVersionList": [{"Version": "0", "PipelineId": "{pipeline_id}"}],
    },
    ("POST", "/Schedules/Create"): _SCHEDULE,
    ("PUT", "/Schedules/{schedule_id}"): _SCHEDULE,
    ("POST", "/Graph/Node/StatusCode"): ["n"],
    ("POST", "/Graph/Node/Status"): ["n"],
    ("POST", "/PipelineRuns/{run_id}/Outputs"): ["n"],
    ("POST", "/Graph/Shareable/{kind}"): ["n"],
    ("POST", "/datastore/v1.0{WS}/datastores"): _DATASTORE,
    ("PUT", "/datastore/v1.0{WS}/datastores/{name}"): _DATASTORE,
    ("POST", "/dataset/v1.0{WS}/datasets"): _DATASET,
    ("PUT", "/dataset/v1.0{WS}/datasets/{dataset_id}"): _DATASET,
    ("POST", "/dataset/v1.0{WS}/saveddatasets"): {
        "datasetType": "file",
        "dataflowJson": _STEPS,
        "properties": {"a": "b"},
    },
    ("PUT", "{WS}/computes/{name}"): _COMPUTE,
    ("PATCH", "{WS}/computes/{name}"): _COMPUTE,
    ("POST", "/updateQuotas"): {"value": [{"id": "x/standardDSv2Family", "limit": 500}]},
    ("PUT", "/environments/{name}"): _ENVIRONMENT,
    ("PUT", "/environments/{name}/versions/{version}"): _ENVIRONMENT,
    ("PUT", "/versions/{version}/metadata"): {"Labels": ["new"]},
    ("POST", "/experiments:query"): _QUERY,
    ("PATCH", "/experimentids/{experiment_id}"): {
        "name": "e",
        "description": "about",
        "archive": False,
        "tags": {"a": "b"},
    },
    ("POST", "/tags:delete"): {"tags": ["a"]},
    ("POST", "/runs:query"): _QUERY,
    ("PATCH", "/batch/runs"): {"runs": [_RUN]},
    ("POST", "/batch/events"): {"events": [_EVENT]},
    ("PATCH", "/runs/{run_id}"): _RUN,
    ("DELETE", "/runs/{run_id}/tags"): ["a"],
    ("POST", "/runs/{run_id}/events"): _EVENT,
    ("POST", "/artifacts/batch/metadata"): _ARTIFACTS,
    ("POST", "/runs/{run_id}/batch"): _METRICS,
    ("POST", "/runs/{run_id}/full"): {
        "metricName": "m",
        "continuationToken": "0",
        "startTime": _TIME,
        "endTime": _TIME,
    },
    ("POST", "/artifacts/batch/metadata/{origin}/{container}"): _ARTIFACTS,
    ("POST", "/{origin}/{container}/batch/metadata"): _ARTIFACTS,
    ("POST", "/artifacts/metadata"): {"origin": "ExperimentRun", "container": "c", "path": "p"},
    ("POST", "/snapshots/getblob"): {"FileNames": ["a/b.txt"]},
    ("POST", "/snapshots/{snapshot_id}"): _SNAPSHOT,
    ("POST", "/snapshotrun"): _JOB,
    ("POST", "/assets"): _ASSET,
    ("POST", "/models"): _MODEL,
    ("PATCH", "/models/{model_id}"): _PATCHES,
    ("PATCH", "{WS}"): {"tags": {"a": "b"}, "properties": {"description": "about"}},
    ("PUT", "{WS}"): {"location": "local", "properties": {}},
}
