"""What clients send about pipelines (the SDK's own documents), as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_workspace.errors import BadRequest
from local_workspace.fields import (
    flag_of,
    json_object,
    list_of,
    object_of,
    shown,
    text_of,
)
from local_workspace.services.pipelines.graph import (
    RegisteredDataset,
    SavedDataset,
    StoredPath,
)

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Assignments:
    """Values for the parameters of a pipeline: texts, paths in datastores, saved datasets."""

    parameters: dict[str, str] = field(default_factory=dict)
    data_paths: dict[str, StoredPath] = field(default_factory=dict)
    datasets: dict[str, SavedDataset | RegisteredDataset] = field(default_factory=dict)

    def over(self, defaults: Assignments) -> Assignments:
        """These, and `defaults` for what they do not have."""
        return Assignments(
            {**defaults.parameters, **self.parameters},
            {**defaults.data_paths, **self.data_paths},
            {**defaults.datasets, **self.datasets},
        )


@dataclass(frozen=True)
class SubmissionInfo:
    """What stands beside the graph, or the id of a pipeline, when a run is asked for."""

    experiment_name: str | None
    description: str | None
    continues_on_failure: bool | None
    assignments: Assignments
    tags: dict[str, str]
    source: str | None
    parent_run_id: str | None


def submission_info(body: Any) -> SubmissionInfo:
    """The body of a submission. Names are taken in any case, values as texts. Raises BadRequest.

    Source: "Publish machine learning pipelines" (v1) and Azure Data Factory's activity, which
    write the names differently.
    """
    given = _in_lower_case(json_object(body or {}))
    goes_on = None
    for name in (
        "continuerunonstepfailure",
        "continueonstepfailure",
        "continueexperimentonnodefailure",
    ):
        goes_on = flag_of(given, name) if goes_on is None else goes_on
    return SubmissionInfo(
        experiment_name=text_of(given, "experimentname", longest=255) or None,
        description=text_of(given, "description"),
        continues_on_failure=goes_on,
        assignments=Assignments(
            {
                name: as_text(value, f"The value of the parameter '{name}'")
                for name, value in object_of(given, "parameterassignments").items()
            },
            {
                name: _stored_path(value, name)
                for name, value in object_of(given, "datapathassignments").items()
            },
            {
                name: dataset_of(value, f"the parameter '{name}'")
                for name, value in object_of(given, "datasetdefinitionvalueassignments").items()
            },
        ),
        tags={
            name: as_text(value, f"The tag '{name}'")
            for name, value in object_of(given, "tags").items()
        },
        source=text_of(given, "runsource", longest=64),
        parent_run_id=text_of(given, "parentrunid"),
    )


def _in_lower_case(document: Document) -> dict[str, Any]:
    return {name.lower(): value for name, value in document.items()}


def check_assignments(given: Assignments, interface: Document) -> None:
    """Raise BadRequest for values that a pipeline has no parameter for, or of another type."""
    known = {one["Name"]: one for one in named_objects_of(interface, "Parameters")}
    paths = {one["Name"] for one in named_objects_of(interface, "DataPathParameters")}
    datasets = {one["Name"] for one in named_objects_of(interface, "DataPathParameterList")}
    everything = sorted({*known, *paths, *datasets})
    for names, allowed, what in (
        (given.parameters, {*known, *datasets}, "ParameterAssignments"),
        (given.data_paths, {*paths, *datasets}, "DataPathAssignments"),
        (given.datasets, datasets, "DataSetDefinitionValueAssignments"),
    ):
        for name in names:
            if name not in allowed:
                raise BadRequest(
                    f"The pipeline has no parameter '{name}' for {what}. Its parameters are: "
                    f"{', '.join(everything) or 'none'}.",
                    code="UserError",
                )
    for name, text in given.parameters.items():
        kind = str(known[name].get("Type")) if name in known else ""
        for code, convert, called in (("0", _whole, "a whole number"), ("1", float, "a number")):
            if kind == code:
                try:
                    convert(text)
                except ValueError as error:
                    raise BadRequest(
                        f"The parameter '{name}' of the pipeline is {called}; '{text}' is none.",
                        code="UserError",
                    ) from error


def _whole(text: str) -> int:
    # The SDK gives booleans the type of whole numbers.
    return int(text) if text.lower() not in ("true", "false") else 0


def default_assignments(interface: Document) -> Assignments:
    """What the parameters of a pipeline have unless something else is given. Raises BadRequest."""
    return Assignments(
        {
            one["Name"]: as_text(one["DefaultValue"], f"The value of '{one['Name']}'")
            for one in named_objects_of(interface, "Parameters")
            if one.get("DefaultValue") is not None
        },
        {
            one["Name"]: _stored_path(one["DefaultValue"], one["Name"])
            for one in named_objects_of(interface, "DataPathParameters")
            if one.get("DefaultValue")
        },
        {
            one["Name"]: dataset_of(one["DefaultValue"], f"the parameter '{one['Name']}'")
            for one in named_objects_of(interface, "DataPathParameterList")
            if one.get("DefaultValue")
        },
    )


def dataset_of(value: Any, of_what: str) -> SavedDataset | RegisteredDataset:
    """A dataset as documents name it: what is saved, or a registration. Raises BadRequest."""
    given = _in_lower_case(json_object(value, f"The dataset of {of_what}"))
    saved = text_of(_in_lower_case(object_of(given, "saveddatasetreference")), "id")
    if saved:
        return SavedDataset(saved)
    registered = _in_lower_case(object_of(given, "datasetreference"))
    dataset_id, name = text_of(registered, "id"), text_of(registered, "name")
    if dataset_id or name:
        version = as_optional_text(registered.get("version"), "version")
        return RegisteredDataset(dataset_id, name, version)
    raise BadRequest(
        f"The dataset of {of_what} has neither a 'SavedDataSetReference' nor a 'DataSetReference'."
    )


def _stored_path(value: Any, name: str) -> StoredPath:
    given = _in_lower_case(json_object(value, f"The data path '{name}'"))
    datastore, path = text_of(given, "datastorename"), text_of(given, "relativepath")
    if not datastore:
        raise BadRequest(f"The data path '{name}' names no datastore ('DataStoreName').")
    return StoredPath(datastore, path_in_datastore(path or ""))


def path_in_datastore(path: str) -> str:
    """A path in a datastore, without slashes around it. Raises BadRequest when it leads out."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadRequest(f"The path '{path}' contains '..': it stays within its datastore.")
    return "/".join(parts)


def objects_of(document: Document, name: str) -> list[Any]:
    """The objects in a list, which may be missing. Raises BadRequest for anything else."""
    return [json_object(one, f"Each of '{name}'") for one in list_of(document, name)]


def named_objects_of(document: Document, name: str) -> list[Any]:
    """The objects in a list, each of which has a name."""
    found = objects_of(document, name)
    for one in found:
        required_text_of(one, "Name")
    return found


def check_names(document: Document, name: str) -> None:
    """Raise BadRequest unless a field is a list of objects with names, if it is there at all."""
    named_objects_of(document, name)


def required_text_of(document: Document, name: str) -> str:
    """The text in a field that has to be there. Raises BadRequest."""
    text = text_of(document, name)
    if not text:
        raise BadRequest(f"'{name}' is missing where the graph of a pipeline needs it.")
    return text


def as_text(value: Any, what: str) -> str:
    """A text or number as a text. Raises BadRequest."""
    if isinstance(value, (dict, list)):
        raise BadRequest(f"{what} must be text or a number, not {shown(value)}.")
    return str(value)


def as_optional_text(value: Any, name: str) -> str | None:
    """As `as_text`, and None for what is null."""
    return None if value is None else as_text(value, f"The value of '{name}'")
