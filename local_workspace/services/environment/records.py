"""Behaviour of environments over the store."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, Conflict, NotFound
from local_workspace.store.tables.environment import EnvironmentRow, EnvironmentVersionRow

LATEST = "latest"
PAGE_SIZE = 100
# Second spellings of curated environments: they are found, but a list names each environment once.
OTHER_SPELLINGS = {"azureml-sklearn-1.5": "AzureML-sklearn-1.5"}

_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,254}")
_RESERVED = ("AzureML", "Microsoft")
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


def register_environment(
    session: Session,
    name: str,
    definition: dict[str, Any],
    version: str | None = None,
    *,
    curated: bool = False,
) -> EnvironmentVersionRow:
    """Register `definition` (see `definition_of`) and make it the latest of its name.

    Without `version`, content that is registered under this name keeps its version and new
    content gets the next number. Raises BadRequest for a name that cannot be, Conflict when
    `version` exists with other content.
    """
    if not curated:
        _check_name(session, name)
    if version is not None and not _NAME.fullmatch(version):
        raise BadRequest(f"The version '{version}' of an environment is not a valid version.")
    row = session.get(EnvironmentRow, name, with_for_update=True)
    if row is None:
        row = EnvironmentRow(name=name, curated=curated, latest="", labels={}, last_number=0)
        session.add(row)
    digest = _digest(definition)
    if version is None:
        found = _by_digest(session, name, digest)
        number = row.last_number + 1
        while found is None and session.get(EnvironmentVersionRow, (name, str(number))):
            number += 1
        version = found.version if found is not None else str(number)
    else:
        found = session.get(EnvironmentVersionRow, (name, version))
        if found is not None and found.digest != digest:
            raise Conflict(
                f"Version '{version}' of the environment '{name}' is registered with other "
                "content, and a version never changes. Register without a version to get the next "
                "one.",
                code="EnvironmentVersionExists",
            )
    if found is None:
        # The name first, because the version refers to it.
        row.latest = version
        session.flush()
        found = EnvironmentVersionRow(
            name=name,
            version=version,
            digest=digest,
            definition=definition,
            created=utc_now(),
        )
        session.add(found)
        if version.isdigit():
            row.last_number = max(row.last_number, int(version))
    row.latest = version
    return found


def get_environment(
    session: Session, name: str, version: str | None = None, label: str | None = None
) -> EnvironmentVersionRow:
    """An environment by version or label, or the latest of its name.

    Raises NotFound (`EnvironmentNotFound`).
    """
    row = session.get(EnvironmentRow, name)
    if row is None:
        raise _not_found(f"There is no environment '{name}' in this workspace.")
    if label is not None and label != LATEST:
        version = row.labels.get(label)
        if version is None:
            raise _not_found(f"No version of the environment '{name}' has the label '{label}'.")
    elif version is None or version == LATEST:
        version = row.latest
    found = session.get(EnvironmentVersionRow, (name, version))
    if found is None:
        raise _not_found(f"The environment '{name}' has no version '{version}'.")
    return found


def list_environments(
    session: Session, after: str | None = None, limit: int = PAGE_SIZE
) -> list[EnvironmentVersionRow]:
    """The latest of every name, by name; `after` is the last name of the page before.

    A curated environment that can be written in two ways is listed once.
    """
    query = (
        select(EnvironmentVersionRow)
        .join(
            EnvironmentRow,
            (EnvironmentRow.name == EnvironmentVersionRow.name)
            & (EnvironmentRow.latest == EnvironmentVersionRow.version),
        )
        .where(EnvironmentRow.name.not_in(OTHER_SPELLINGS))
        .order_by(EnvironmentRow.name)
        .limit(limit)
    )
    if after is not None:
        query = query.where(EnvironmentRow.name > after)
    return list(session.execute(query).scalars())


def set_labels(session: Session, name: str, version: str, labels: Any) -> list[str]:
    """Give a version exactly these labels; other versions of the name lose them.

    Raises NotFound, and BadRequest for what cannot be a label.
    """
    if not isinstance(labels, list) or not all(
        isinstance(label, str) and _NAME.fullmatch(label) for label in labels
    ):
        raise BadRequest("'Labels' must be a list of texts of letters, digits, '_', '-' and '.'.")
    if LATEST in labels:
        raise BadRequest("The label 'latest' belongs to the version that was registered last.")
    found = get_environment(session, name, version)
    row = session.get(EnvironmentRow, name, with_for_update=True)
    kept = {label: of for label, of in row.labels.items() if of != found.version}
    row.labels = {**kept, **dict.fromkeys(labels, found.version)}
    return labels


def _not_found(message: str) -> NotFound:
    return NotFound(message, code="EnvironmentNotFound")


def _check_name(session: Session, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"The environment name '{name}' is invalid. It can include letters, digits, '_', '-' "
            "and '.', must not start with '-', and have at most 255 characters.",
            code="InvalidEnvironmentName",
        )
    row = session.get(EnvironmentRow, name)
    if name.startswith(_RESERVED) or (row is not None and row.curated):
        raise BadRequest(
            f"The environment name '{name}' is reserved: names that start with 'AzureML' or "
            "'Microsoft' belong to curated environments. Choose another name; Environment.clone "
            "makes a copy under a new name.",
            code="ReservedEnvironmentName",
        )


def _by_digest(session: Session, name: str, digest: str) -> EnvironmentVersionRow | None:
    query = select(EnvironmentVersionRow).where(
        EnvironmentVersionRow.name == name, EnvironmentVersionRow.digest == digest
    )
    # The same content may also have been registered under versions of its user's own choice.
    return session.execute(query.order_by(EnvironmentVersionRow.created.desc())).scalars().first()


def _digest(definition: dict[str, Any]) -> str:
    canonical = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
