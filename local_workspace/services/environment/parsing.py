"""What clients send of environments, as the definition that is kept."""

from __future__ import annotations

from typing import Any

from local_workspace.errors import BadRequest

_SECTIONS = (
    "python",
    "environmentVariables",
    "docker",
    "spark",
    "inferencingStackVersion",
    "r",
)


def definition_of(body: Any) -> dict[str, Any]:
    """The definition in a request: the SDK writes some of the names with a capital letter.

    Raises BadRequest when it is no definition.
    """
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object: the definition of an environment.")
    lowered = {key[:1].lower() + key[1:]: value for key, value in body.items()}
    definition = {section: lowered.get(section) for section in _SECTIONS}
    for section in ("python", "environmentVariables", "docker", "spark", "r"):
        if definition[section] is not None and not isinstance(definition[section], dict):
            raise BadRequest(f"The section '{section}' of an environment must be a JSON object.")
    definition["environmentVariables"] = definition["environmentVariables"] or {}
    return definition
