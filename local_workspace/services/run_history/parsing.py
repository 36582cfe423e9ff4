"""What clients send about runs and experiments, as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from local_workspace.clock import parse_iso
from local_workspace.errors import BadRequest
from local_workspace.fields import flag_of, list_of, object_of, shown, text_of
from local_workspace.services.run_history.changes import ExperimentChanges, RunChanges

_TEXTS = {
    "parentRunId": "parent_run_id",
    "dataContainerId": "data_container_id",
    "name": "name",
    "displayName": "display_name",
    "description": "description",
    "runType": "run_type",
    "target": "target",
    "scriptName": "script_name",
    "primaryMetricName": "primary_metric_name",
    "cancelUri": "cancel_uri",
    "diagnosticsUri": "diagnostics_uri",
    "status": "status",
}
_DOCUMENTS = {
    "runDefinition": "run_definition",
    "options": "options",
    "createdFrom": "created_from",
    "queueingInfo": "queueing_info",
}
_SWITCHES = {"hidden": "hidden", "heartbeatEnabled": "heartbeat_enabled"}
_TEXT_MAPS = {"tags": "tags", "properties": "properties"}
_LISTS = {"inputDatasets": "input_datasets", "outputDatasets": "output_datasets"}
_MOMENTS = {"startTimeUtc": "start_time", "endTimeUtc": "end_time"}


def body_object(body: Any) -> dict[str, Any]:
    """`body` if it is a JSON object. Raises BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


def names_of_tags(body: Any) -> list[str]:
    """`body` if it is a list of names. Raises BadRequest."""
    if not isinstance(body, list) or not all(isinstance(name, str) for name in body):
        raise BadRequest("The body must be a list of the names of tags.")
    return body


def text_map(value: Any, what: str) -> dict[str, str | None]:
    """`value` as a dictionary of texts, which tags and properties are. Raises BadRequest."""
    if not isinstance(value, dict):
        raise BadRequest(f"'{what}' must be a JSON object.")
    texts: dict[str, str | None] = {}
    for key, item in value.items():
        if isinstance(item, (dict, list)):
            raise BadRequest(f"The value of '{key}' in '{what}' must be text.")
        if isinstance(item, bool):
            item = str(item)
        texts[key] = None if item is None else str(item)
    return texts


def moment_of(value: Any) -> datetime:
    """The moment that an ISO 8601 text means. Raises BadRequest."""
    try:
        return parse_iso(value)
    except (ValueError, AttributeError) as error:
        raise BadRequest(f"{shown(value)} is not a date and time in ISO 8601.") from error


def run_changes(body: Mapping[str, Any]) -> RunChanges:
    """The changes in the SDK's CreateRunDto: fields that are null change nothing.

    Raises BadRequest for what a run cannot have.
    """
    given = {name: value for name, value in body.items() if value is not None}
    values: dict[str, Any] = {}
    for wire_name, name in _TEXTS.items():
        if wire_name in given:
            values[name] = text_of(body, wire_name)
    for wire_name, name in _DOCUMENTS.items():
        if wire_name in given:
            values[name] = object_of(body, wire_name)
    for wire_name, name in _SWITCHES.items():
        if wire_name in given:
            values[name] = flag_of(body, wire_name)
    for wire_name, name in _TEXT_MAPS.items():
        if wire_name in given:
            values[name] = text_map(given[wire_name], wire_name)
    for wire_name, name in _LISTS.items():
        if wire_name in given:
            values[name] = tuple(list_of(body, wire_name))
    for wire_name, name in _MOMENTS.items():
        if wire_name in given:
            values[name] = moment_of(given[wire_name])
    if "runTypeV2" in given:
        values.update(_kind(given["runTypeV2"]))
    return RunChanges(**values)


def experiment_changes(body: Any) -> ExperimentChanges:
    """The changes in the SDK's ModifyExperimentDto. Raises BadRequest."""
    given = body_object(body)
    description, archive, tags = (given.get(name) for name in ("description", "archive", "tags"))
    return ExperimentChanges(
        name=text_of(given, "name"),
        description=None if description is None else str(description),
        is_archived=None if archive is None else bool(archive),
        tags={} if tags is None else text_map(tags, "tags"),
    )


def runs_of_batch(body: Any) -> list[dict[str, Any]]:
    """The runs that a batch makes or changes, each an object with a `runId`. Raises BadRequest."""
    items = body_object(body).get("runs")
    if not isinstance(items, list) or not all(
        isinstance(item, dict) and isinstance(item.get("runId"), str) for item in items
    ):
        raise BadRequest("The body must have 'runs', a list of objects with a 'runId'.")
    return items


def events_of_batch(body: Any) -> list[tuple[str, Any]]:
    """The events in a batch, each with the id of its run. Raises BadRequest."""
    items = body_object(body).get("events")
    if not isinstance(items, list):
        raise BadRequest("The body must have 'events', a list.")
    found = []
    for item in items:
        data = item.get("data") if isinstance(item, dict) else None
        run_id = data.get("RunId") if isinstance(data, dict) else None
        found.append((str(run_id or ""), item))
    return found


def page_asked_for(body: Any) -> dict[str, Any]:
    """Filter, order, size and place of a page, as a query of runs or experiments gives them.

    Raises BadRequest.
    """
    given = body_object(body or {})
    return {
        "filter": given.get("filter"),
        "order_by": given.get("orderby") or given.get("orderBy"),
        "top": given.get("top"),
        "continuation": given.get("continuationToken"),
    }


def _kind(value: Any) -> dict[str, Any]:
    traits = value.get("traits") or [] if isinstance(value, dict) else None
    if not isinstance(traits, list) or not all(isinstance(trait, str) for trait in traits):
        raise BadRequest("'runTypeV2' has an 'orchestrator' and 'traits', a list of texts.")
    return {"orchestrator": text_of(value, "orchestrator"), "traits": tuple(traits)}
