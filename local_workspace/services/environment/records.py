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
# As many digits as every database keeps in an integer column.
_NUMBER = re.compile(r"[0-9]{1,9}")
_RESERVED = ("AzureML", "Microsoft")
# Versions of definitions that were submitted with a run and never registered begin so.
_SUBMITTED = "Autosave_"


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
        check_name(session, name)
    row = session.get(EnvironmentRow, name, with_for_update=True)
    if row is None:
        row = EnvironmentRow(name=name, curated=curated, latest="", labels={}, last_number=0)
        session.add(row)
    digest = digest_of(definition)
    if version is None:
        # What was only submitted gets a number when it is registered.
        found = find_content(session, name, digest, with_submitted=False)
        number = row.last_number + 1
        while found is None and session.get(EnvironmentVersionRow, (name, str(number))):
            number += 1
        version = found.version if found is not None else str(number)
    else:
        found = session.get(EnvironmentVersionRow, (name, version))
        if found is None and not _NAME.fullmatch(version):
            raise BadRequest(f"The version '{version}' of an environment is not a valid version.")
        if found is not None and found.digest != digest:
            raise Conflict(
                f"Version '{version}' of the environment '{name}' is registered with other "
                "content, and a version never changes. Register without a version to get the next "
                "one.",
                code="EnvironmentVersionExists",
            )
    if found is None:
        found = _add_version(session, row, version, digest, definition)
    row.latest = version
    return found


def save_submitted(
    session: Session, name: str, definition: dict[str, Any]
) -> EnvironmentVersionRow:
    """Keep a definition that a run was submitted with, as the latest of its name.

    Its version is of Azure's form, `Autosave_{time}_{8 hex}`. The name is not checked.
    """
    row = session.get(EnvironmentRow, name, with_for_update=True)
    if row is None:
        row = EnvironmentRow(name=name, curated=False, latest="", labels={}, last_number=0)
        session.add(row)
    digest = digest_of(definition)
    version = f"{_SUBMITTED}{utc_now():%Y-%m-%dT%H:%M:%SZ}_{digest[:8]}"
    return _add_version(session, row, version, digest, definition)


def _add_version(
    session: Session, row: EnvironmentRow, version: str, digest: str, definition: dict[str, Any]
) -> EnvironmentVersionRow:
    # The name first, because the version refers to it.
    row.latest = version
    session.flush()
    added = EnvironmentVersionRow(
        name=row.name, version=version, digest=digest, definition=definition, created=utc_now()
    )
    session.add(added)
    if _NUMBER.fullmatch(version):
        row.last_number = max(row.last_number, int(version))
    return added


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


def check_name(session: Session, name: str) -> None:
    """Raise BadRequest for a name that is none, or that belongs to a curated environment."""
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"The environment name '{name}' is invalid. It can include letters, digits, '_', '-' "
            "and '.', must not start with '-', and have at most 255 characters.",
            code="InvalidEnvironmentName",
        )
    prefix = next((prefix for prefix in _RESERVED if name.startswith(prefix)), None)
    row = session.get(EnvironmentRow, name)
    if prefix is None and (row is None or not row.curated):
        return
    # The first two sentences are Azure's, as far as it has one.
    if prefix is not None:
        what = f"Environment name can not start with the prefix {prefix}."
    else:
        what = f"Environment name can not be that of the curated environment {name}."
    raise BadRequest(
        f"{what} To alter a curated environment first create a copy of it. "
        f"Environment.clone makes one; '{name}' is not a name for it.",
        inner_code="ReservedEnvironmentName",
    )


def find_content(
    session: Session, name: str, digest: str, *, with_submitted: bool
) -> EnvironmentVersionRow | None:
    """The last version of `name` with this content (see `digest_of`); None when there is none."""
    query = select(EnvironmentVersionRow).where(
        EnvironmentVersionRow.name == name, EnvironmentVersionRow.digest == digest
    )
    if not with_submitted:
        query = query.where(~EnvironmentVersionRow.version.startswith(_SUBMITTED, autoescape=True))
    # The same content may also have been registered under versions of its user's own choice.
    return session.execute(query.order_by(EnvironmentVersionRow.created.desc())).scalars().first()


def digest_of(definition: dict[str, Any]) -> str:
    """What tells the content of one definition from that of another."""
    canonical = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
