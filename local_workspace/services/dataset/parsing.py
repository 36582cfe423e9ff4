"""What a dataset is, and when two of them are the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

from local_workspace.errors import BadRequest
from local_workspace.fields import json_object, object_of, parse_json

DATASET_TYPES = ("tabular", "file")


@dataclass(frozen=True)
class Definition:
    """What a dataset is: its type, the data engine's steps (YAML), properties.

    `dataflow` is what the client sent and gets back.
    """

    dataset_type: str
    dataflow: str
    rs_dataflow: str
    properties: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def steps(self) -> Any:
        """The parsed YAML. Raises yaml.YAMLError, ValueError, RecursionError."""
        return yaml.safe_load(self.rs_dataflow)

    @cached_property
    def digest(self) -> str:
        """SHA-256, the same for two definitions that mean the same."""
        text = json.dumps(
            [self.dataset_type, _canonical(self.steps), self.properties],
            sort_keys=True,
            separators=(",", ":"),
            default=str,
        )
        return hashlib.sha256(text.encode()).hexdigest()


def definition_of(dataset_type: Any, dataflow: Any, properties: Any) -> Definition:
    """The definition in a request.

    The steps of the data engine are in `meta.RsDataflow` of the posted dataflow, or, from a client
    without azureml-dataprep, the dataflow itself. Raises BadRequest.
    """
    if dataset_type not in DATASET_TYPES:
        raise BadRequest(f"A dataset is of the type 'tabular' or 'file', not '{dataset_type}'.")
    if not isinstance(dataflow, str) or not dataflow.strip():
        raise BadRequest("The definition of the dataset (dataflow) is missing.")
    if properties is not None and not isinstance(properties, dict):
        raise BadRequest("The properties of a dataset must be a JSON object.")
    rs_dataflow: Any = dataflow
    if dataflow.lstrip().startswith("{"):
        document = json_object(parse_json(dataflow, "The dataflow"), "The dataflow")
        rs_dataflow = object_of(document, "meta").get("RsDataflow")
        if not isinstance(rs_dataflow, str):
            raise BadRequest(
                "The definition of the dataset has no 'meta.RsDataflow'. It comes from an old "
                "azureml-dataprep: install version 5 or later."
            )
    definition = Definition(dataset_type, dataflow, rs_dataflow, dict(properties or {}))
    try:
        # Checked here, because a broken one would show itself only when it is read.
        is_mapping = isinstance(definition.steps, dict)
    except (yaml.YAMLError, ValueError, RecursionError):
        is_mapping = False
    if not is_mapping:
        raise BadRequest("The definition of the dataset is not YAML with paths and steps.")
    return definition


def _canonical(steps: Any) -> Any:
    """`steps` with what has no order in a fixed one.

    The data engine writes the inferred types of columns in an order that differs from one call to
    the next: without this, no CSV file would ever be registered twice with the same definition.
    """
    transformations = steps.get("transformations")
    if not isinstance(transformations, list):
        return steps
    return {**steps, "transformations": [_canonical_step(step) for step in transformations]}


def _canonical_step(step: Any) -> Any:
    conversions = step.get("convert_column_types") if isinstance(step, dict) else None
    if not isinstance(conversions, list):
        return step
    keyed = [(_columns(entry), entry) for entry in conversions]
    names = [name for columns, _ in keyed for name in columns]
    if len(set(names)) != len(names):
        # A column that is converted twice is converted in this order.
        return step
    keyed.sort(key=lambda pair: pair[0])
    return {**step, "convert_column_types": [entry for _, entry in keyed]}


def _columns(conversion: Any) -> list[str]:
    columns = conversion.get("columns") if isinstance(conversion, dict) else conversion
    return [str(column) for column in (columns if isinstance(columns, list) else [columns])]
