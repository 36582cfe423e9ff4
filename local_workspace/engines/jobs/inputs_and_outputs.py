"""The data of a job: which datasets it reads, where its outputs go, what it is told of them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from local_workspace.errors import ServiceError
from local_workspace.services import dataset, datastore
from local_workspace.services.execution import Job
from local_workspace.workspace import LocalWorkspace

# How the SDK writes a data reference, and often a dataset input of an older script, in arguments.
_REFERENCE = "AZUREML_DATAREFERENCE_"
_ON_A_DATASTORE = re.compile(r"^azureml://.*/datastores/(?P<datastore>[^/]+)/paths/(?P<path>.+)$")


@dataclass
class JobData:
    """What a process of a job gets to know: documents for the driver, variables, arguments."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)


def placeholders(arguments: dict[str, str], variables: dict[str, str]) -> dict[str, str]:
    """What stands for data in the arguments of a job, with what it becomes.

    These are `arguments` themselves (DatasetConsumptionConfig:name and the like), and the variables
    of data references as the SDK writes them ($AZUREML_DATAREFERENCE_name), with or without braces.
    """
    references = {
        text: value
        for name, value in variables.items()
        if name.startswith(_REFERENCE)
        for text in (f"${name}", f"${{{name}}}")
    }
    return {**arguments, **references}


def fill_in(text: str, replaced: dict[str, str]) -> str:
    """`text` with the `placeholders` in it replaced; a longer name is another one."""
    if not replaced:
        return text
    longest_first = sorted(replaced, key=len, reverse=True)
    pattern = "|".join(
        re.escape(one) + ("" if one.endswith("}") else r"(?![A-Za-z0-9_])") for one in longest_first
    )
    return re.sub(pattern, lambda match: replaced[match[0]], text)


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


def describe_inputs(workspace: LocalWorkspace, job: Job, folder: Path) -> JobData:
    """The dataset inputs of a process; data goes below `folder`."""
    found = JobData()
    kinds = []
    is_shared = job.layout.processes > 1
    for one in job.inputs:
        value = one.dataset_id
        if one.mechanism != "direct":
            path = one.path_on_compute or str(folder / "inputs" / one.name)
            found.documents.append(
                {
                    "name": one.name,
                    "dataset": one.dataset_id,
                    "mechanism": one.mechanism,
                    "path": path,
                    "given": bool(one.path_on_compute),
                    "shared": is_shared and bool(one.path_on_compute),
                }
            )
            # As on Azure the path of a dataset of one file is that of the file.
            file = single_file(workspace, one.dataset_id)
            value = f"{path.rstrip('/')}/{file}" if file else path
            found.variables[f"AZUREML_DATAREFERENCE_{one.name}"] = value
        found.variables[one.variable] = value
        found.arguments[f"DatasetConsumptionConfig:{one.name}"] = value
        kinds.append(f"{one.variable}:{one.mechanism.capitalize()}")
    if kinds:
        found.variables["AZUREML_DATASET_ENVIRONMENT_VARS"] = ",".join(kinds)
    return found


def describe_outputs(job: Job, folder: Path) -> JobData:
    """The dataset outputs of a process; they are written below `folder`."""
    found = JobData()
    for one in job.outputs:
        relative = one.relative_path.replace("{run-id}", job.run_id)
        path = one.path_on_compute or str(folder / "outputs" / one.name)
        found.documents.append(
            {
                "name": one.name,
                "path": path,
                "datastore": one.datastore,
                "relative_path": relative.replace("{output-name}", one.name).strip("/"),
                "mechanism": one.mechanism,
                "overwrite": one.overwrites,
                "globs": list(one.globs) if one.globs else None,
                "registration": asdict(one.registration),
            }
        )
        found.variables[one.name] = path
        found.variables[f"AZUREML_DATAREFERENCE_{one.name}"] = path
        found.arguments[f"DatasetOutputConfig:{one.name}"] = path
    if found.documents:
        found.variables["AZUREML_DATASET_FILE_OUTPUTS"] = ";".join(
            document["name"] for document in found.documents
        )
    return found
