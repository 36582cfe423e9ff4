"""The data of a job: which datasets it reads, where its outputs go, what it is told of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from local_workspace.errors import BadRequest, ServiceError
from local_workspace.services import dataset, datastore
from local_workspace.services.dataset.records import find_dataset, get_registered
from local_workspace.workspace import LocalWorkspace

_PLACEHOLDER = re.compile(r"(DatasetConsumptionConfig|DatasetOutputConfig):([A-Za-z0-9_]+)")
_ON_A_DATASTORE = re.compile(r"^azureml://.*/datastores/(?P<datastore>[^/]+)/paths/(?P<path>.+)$")


@dataclass
class JobData:
    """What a process of a job gets to know: documents for the driver, variables, arguments."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)


def fill_in(text: str, replaced: dict[str, str]) -> str:
    """`text` with the SDK's placeholders for datasets replaced by what stands for them."""
    return _PLACEHOLDER.sub(lambda match: replaced.get(match[0], match[0]), text)


def saved_dataset_id(workspace: LocalWorkspace, name: str, data: dict[str, Any]) -> str:
    """The id of the saved dataset that an input names. Raises BadRequest when there is none."""
    location = (data.get("dataLocation") or {}).get("dataset") or {}
    try:
        with workspace.database.read() as session:
            if location.get("id"):
                return dataset.get_saved(session, location["id"]).saved_id
            if location.get("name"):
                row = find_dataset(session, location["name"])
                version = location.get("version")
                version = None if version in (None, "latest") else str(version)
                return get_registered(session, row, version).saved.saved_id
    except ServiceError as error:
        raise BadRequest(
            f"The input '{name}' of the run is not a dataset of this workspace: {error.message}",
            inner_code="DatasetNotFound",
        ) from error
    raise BadRequest(f"The input '{name}' of the run names no dataset.")


def single_file(workspace: LocalWorkspace, saved_id: str) -> str | None:
    """The name of the file that a file dataset was made of; None for a folder, pattern or list."""
    with workspace.database.read() as session:
        steps = yaml.safe_load(dataset.get_saved(session, saved_id).rs_dataflow)
        paths = steps.get("paths") or []
        if len(paths) != 1 or steps.get("transformations"):
            return None
        (address,) = (str(value) for value in paths[0].values())
        name = address.rsplit("/", 1)[1]
        if any(sign in address for sign in "*?["):
            return None
        if address.startswith(("http://", "https://")):
            return name or None
        match = _ON_A_DATASTORE.search(address)
        if match is None:
            return None
        try:
            store = datastore.get_datastore(session, match["datastore"])
            is_file = workspace.blobs.exists(store.account, store.container, match["path"])
        except ServiceError:
            return None
    return name if is_file else None


def describe_inputs(
    workspace: LocalWorkspace, configuration: dict[str, Any], folder: Path, *, is_shared: bool
) -> JobData:
    """The dataset inputs of a run configuration; data goes below `folder`. Raises BadRequest.

    `is_shared` says that other processes of the job have the same inputs.
    """
    found = JobData()
    kinds = []
    for name, data in (configuration.get("data") or {}).items():
        mechanism = str(data.get("mechanism") or "direct").lower()
        saved_id = saved_dataset_id(workspace, name, data)
        value = saved_id
        variable = data.get("environmentVariableName") or name
        if mechanism in ("mount", "download"):
            path = data.get("pathOnCompute") or str(folder / "inputs" / name)
            found.documents.append(
                {
                    "name": name,
                    "dataset": saved_id,
                    "mechanism": mechanism,
                    "path": path,
                    "given": bool(data.get("pathOnCompute")),
                    "shared": is_shared and bool(data.get("pathOnCompute")),
                }
            )
            # As on Azure the path of a dataset of one file is that of the file.
            file = single_file(workspace, saved_id)
            value = f"{path.rstrip('/')}/{file}" if file else path
            found.variables[f"AZUREML_DATAREFERENCE_{name}"] = value
        elif mechanism != "direct":
            raise BadRequest(
                f"The input '{name}' has the mode '{mechanism}'; the local workspace knows "
                "direct, download and mount."
            )
        found.variables[variable] = value
        found.arguments[f"DatasetConsumptionConfig:{name}"] = value
        kinds.append(f"{variable}:{mechanism.capitalize()}")
    if kinds:
        found.variables["AZUREML_DATASET_ENVIRONMENT_VARS"] = ",".join(kinds)
    return found


def lineage(workspace: LocalWorkspace, configuration: dict[str, Any]) -> list[dict[str, Any]]:
    """The dataset inputs as run history notes them. Raises BadRequest for one that is not there."""
    return [
        {
            "identifier": {
                "savedId": saved_dataset_id(workspace, name, data),
                "registeredId": None,
                "registeredVersion": None,
            },
            "consumptionType": "RunInput",
            "inputDetails": {
                "inputName": name,
                "mechanism": str(data.get("mechanism") or "direct").capitalize(),
                "pathOnCompute": data.get("pathOnCompute"),
            },
        }
        for name, data in (configuration.get("data") or {}).items()
    ]


def describe_outputs(configuration: dict[str, Any], run_id: str, folder: Path) -> JobData:
    """The dataset outputs of a run configuration; they are written below `folder`."""
    found = JobData()
    for name, data in (configuration.get("outputData") or {}).items():
        options = data.get("additionalOptions") or {}
        location = ((data.get("outputLocation") or {}).get("dataPath")) or {}
        relative = location.get("relativePath") or f"dataset/{run_id}/{name}"
        relative = relative.replace("{run-id}", run_id).replace("{output-name}", name)
        path = options.get("pathOnCompute") or str(folder / "outputs" / name)
        upload = options.get("uploadOptions") or {}
        found.documents.append(
            {
                "name": name,
                "path": path,
                "datastore": location.get("datastoreName"),
                "relative_path": relative.strip("/"),
                "mechanism": str(data.get("mechanism") or "mount").lower(),
                "overwrite": bool(upload.get("overwrite")) or data.get("mechanism") != "upload",
                "globs": (upload.get("sourceGlobs") or {}).get("patterns"),
                "registration": options.get("registrationOptions"),
            }
        )
        found.variables[name] = path
        found.variables[f"AZUREML_DATAREFERENCE_{name}"] = path
        found.arguments[f"DatasetOutputConfig:{name}"] = path
    if found.documents:
        found.variables["AZUREML_DATASET_FILE_OUTPUTS"] = ";".join(
            document["name"] for document in found.documents
        )
    return found
