"""The SDK's graph and modules, as a graph in types."""

from __future__ import annotations

import graphlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from local_workspace.errors import BadRequest, NotImplementedHere
from local_workspace.fields import flag_of, json_object, list_of, object_of, parse_json, text_of
from local_workspace.services.pipelines.graph import (
    Argument,
    Graph,
    Input,
    Output,
    ParameterSource,
    Source,
    Step,
    StepOutput,
    StoredPath,
    Value,
)
from local_workspace.services.pipelines.parsing import (
    Document,
    as_optional_text,
    as_text,
    dataset_of,
    named_objects_of,
    objects_of,
    required_text_of,
)

# The SDK marks ports that carry no data with these beginnings.
_ORDER_ONLY = ("_run_after_output", "_run_after_input")
_ARGUMENTS = ("Literal", "Input", "Output", "Parameter")
# Where a parameter of a node holds the name of one of the pipeline.
_OF_THE_PIPELINE = ("1", "GraphParameterName")


def graph_of(
    graph: Document,
    find_module: Callable[[str], Document],
    find_data_source: Callable[[str], StoredPath],
) -> Graph:
    """The graph in the SDK's GraphEntity; the two functions give what it names by ids.

    Raises BadRequest for a graph that cannot run, and what the functions raise.
    """
    sources = {
        required_text_of(node, "Id"): _source_of_node(node, find_data_source)
        for node in objects_of(graph, "DatasetNodes")
    }
    nodes = {required_text_of(node, "Id"): node for node in objects_of(graph, "ModuleNodes")}
    incoming: dict[tuple[str, str], Source] = {}
    outputs: dict[str, StepOutput] = {}
    for edge in objects_of(graph, "Edges"):
        begin = object_of(edge, "SourceOutputPort")
        end = object_of(edge, "DestinationInputPort")
        node_id, port = required_text_of(begin, "NodeId"), required_text_of(begin, "PortName")
        if node_id not in nodes and node_id not in sources:
            raise BadRequest(f"An edge of the graph begins at '{node_id}', which is no node of it.")
        source = sources.get(node_id) or StepOutput(node_id, port)
        named = text_of(end, "GraphPortName")
        if named:
            if isinstance(source, StepOutput):
                outputs[named] = source
            continue
        incoming[required_text_of(end, "NodeId"), required_text_of(end, "PortName")] = source
    steps = {
        node_id: _step(node, find_module(required_text_of(node, "ModuleId")), incoming)
        for node_id, node in nodes.items()
    }
    for step in steps.values():
        for one in step.inputs:
            if isinstance(one.source, StepOutput) and not one.is_order_only:
                _check_port(steps[one.source.node_id], one.source.port)
    _check_order(steps)
    return Graph(_with_datasets(steps), outputs)


def _check_port(step: Step, port: str) -> None:
    if port not in {one.name for one in step.outputs}:
        raise BadRequest(f"The step '{step.name}' has no output '{port}' that an edge begins at.")


def _with_datasets(steps: dict[str, Step]) -> dict[str, Step]:
    """The steps, with outputs that others read as datasets made to be some.

    `PipelineData.as_dataset()` is a path for the step that writes it; how it is read as a dataset
    stands at the steps that do. Raises NotImplementedHere when they read it in different ways.
    """
    read: dict[StepOutput, str | None] = {}
    for step in steps.values():
        for one in step.inputs:
            if not isinstance(one.source, StepOutput) or one.mode != "direct":
                continue
            if _is_same(read.setdefault(one.source, one.transformation), one.transformation):
                continue
            raise NotImplementedHere(
                f"The output '{one.source.port}' of the step '{steps[one.source.node_id].name}' is "
                "read as tables in two different ways. Write it to two outputs.",
                status=400,
            )
    return {
        node_id: replace(
            step,
            outputs=tuple(
                _as_dataset(one, read[StepOutput(node_id, one.name)])
                if StepOutput(node_id, one.name) in read
                else one
                for one in step.outputs
            ),
        )
        for node_id, step in steps.items()
    }


def _as_dataset(output: Output, transformation: str | None) -> Output:
    if output.kind == "dataset":
        return output
    registration = {"AdditionalTransformations": transformation} if transformation else {}
    return replace(output, kind="dataset", overwrites=True, registration=registration)


def _is_same(one: str | None, other: str | None) -> bool:
    return one == other or without_ids(one) == without_ids(other)


def without_ids(transformation: Any) -> Any:
    """A transformation without the ids of its blocks, which the client makes anew each time."""
    if not isinstance(transformation, str):
        return transformation
    try:
        return _dropped(json.loads(transformation))
    except ValueError:
        return transformation


def _dropped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _dropped(one) for name, one in value.items() if name != "id"}
    if isinstance(value, list):
        return [_dropped(one) for one in value]
    return value


def _check_order(steps: dict[str, Step]) -> None:
    if not steps:
        raise BadRequest("The pipeline has no steps.")
    try:
        graphlib.TopologicalSorter({key: step.needs for key, step in steps.items()}).prepare()
    except graphlib.CycleError as error:
        names = [steps[key].name if key in steps else str(key) for key in error.args[1]]
        raise BadRequest(
            f"The steps of the pipeline wait for each other in a circle: {' <- '.join(names)}.",
            code="UserError",
        ) from error


