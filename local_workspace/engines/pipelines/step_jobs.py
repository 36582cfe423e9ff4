"""A step of a pipeline becomes a job: the same that its script would be when it is submitted."""

from __future__ import annotations

import copy
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from local_workspace.errors import BadRequest
from local_workspace.services import execution
from local_workspace.services.execution import Job, JobInput, JobOutput, JobReference, Registration
from local_workspace.services.pipelines import (
    Input,
    Output,
    SavedDataset,
    Source,
    Step,
    StoredPath,
    Value,
)

# What the client says of a step's place and kind, besides what its run configuration says.
_NOT_FOR_THE_SCRIPT = "USE_STRUCTURED_ARGUMENTS"
_COUNTS = {
    "NodeCount": ("nodeCount",),
    "MpiProcessCountPerNode": ("mpi", "processCountPerNode"),
    "TensorflowWorkerCount": ("tensorflow", "workerCount"),
    "TensorflowParameterServerCount": ("tensorflow", "parameterServerCount"),
}


@dataclass(frozen=True)
class Bound:
    """A step with everything that its pipeline run gives it.

    Attributes:
        values: of all its parameters, after assignment.
        sources: what its inputs read: saved datasets and paths in datastores.
        made_by: the runs of steps that made them, by input.
    """

    step: Step
    values: dict[str, str]
    sources: dict[str, SavedDataset | StoredPath]
    made_by: dict[str, str]


def bind(
    step: Step,
    parameters: Mapping[str, str],
    sources: Mapping[str, Source],
    made_by: Mapping[str, str],
) -> Bound:
    """A step with the parameters of its pipeline run and the sources of its inputs."""
    values = {
        name: text
        for name, value in {**step.parameters, **step.metadata}.items()
        if (text := _text_of(value, parameters)) is not None
    }
    found = {
        name: source
        for name, source in sources.items()
        if isinstance(source, (SavedDataset, StoredPath))
    }
    return Bound(step, values, found, dict(made_by))


def _text_of(value: Value, parameters: Mapping[str, str]) -> str | None:
    if not value.is_parameter:
        return value.text
    return parameters.get(str(value.text))


def job_of(
    bound: Bound, run_id: str, experiment_name: str, default_datastore: str
) -> tuple[Job, dict[str, Any]]:
    """The job of a step, and its run configuration in the SDK's words.

    Raises BadRequest for what cannot run, NotImplementedHere.
    """
    step = bound.step
    configuration = _configuration(bound)
    submission = execution.parse_submission(
        {"Configuration": configuration, "SnapshotId": step.snapshot_id}
    )
    job = execution.parse_job(submission, run_id, experiment_name, _no_dataset)
    if job.is_local:
        raise BadRequest(
            f"The step '{step.name}' has no compute target. Give it one: PythonScriptStep(..., "
            "compute_target=...)."
        )
    inputs, references = _inputs(bound)
    outputs, written = _outputs(step, run_id, default_datastore)
    variables = {
        f"AML_PARAMETER_{name}": bound.values[name]
        for name in step.variables
        if name in bound.values
    }
    job = replace(
        job,
        arguments=tuple(_arguments(bound)) if job.command is None else (),
        variables={**job.variables, **variables},
        inputs=inputs,
        outputs=outputs,
        references=references + written,
    )
    return job, configuration


def places_of(step: Step, run_id: str, default_datastore: str) -> dict[str, StoredPath]:
    """Where the outputs of a step are, by port."""
    return {
        one.name: StoredPath(one.datastore or default_datastore, _path_of(one, run_id))
        for one in step.outputs
    }


def _no_dataset(_: Any) -> str:
    raise BadRequest("The run configuration of a step has no data of its own.")


