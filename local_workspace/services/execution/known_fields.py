"""The fields of a run configuration: what is not understood is refused, never ignored."""

from __future__ import annotations

import difflib
from typing import Any

from local_workspace.errors import BadRequest, NotImplementedHere

_DATASET = {"id": None, "name": None, "version": None}
_LOCATION = {
    "dataset": _DATASET,
    "dataPath": {"datastoreName": None, "relativePath": None},
    "uri": {"path": None, "isFile": None},
}
_REFERENCE = {
    "dataStoreName": None,
    "pathOnDataStore": None,
    "mode": None,
    "overwrite": None,
    "pathOnCompute": None,
}
_DATA = {
    "dataLocation": _LOCATION,
    "createOutputDirectories": None,
    "mechanism": None,
    "environmentVariableName": None,
    "pathOnCompute": None,
    "overwrite": None,
    "options": None,
}
_OUTPUT = {
    "outputLocation": _LOCATION,
    "mechanism": None,
    "additionalOptions": {
        "pathOnCompute": None,
        "registrationOptions": {
            "name": None,
            "description": None,
            "tags": None,
            "datasetRegistrationOptions": {"additionalTransformation": None},
        },
        "uploadOptions": {"overwrite": None, "sourceGlobs": {"patterns": None}},
        "mountOptions": {"disableMetadataCache": None},
    },
}
# What a field may have in it: None for anything (it is read elsewhere, or has no meaning for the
# kinds of runs that there are here), or the fields of an object. "*" stands for any name.
_FIELDS: dict[str, Any] = {
    "script": None,
    "command": None,
    "arguments": None,
    "target": None,
    "framework": None,
    "communicator": None,
    "maxRunDurationSeconds": None,
    "nodeCount": None,
    "environment": None,
    "environmentVariables": None,
    "history": {"outputCollection": None, "snapshotProject": None, "directoriesToWatch": None},
    "docker": {"useDocker": None, "sharedVolumes": None, "arguments": None, "shmSize": None},
    "mpi": {"processCountPerNode": None, "nodeCount": None},
    "pytorch": {"communicationBackend": None, "processCount": None, "nodeCount": None},
    "tensorflow": {"workerCount": None, "parameterServerCount": None},
    "dataReferences": {"*": _REFERENCE},
    "data": {"*": _DATA},
    "outputData": {"*": _OUTPUT},
    # For PySpark, HDInsight, the communicator ParallelTask, target="amlcompute" and Kubernetes
    # only. The SDK sends them with every run, and Azure looks at them for those only, too.
    "spark": None,
    "hdi": None,
    "paralleltask": None,
    "amlcompute": None,
    "kubernetescompute": None,
}
# What Azure has and the local workspace has not. The SDK sends them empty with every run.
_NOT_OFFERED = {
    "priority": "the jobs of a cluster run in the order in which they were submitted",
    "datacaches": "there are no data caches",
    "sourceDirectoryDataStore": "a run has its files in a folder of this machine, not in a "
    "datastore",
    "autoClusterComputeSpecification": "clusters are made with ComputeTarget.create",
    "credentialPassthrough": "a job signs in as its run, never as the user",
    "applicationEndpoints": "a job offers no services of its own to the outside",
}


def check_fields(configuration: dict[str, Any]) -> None:
    """Check that every field of a run configuration is one that is understood.

    A field that is null asks for nothing. Raises BadRequest for names that nobody knows,
    NotImplementedHere for what only Azure offers.
    """
    known = {**_FIELDS, **dict.fromkeys(_NOT_OFFERED)}
    _check_names(configuration, known, "the run configuration")
    for name, reason in _NOT_OFFERED.items():
        if configuration.get(name) not in (None, False, "", [], {}):
            raise NotImplementedHere(
                f"The run configuration asks for '{name}', which the local workspace does not "
                f"offer: {reason}. Leave it out here."
            )


def _check_names(section: dict[str, Any], known: dict[str, Any], where: str) -> None:
    for name, value in section.items():
        if value is None:
            continue
        if name not in known and "*" not in known:
            raise BadRequest(
                f"'{name}' is not a field of {where} that the local workspace understands, and it "
                f"would have no effect.{_similar(name, known)}"
            )
        inner = known.get(name, known.get("*"))
        if inner is not None and isinstance(value, dict):
            _check_names(value, inner, f"'{name}'")


def _similar(name: str, known: dict[str, Any]) -> str:
    by_case = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), list(by_case), 1)
    return f" Is '{by_case[found[0]]}' meant?" if found else " Remove it."