def _step(node: Document, module: Document, incoming: Mapping[tuple[str, str], Source]) -> Step:
    node_id, name = required_text_of(node, "Id"), required_text_of(module, "Name")
    interface = object_of(module, "StructuredInterface")
    input_settings = _by_name(named_objects_of(node, "ModuleInputSettings"))
    output_settings = _by_name(named_objects_of(node, "ModuleOutputSettings"))
    return Step(
        node_id=node_id,
        name=name,
        kind=text_of(module, "StepType") or "PythonScriptStep",
        execution_type=text_of(module, "ModuleExecutionType") or "escloud",
        module_id=required_text_of(node, "ModuleId"),
        snapshot_id=text_of(module, "StorageId"),
        is_reusable=bool(flag_of(module, "IsDeterministic"))
        and not flag_of(node, "RegenerateOutput"),
        configuration=_configuration(
            text_of(node, "Runconfig") or text_of(module, "Runconfig"), name
        ),
        parameters=_values(interface, "Parameters", node, "ModuleParameters"),
        metadata=_values(interface, "MetadataParameters", node, "ModuleMetadataParameters"),
        variables=tuple(
            one["Name"]
            for one in named_objects_of(interface, "Parameters")
            if one.get("SetEnvironmentVariable")
        ),
        arguments=tuple(_argument(one) for one in objects_of(interface, "Arguments")),
        inputs=tuple(
            _input(one, input_settings.get(one["Name"], {}), incoming.get((node_id, one["Name"])))
            for one in named_objects_of(interface, "Inputs")
        ),
        outputs=tuple(
            _output(one, output_settings.get(one["Name"], {}))
            for one in named_objects_of(interface, "Outputs")
            if not one["Name"].startswith(_ORDER_ONLY)
        ),
    )


def _argument(document: Document) -> Argument:
    kind = document.get("ValueType")
    if kind not in _ARGUMENTS:
        raise BadRequest(f"'ValueType' of an argument is one of {', '.join(_ARGUMENTS)}: {kind!r}.")
    return Argument(kind, as_text(document.get("Value") or "", "'Value' of an argument"))


def _configuration(text: str | None, name: str) -> dict[str, Any]:
    what = f"The run configuration of the step '{name}'"
    return json_object(parse_json(text, what), what) if text else {}


def _values(interface: Document, names: str, node: Document, given: str) -> dict[str, Value]:
    values = {
        one["Name"]: Value(as_optional_text(one.get("DefaultValue"), one["Name"]))
        for one in named_objects_of(interface, names)
    }
    for one in named_objects_of(node, given):
        value = as_optional_text(one.get("Value"), one["Name"])
        values[one["Name"]] = Value(value, str(one.get("ValueType")) in _OF_THE_PIPELINE)
    return values


def _input(port: Document, setting: Document, source: Source | None) -> Input:
    is_order_only = port["Name"].startswith(_ORDER_ONLY) or bool(port.get("SkipProcessing"))
    if source is None and not port.get("IsOptional"):
        raise BadRequest(f"Nothing leads to the input '{port['Name']}' of a step.")
    return Input(
        name=port["Name"],
        source=source,
        mode=_mode(setting, port),
        path_on_compute=text_of(setting, "PathOnCompute") or text_of(port, "PathOnCompute"),
        reference_name=text_of(port, "DataReferenceName") or port["Name"],
        transformation=text_of(setting, "AdditionalTransformations"),
        is_order_only=is_order_only,
    )


def _output(port: Document, setting: Document) -> Output:
    is_dataset = setting.get("DatasetOutputOptions") is not None
    options = object_of(setting, "DatasetOutputOptions")
    globs = list_of(object_of(options, "SourceGlobs"), "GlobPatterns")
    return Output(
        name=port["Name"],
        kind="dataset" if is_dataset else "path",
        datastore=text_of(setting, "DataStoreName") or text_of(port, "DataStoreName"),
        mode=_mode(setting, port),
        path=text_of(options, "PathOnDatastore"),
        path_on_compute=text_of(setting, "PathOnCompute") or text_of(port, "PathOnCompute"),
        overwrites=bool(flag_of(setting, "Overwrite")),
        globs=tuple(as_text(one, "'GlobPatterns'") for one in globs) or None,
        registration=_registration(object_of(setting, "DatasetRegistration")),
    )


def _registration(document: Document) -> dict[str, Any]:
    tags = object_of(document, "Tags")
    return {
        "Name": text_of(document, "Name"),
        "Description": text_of(document, "Description"),
        "Tags": {name: as_text(value, f"The tag '{name}'") for name, value in tags.items()} or None,
        "AdditionalTransformations": text_of(document, "AdditionalTransformations"),
    }


def _mode(setting: Document, port: Document) -> str:
    return (text_of(setting, "DataStoreMode") or text_of(port, "DataStoreMode") or "mount").lower()


def _source_of_node(node: Document, find_data_source: Callable[[str], StoredPath]) -> Source:
    path = text_of(node, "DataPathParameterName")
    if path:
        return ParameterSource(path, "path")
    source_id = text_of(node, "DatasetId")
    if source_id:
        return find_data_source(source_id)
    definition = object_of(node, "DataSetDefinition")
    parameter = text_of(definition, "ParameterName")
    if parameter:
        return ParameterSource(parameter, "dataset")
    return dataset_of(definition.get("Value"), "a node of the graph")


def _by_name(items: list[Any]) -> dict[str, Any]:
    return {one["Name"]: one for one in items}