def _configuration(bound: Bound) -> dict[str, Any]:
    """The run configuration of a step: its own, with what stands in its parameters.

    The client says `Framework` and the like in parameters too, and not always the same: the run
    configuration is right.
    """
    step, values = bound.step, bound.values
    configuration = copy.deepcopy(step.configuration)
    configuration.update(data={}, outputData={}, dataReferences={}, arguments=[])
    configuration["target"] = values.get("Target") or configuration.get("target")
    command = values.get("Command")
    if command:
        words = [command, *_arguments(bound)]
        # Only what has blanks is quoted: `&&`, `>` and `$NAME` mean what they mean to the shell.
        line = " ".join(shlex.quote(word) if _has_blanks(word) else word for word in words)
        configuration.update(script=None, command=line)
    else:
        configuration.update(script=values.get("Script") or configuration.get("script"))
    if not configuration.get("script") and not configuration.get("command"):
        raise BadRequest(f"The step '{step.name}' has neither a script nor a command.")
    for name, path in _COUNTS.items():
        text = values.get(name)
        if text is None:
            continue
        try:
            _set(configuration, path, int(text))
        except ValueError as error:
            raise BadRequest(f"'{name}' of the step '{step.name}' is no number: {text}.") from error
    return configuration


def _set(configuration: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    section = configuration
    for part in path[:-1]:
        section[part] = section.get(part) or {}
        section = section[part]
    section[path[-1]] = value


def _has_blanks(word: str) -> bool:
    return not word or any(one.isspace() for one in word)


def _arguments(bound: Bound) -> list[str]:
    step = bound.step
    references = {one.name: one.reference_name or one.name for one in step.inputs}
    words = []
    for argument in step.arguments:
        if argument.kind == "Parameter":
            words.append(bound.values.get(argument.value, ""))
        elif argument.kind == "Input":
            if isinstance(bound.sources.get(argument.value), SavedDataset):
                words.append(f"DatasetConsumptionConfig:{argument.value}")
            else:
                words.append(f"$AZUREML_DATAREFERENCE_{references[argument.value]}")
        elif argument.kind == "Output":
            words.append(f"$AZUREML_DATAREFERENCE_{argument.value}")
        elif argument.value != _NOT_FOR_THE_SCRIPT:
            words.append(argument.value)
    return words


def _inputs(bound: Bound) -> tuple[tuple[JobInput, ...], tuple[JobReference, ...]]:
    datasets, references = [], []
    for one in bound.step.inputs:
        source = bound.sources.get(one.name)
        if one.is_order_only or source is None:
            continue
        if isinstance(source, SavedDataset):
            datasets.append(
                JobInput(one.name, source.dataset_id, _mode(one), one.name, one.path_on_compute)
            )
        else:
            mode = "download" if one.mode == "download" else "mount"
            references.append(
                JobReference(
                    one.reference_name or one.name,
                    mode,
                    source.datastore,
                    source.path,
                    one.path_on_compute,
                )
            )
    return tuple(datasets), tuple(references)


def _mode(one: Input) -> str:
    return one.mode if one.mode in ("direct", "download", "mount") else "mount"


def _outputs(
    step: Step, run_id: str, default_datastore: str
) -> tuple[tuple[JobOutput, ...], tuple[JobReference, ...]]:
    datasets, references = [], []
    for one in step.outputs:
        place = StoredPath(one.datastore or default_datastore, _path_of(one, run_id))
        if one.kind == "dataset":
            datasets.append(
                JobOutput(
                    one.name,
                    "upload" if one.mode == "upload" else "mount",
                    place.path,
                    place.datastore,
                    one.path_on_compute,
                    one.overwrites or one.mode != "upload",
                    one.globs,
                    _registration(one),
                )
            )
        else:
            references.append(
                JobReference(
                    one.name,
                    "output",
                    place.datastore,
                    place.path,
                    one.path_on_compute,
                    overwrite=True,
                )
            )
    return tuple(datasets), tuple(references)


def _path_of(one: Output, run_id: str) -> str:
    """Where an output is in its datastore: where it was asked to be, or in a place of its own."""
    path = one.path or f"azureml/{run_id}/{one.name}"
    return path.replace("{run-id}", run_id).replace("{output-name}", one.name).strip("/")


def _registration(one: Output) -> Registration:
    given = one.registration
    return Registration(
        given.get("Name"),
        given.get("Description"),
        given.get("Tags"),
        given.get("AdditionalTransformations"),
    )
