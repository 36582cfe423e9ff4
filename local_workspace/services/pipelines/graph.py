"""A pipeline's graph in types: steps, what they read and write, and what they are run with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class StepOutput:
    """What another step writes to one of its ports."""

    node_id: str
    port: str


@dataclass(frozen=True)
class SavedDataset:
    """A dataset that does not change."""

    dataset_id: str


@dataclass(frozen=True)
class RegisteredDataset:
    """A registered dataset by its id or name; without a version the latest one when it is run."""

    dataset_id: str | None
    name: str | None
    version: str | None


@dataclass(frozen=True)
class StoredPath:
    """A path in a datastore."""

    datastore: str
    path: str


@dataclass(frozen=True)
class ParameterSource:
    """The dataset, or the path in a datastore, that a parameter of the pipeline has."""

    name: str
    kind: Literal["dataset", "path"]


Source = StepOutput | SavedDataset | RegisteredDataset | StoredPath | ParameterSource


@dataclass(frozen=True)
class Input:
    """A port that data comes in by.

    Attributes:
        reference_name: how the script's environment names a path (AZUREML_DATAREFERENCE_…).
        transformation: how files are read as a table (the SDK's own text).
        is_order_only: nothing comes in: the step only waits for the other one.
    """

    name: str
    source: Source | None
    mode: str = "mount"
    path_on_compute: str | None = None
    reference_name: str | None = None
    transformation: str | None = None
    is_order_only: bool = False


@dataclass(frozen=True)
class Output:
    """A port that data goes out by: a dataset (OutputFileDatasetConfig) or a path (PipelineData).

    `path` is in the datastore; None: a new one for each run.
    """

    name: str
    kind: Literal["dataset", "path"]
    datastore: str | None = None
    mode: str = "mount"
    path: str | None = None
    path_on_compute: str | None = None
    overwrites: bool = False
    globs: tuple[str, ...] | None = None
    registration: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Value:
    """What a step's parameter has: a text, or the name of a parameter of the pipeline."""

    text: str | None
    is_parameter: bool = False


@dataclass(frozen=True)
class Argument:
    """One word of the command line, or where it comes from."""

    kind: Literal["Literal", "Input", "Output", "Parameter"]
    value: str


@dataclass(frozen=True)
class Step:
    """A node of a graph with what its module says of it.

    Attributes:
        configuration: the run configuration (the SDK's document); empty when it has none.
        parameters: of the module, with what this step gives them.
        variables: parameters that the script has in its environment, as AML_PARAMETER_….
        is_reusable: whether equal work may be taken from an earlier run.
    """

    node_id: str
    name: str
    kind: str
    execution_type: str
    module_id: str
    snapshot_id: str | None
    is_reusable: bool
    configuration: dict[str, Any]
    parameters: dict[str, Value]
    metadata: dict[str, Value]
    variables: tuple[str, ...]
    arguments: tuple[Argument, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]

    @property
    def needs(self) -> frozenset[str]:
        """The nodes that have to be through before this step begins."""
        sources = (one.source for one in self.inputs)
        return frozenset(one.node_id for one in sources if isinstance(one, StepOutput))


@dataclass(frozen=True)
class Graph:
    """The steps of a pipeline by their nodes, and its named outputs."""

    steps: dict[str, Step]
    outputs: dict[str, StepOutput]
