"""A submitted run configuration, in the SDK's words, becomes a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from local_workspace.errors import BadRequest, NotImplementedHere
from local_workspace.fields import text_of
from local_workspace.services.execution.job import (
    Job,
    JobEnvironment,
    JobInput,
    JobOutput,
    Layout,
    Registration,
)
from local_workspace.services.execution.known_fields import check_fields
from local_workspace.services.execution.references import parse_references

LOCAL = "local"
# Azure's limit for the seconds of a run; also what the SDK sends when nothing is said.
_LONGEST_RUN_SECONDS = 2592000
_FRAMEWORKS = ("python", "pytorch", "tensorflow")
_MPI = ("openmpi", "intelmpi")
_PYTORCH = ("nccl", "gloo")
_TENSORFLOW = "parameterserver"
_TEXTS = ("script", "command", "target", "framework", "communicator")
_OBJECTS = (
    "environment",
    "environmentVariables",
    "docker",
    "data",
    "dataReferences",
    "outputData",
    "history",
    "mpi",
    "pytorch",
    "tensorflow",
)
# Objects inside those of `data` and `outputData`, at whatever depth.
_OBJECTS_OF_DATA = frozenset(
    {
        "dataLocation",
        "dataset",
        "dataPath",
        "outputLocation",
        "additionalOptions",
        "uploadOptions",
        "sourceGlobs",
        "registrationOptions",
        "datasetRegistrationOptions",
    }
)


@dataclass(frozen=True)
class DatasetReference:
    """The dataset of the input `input_name`: by the id of what is saved, or by name and version."""

    input_name: str
    saved_id: str | None
    name: str | None
    version: str | None


FindDataset = Callable[[DatasetReference], str]


@dataclass(frozen=True)
class Submission:
    """A definition as it was sent: the configuration, and what stands beside it."""

    configuration: dict[str, Any]
    snapshot_id: str | None
    parent_run_id: str | None
    target: str

    @property
    def script(self) -> str | None:
        """The script of the run, if it is not a command."""
        return self.configuration.get("script")


def parse_submission(definition: Any) -> Submission:
    """Read a submitted definition: `Configuration`, `SnapshotId`, `ParentRunId`, in any case.

    Raises BadRequest, which names the field, when something has another shape than the SDK gives
    it.
    """
    if not isinstance(definition, dict):
        raise BadRequest("The body must be a JSON object with a 'Configuration'.")
    given = {name[:1].lower() + name[1:]: value for name, value in definition.items()}
    configuration = given.get("configuration")
    if not isinstance(configuration, dict):
        raise BadRequest("The run has no 'Configuration'.")
    for name in ("snapshotId", "parentRunId"):
        _check(given, name, str, "text")
    _check_shape(configuration)
    check_fields(configuration)
    return Submission(
        configuration,
        given.get("snapshotId"),
        given.get("parentRunId"),
        str(configuration.get("target") or LOCAL),
    )


def parse_job(
    submission: Submission, run_id: str, experiment_name: str, find_dataset: FindDataset
) -> Job:
    """The job that a submission asks for; `find_dataset` gives the ids of saved datasets.

    Raises BadRequest for what cannot run, NotImplementedHere for what the local workspace does not
    run, and what `find_dataset` raises.
    """
    configuration = submission.configuration
    is_local = submission.target == LOCAL
    layout = layout_of(configuration)
    framework = str(configuration.get("framework") or "Python")
    if framework.lower() not in _FRAMEWORKS:
        raise NotImplementedHere(
            f"The framework '{framework}' is not offered by the local workspace: it runs Python "
            "scripts and commands."
        )
    if is_local and layout.nodes > 1:
        raise BadRequest("A run with compute_target='local' has one node.")
    environment = configuration.get("environment") or {}
    variables = {
        **(environment.get("environmentVariables") or {}),
        **(configuration.get("environmentVariables") or {}),
    }
    history = configuration.get("history") or {}
    return Job(
        run_id=run_id,
        experiment_name=experiment_name,
        kind="local" if is_local else "cluster",
        compute=None if is_local else submission.target.lower(),
        snapshot_id=submission.snapshot_id,
        script=configuration.get("script"),
        command=configuration.get("command") or None,
        arguments=tuple(str(argument) for argument in configuration.get("arguments") or []),
        layout=layout,
        environment=_environment(configuration, environment),
        variables={name: str(value) for name, value in variables.items()},
        inputs=tuple(
            _input(name, data, find_dataset)
            for name, data in (configuration.get("data") or {}).items()
        ),
        outputs=tuple(
            _output(name, data) for name, data in (configuration.get("outputData") or {}).items()
        ),
        references=parse_references(configuration.get("dataReferences") or {}),
        watched_folders=tuple(history.get("directoriesToWatch") or ()),
        collects_outputs=history.get("outputCollection") is not False,
        max_seconds=configuration.get("maxRunDurationSeconds"),
    )


def layout_of(configuration: dict[str, Any]) -> Layout:
    """The layout that a run configuration asks for, in the words of the SDK's RunConfiguration.

    Raises BadRequest for counts that cannot be, NotImplementedHere for other communicators.
    """
    communicator = str(configuration.get("communicator") or "none").lower()
    nodes = _count(configuration, "nodeCount")
    if communicator == "none":
        return Layout(nodes)
    if communicator in _MPI:
        mpi = configuration.get("mpi") or {}
        return Layout(
            max(nodes, _count(mpi, "nodeCount")), _count(mpi, "processCountPerNode"), communicator
        )
    if communicator in _PYTORCH:
        pytorch = configuration.get("pytorch") or {}
        nodes = max(nodes, _count(pytorch, "nodeCount"))
        processes = _count(pytorch, "processCount", nodes)
        if processes % nodes:
            raise BadRequest(
                f"'process_count' of PyTorchConfiguration is {processes}: it must be a multiple of "
                f"'node_count', which is {nodes}."
            )
        return Layout(nodes, processes // nodes, communicator)
    if communicator == _TENSORFLOW:
        tensorflow = configuration.get("tensorflow") or {}
        workers = _count(tensorflow, "workerCount")
        servers = _count(tensorflow, "parameterServerCount", 0, least=0)
        return Layout(workers + servers, 1, communicator, servers)
    raise NotImplementedHere(
        f"The communicator '{configuration['communicator']}' is not offered by the local "
        "workspace: it knows MpiConfiguration, PyTorchConfiguration and TensorflowConfiguration."
    )


# Parts of a job


def _environment(configuration: dict[str, Any], environment: dict[str, Any]) -> JobEnvironment:
    docker = configuration.get("docker") or {}
    uses_docker = bool(docker.get("useDocker") or (environment.get("docker") or {}).get("enabled"))
    if not environment.get("python") and environment.get("name"):
        return JobEnvironment(
            name=environment["name"], version=environment.get("version"), uses_docker=uses_docker
        )
    return JobEnvironment(environment, uses_docker=uses_docker)


def _input(name: str, data: dict[str, Any], find_dataset: FindDataset) -> JobInput:
    mechanism = str(data.get("mechanism") or "direct").lower()
    if mechanism not in ("direct", "download", "mount"):
        raise BadRequest(
            f"The input '{name}' has the mode '{mechanism}'; the local workspace knows direct, "
            "download and mount."
        )
    dataset = (data.get("dataLocation") or {}).get("dataset") or {}
    version = dataset.get("version")
    reference = DatasetReference(
        name,
        text_of(dataset, "id"),
        text_of(dataset, "name"),
        None if version in (None, "latest") else str(version),
    )
    return JobInput(
        name,
        find_dataset(reference),
        mechanism,
        data.get("environmentVariableName") or name,
        data.get("pathOnCompute"),
    )


def _output(name: str, data: dict[str, Any]) -> JobOutput:
    options = data.get("additionalOptions") or {}
    location = (data.get("outputLocation") or {}).get("dataPath") or {}
    upload = options.get("uploadOptions") or {}
    registration = options.get("registrationOptions") or {}
    how = registration.get("datasetRegistrationOptions") or {}
    mechanism = str(data.get("mechanism") or "mount").lower()
    if mechanism not in ("mount", "upload"):
        raise BadRequest(
            f"The output '{name}' has the mode '{mechanism}'; the local workspace knows mount and "
            "upload."
        )
    globs = (upload.get("sourceGlobs") or {}).get("patterns")
    return JobOutput(
        name,
        mechanism,
        location.get("relativePath") or f"dataset/{{run-id}}/{name}",
        location.get("datastoreName"),
        options.get("pathOnCompute"),
        bool(upload.get("overwrite")) or mechanism != "upload",
        tuple(globs) if globs else None,
        Registration(
            registration.get("name"),
            registration.get("description"),
            registration.get("tags"),
            how.get("additionalTransformation"),
        ),
    )


def _count(section: dict[str, Any], name: str, default: int = 1, *, least: int = 1) -> int:
    value = section.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadRequest(f"'{name}' must be a whole number of at least {least}, not {value!r}.")
    return value


# Shapes


def _check_shape(configuration: dict[str, Any]) -> None:
    for name in _TEXTS:
        _check(configuration, name, str, "text")
    for name in _OBJECTS:
        _check(configuration, name, dict, "a JSON object")
    _check(configuration, "arguments", list, "a list")
    for name in ("data", "dataReferences", "outputData"):
        for key, item in (configuration.get(name) or {}).items():
            if not isinstance(item, dict):
                raise BadRequest(f"'{name}' must be a JSON object of objects; '{key}' is none.")
            _check_data(item, key)
    environment = configuration.get("environment") or {}
    for name in ("environmentVariables", "python", "docker"):
        _check(environment, name, dict, "a JSON object")
    for name in ("name", "version"):
        _check(environment, name, str, "text")
    _check_variables(environment.get("environmentVariables") or {})
    _check_variables(configuration.get("environmentVariables") or {})
    _check_history(configuration.get("history") or {})
    if not configuration.get("script") and not configuration.get("command"):
        raise BadRequest("The run configuration has neither a 'script' nor a 'command'.")
    seconds = configuration.get("maxRunDurationSeconds")
    if seconds is not None and not (
        isinstance(seconds, int) and 0 < seconds <= _LONGEST_RUN_SECONDS
    ):
        raise BadRequest(
            f"'max_run_duration_seconds' must be between 1 and {_LONGEST_RUN_SECONDS}, not "
            f"{seconds!r}."
        )


def _check(section: dict[str, Any], name: str, kind: type, described: str) -> None:
    value = section.get(name)
    if value is not None and not isinstance(value, kind):
        raise BadRequest(f"'{name}' must be {described}, not {value!r}.")


def _check_data(item: Any, key: str) -> None:
    if isinstance(item, dict):
        for name, value in item.items():
            if name in _OBJECTS_OF_DATA and value is not None and not isinstance(value, dict):
                raise BadRequest(f"'{name}' of '{key}' must be a JSON object, not {value!r}.")
            _check_data(value, key)


def _check_variables(variables: dict[str, Any]) -> None:
    for name, value in variables.items():
        if not name or "=" in name or "\0" in f"{name}{value}":
            raise BadRequest(
                f"{name!r} cannot be an environment variable: a name is not empty and has no '=', "
                "and neither name nor value has a null character."
            )
        if isinstance(value, (dict, list)):
            raise BadRequest(f"The environment variable '{name}' must be text, not {value!r}.")


def _check_history(history: dict[str, Any]) -> None:
    for name in ("outputCollection", "snapshotProject"):
        _check(history, name, bool, "true or false")
    _check(history, "directoriesToWatch", list, "a list")
    for folder in history.get("directoriesToWatch") or []:
        path = PurePosixPath(folder) if isinstance(folder, str) else None
        if path is None or path.is_absolute() or ".." in path.parts:
            raise BadRequest(
                f"'directoriesToWatch' has folders inside the one of the run, not {folder!r}."
            )
