"""Requests that nobody means: what the tests of odd input send, and what is usual beside it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from fastapi.routing import iter_route_contexts

from local_workspace.startup import SERVICES

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

_PAGE = {"filter": "", "max_results": 5, "order_by": [], "page_token": ""}
_TAG = {"key": "k", "value": "v"}
# MLflow's operations and their usual bodies; GET takes them as parameters.
MLFLOW: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "runs/create"): {
        "experiment_id": "{experiment_id}",
        "user_id": "u",
        "start_time": 1,
        "run_name": "n",
        "tags": [_TAG],
    },
    ("POST", "runs/update"): {"run_id": "r", "status": "RUNNING", "end_time": 5, "run_name": "n"},
    ("POST", "runs/log-metric"): {
        "run_id": "r",
        "key": "k",
        "value": 1.5,
        "timestamp": 1,
        "step": 1,
    },
    ("POST", "runs/log-parameter"): {"run_id": "r", "key": "k", "value": "v"},
    ("POST", "runs/set-tag"): {"run_id": "r", **_TAG},
    ("POST", "runs/delete-tag"): {"run_id": "r", "key": "k"},
    ("POST", "runs/log-batch"): {
        "run_id": "r",
        "metrics": [{"key": "k", "value": 1.0, "timestamp": 1, "step": 1}],
        "params": [{"key": "k", "value": "v"}],
        "tags": [_TAG],
    },
    ("POST", "runs/log-model"): {"run_id": "r", "model_json": '{"run_id": "r"}'},
    ("POST", "runs/log-inputs"): {
        "run_id": "r",
        "datasets": [
            {
                "tags": [_TAG],
                "dataset": {"name": "n", "digest": "d", "source_type": "t", "source": "s"},
            }
        ],
    },
    ("POST", "runs/search"): {"experiment_ids": ["{experiment_id}"], **_PAGE},
    ("GET", "runs/get"): {"run_id": "r"},
    ("POST", "runs/restore"): {"run_id": "r"},
    ("POST", "experiments/create"): {"name": "made", "artifact_location": "", "tags": [_TAG]},
    ("POST", "experiments/search"): {"view_type": "ALL", **_PAGE},
    ("GET", "experiments/search"): {"view_type": "ALL", **_PAGE},
    ("GET", "experiments/get"): {"experiment_id": "{experiment_id}"},
    ("GET", "experiments/get-by-name"): {"experiment_name": "e"},
    ("POST", "experiments/set-experiment-tag"): {"experiment_id": "{experiment_id}", **_TAG},
    ("POST", "experiments/update"): {"experiment_id": "{experiment_id}", "new_name": "e"},
    ("GET", "metrics/get-history"): {
        "run_id": "r",
        "metric_key": "m",
        "max_results": 5,
        "page_token": "",
    },
    ("GET", "artifacts/list"): {"run_id": "r", "path": "outputs"},
    ("POST", "registered-models/create"): {"name": "q", "tags": [_TAG], "description": "about"},
    ("PATCH", "registered-models/update"): {"name": "m", "description": "about"},
    ("POST", "registered-models/rename"): {"name": "m", "new_name": "m"},
    ("GET", "registered-models/get"): {"name": "m"},
    ("GET", "registered-models/search"): _PAGE,
    ("POST", "registered-models/get-latest-versions"): {"name": "m", "stages": ["None"]},
    ("POST", "registered-models/set-tag"): {"name": "m", **_TAG},
    ("DELETE", "registered-models/delete-tag"): {"name": "m", "key": "k"},
    ("POST", "registered-models/alias"): {"name": "m", "alias": "a", "version": "1"},
    ("GET", "registered-models/alias"): {"name": "m", "alias": "a"},
    ("POST", "model-versions/create"): {
        "name": "m",
        "source": "runs:/r/outputs",
        "run_id": "r",
        "tags": [_TAG],
        "description": "about",
    },
    ("GET", "model-versions/get"): {"name": "m", "version": "1"},
    ("PATCH", "model-versions/update"): {"name": "m", "version": "1", "description": "about"},
    ("GET", "model-versions/search"): _PAGE,
    ("GET", "model-versions/get-download-uri"): {"name": "m", "version": "1"},
    ("POST", "model-versions/transition-stage"): {
        "name": "m",
        "version": "1",
        "stage": "Staging",
        "archive_existing_versions": True,
    },
    ("POST", "model-versions/set-tag"): {"name": "m", "version": "1", **_TAG},
    ("DELETE", "model-versions/delete-tag"): {"name": "m", "version": "1", "key": "k"},
}

# In the place of any part of a body.
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**63,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "²",
    "a\0b",
    "\ud800",
    "x" * 5000,
    "9" * 5000,
    "0001-01-01T00:00:00+23:00",
    [],
    [5],
    [None],
    [[]],
    [{}],
    {},
    {"a": 5},
    {"a": {"a": []}},
    {"x" * 5000: "y"},
)
# In the place of the whole body, byte by byte.
ODD_BODIES: tuple[bytes, ...] = (
    b"",
    b"{",
    b"nothing",
    b"\xff\xfe\x00",
    b"\x00",
    b'{"a": "\xed\xa0\x80"}',
    b'{"a": NaN, "b": -Infinity}',
    b"[" * 5000 + b"]" * 5000,
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b'{"filter":' * 300 + b"1" + b"}" * 300,
    b'{"a": ' + b"9" * 10_000 + b"}",
    *(json.dumps(value).encode() for value in ODD_VALUES),
)
# In the place of a parameter, or of a part of a path; percent-encoded already.
ODD_TEXTS: tuple[str, ...] = (
    "x",
    "-1",
    "0",
    "%C2%B2",
    "%00",
    "a%00b",
    "%FF%FE",
    "%ED%A0%80",
    "%0A",
    "9" * 30,
    "9" * 5000,
    "x" * 300,
    "x" * 5000,
    "%27",
    "W10%3D",
    "eyJvZmZzZXQiOiBudWxsfQ%3D%3D",
    "bnVsbA%3D%3D",
    "Tags%2Fa%20eq%20null",
    "RunNumber%20eq%20" + "9" * 30,
    "%F0%9F%98%80",
    "..%2F..",
    "%2E%2E",
    "a%2Fb",
    "a" + "%2Fa" * 400,
)

_WS = (
    "/subscriptions/{subscription_id}/resourceGroups/{resource_group}"
    "/providers/Microsoft.MachineLearningServices/workspaces/{workspace_name}"
)


def routes() -> list[tuple[str, str, list[str]]]:
    """Method, path and parameters of all routes; those that delete come last."""
    found = []
    for service in SERVICES:
        for context in iter_route_contexts(service.router.routes if service.router else ()):
            names = _parameters(context.route.dependant)
            path = context.path.replace(_WS, "{WS}")
            found += [(method, path, sorted(names)) for method in sorted(context.methods)]
    return sorted(found, key=lambda one: one[0] == "DELETE")


def _parameters(dependant: Any) -> set[str]:
    names = {parameter.alias for parameter in dependant.query_params}
    for inner in dependant.dependencies:
        names |= _parameters(inner)
    return names


def usual_body(method: str, path: str) -> Any:
    """The usual body of a route; None when it takes none."""
    ends = [end for kind, end in BODIES if kind == method and path.endswith(end)]
    return BODIES[method, max(ends, key=len)] if ends else None


def bodies_with_one_odd_part(usual: Any) -> Iterator[tuple[str, Any]]:
    """Each part of `usual` in turn replaced by each of ODD_VALUES: (which, the body)."""
    for place in _places(usual, ()):
        for value in ODD_VALUES:
            body = copy.deepcopy(usual)
            part = body
            for key in place[:-1]:
                part = part[key]
            part[place[-1]] = value
            yield f"{'.'.join(map(str, place))} = {value!r:.40}", body


def _places(value: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in items:
        yield (*place, key)
        yield from _places(item, (*place, key))
