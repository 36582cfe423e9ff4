"""Registered models and their versions: what the SDK's and MLflow's registry both do with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, Conflict, NotFound
from local_workspace.services.model_management.assets import create_asset
from local_workspace.store.tables.model_management import ModelRow, ModelVersionRow

# How many rows are read at once where it is not known how many are wanted.
_AT_ONCE = 200
STAGES = ("None", "Staging", "Production", "Archived")
# The SDK's own rule (`model_name_validation`): letters, digits, '-', '.' and '_', up to 255.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-._]{0,254}")
_NEWEST_FIRST = (
    ModelVersionRow.created.desc(),
    ModelVersionRow.version.desc(),
    ModelVersionRow.name,
)
# As many digits as every database keeps in an integer column.
_NUMBER = re.compile(r"[0-9]{1,9}")


def model_not_found(name: str, version: int | str | None = None) -> NotFound:
    """The error for a model or version that does not exist."""
    what = f"Model with name '{name}'" if version is None else f"Model '{name}:{version}'"
    return NotFound(f"{what} not found.", code="ModelNotFound", inner_code="ModelNotFound")


def get_model(session: Session, name: str) -> ModelRow:
    """The registered model of that name. Raises NotFound."""
    row = session.get(ModelRow, name)
    if row is None:
        raise model_not_found(name)
    return row


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest(
            f"'{name}' cannot be the name of a model: use 1 to 255 letters, digits, '-', '.' and "
            "'_', and begin with a letter or a digit.",
            inner_code="InvalidModelName",
        )


def new_model(
    session: Session,
    name: str,
    *,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> ModelRow:
    """Make a model without versions. Raises Conflict when there is one, BadRequest for its name."""
    _check_name(name)
    if session.get(ModelRow, name) is not None:
        raise Conflict(f"There is a registered model '{name}' already.")
    now = utc_now()
    row = ModelRow(
        name=name,
        description=description,
        tags=dict(tags or {}),
        aliases={},
        last_version=0,
        created=now,
        last_modified=now,
    )
    session.add(row)
    session.flush()
    return row


def ensure_model(session: Session, name: str) -> ModelRow:
    """The model of that name, made when there is none, and kept from other writers.

    Raises BadRequest.
    """
    _check_name(name)
    return session.get(ModelRow, name, with_for_update=True) or new_model(session, name)


def rename_model(session: Session, name: str, new_name: str) -> ModelRow:
    """Give a model another name; its versions go with it. Raises NotFound, Conflict, BadRequest."""
    row = get_model(session, name)
    if new_name == name:
        return row
    renamed = new_model(session, new_name, description=row.description, tags=row.tags)
    renamed.aliases, renamed.last_version = row.aliases, row.last_version
    renamed.created = row.created
    session.flush()
    session.execute(
        update(ModelVersionRow).where(ModelVersionRow.name == name).values(name=new_name)
    )
    session.delete(row)
    session.flush()
    return renamed


def delete_model(session: Session, name: str) -> None:
    """Forget a model with all versions; their files stay. Raises NotFound."""
    row = get_model(session, name)
    for version in all_versions(session, name=name):
        session.delete(version)
    session.flush()
    session.delete(row)


def add_version(
    session: Session,
    name: str,
    place: tuple[str, str, str],
    *,
    asset_id: str | None = None,
    **fields: Any,
) -> ModelVersionRow:
    """Register files as the next version of a model, which is made when there is none.

    `place` is origin, container and path of its artifacts; `fields` are columns of
    ModelVersionRow. Raises BadRequest.
    """
    model = ensure_model(session, name)
    origin, container, path = place
    if asset_id is None:
        # The SDK downloads a model by its asset, whoever registered it.
        prefix = {"prefix": f"{origin}/{container}/{path}"}
        asset_id = create_asset(session, {"name": name, "artifacts": [prefix]}).asset_id
    model.last_version += 1
    now = utc_now()
    model.last_modified = now
    row = ModelVersionRow(
        name=name,
        version=model.last_version,
        origin=origin,
        container=container,
        path=path,
        asset_id=asset_id,
        created=now,
        last_modified=now,
        **{"tags": {}, "properties": {}, "stage": "None", "datasets": [], **fields},
    )
    session.add(row)
    session.flush()
    return row


def get_version(session: Session, name: str, version: int | str) -> ModelVersionRow:
    """A version of a model. Raises NotFound, also for a version that is no number."""
    number = int(version) if _NUMBER.fullmatch(str(version)) else None
    row = session.get(ModelVersionRow, (name, number)) if number is not None else None
    if row is None:
        raise model_not_found(name, version)
    return row


def all_models(session: Session) -> list[ModelRow]:
    """All registered models by name."""
    return list(session.scalars(select(ModelRow).order_by(ModelRow.name)))


def all_versions(
    session: Session, *, name: str | None = None, run_id: str | None = None
) -> list[ModelVersionRow]:
    """Versions of all models, or of one or of a run, the newest first."""
    query = select(ModelVersionRow)
    if name is not None:
        query = query.where(ModelVersionRow.name == name)
    if run_id is not None:
        query = query.where(ModelVersionRow.run_id == run_id)
    return list(session.scalars(query.order_by(*_NEWEST_FIRST)))


def latest_versions(
    session: Session, names: Iterable[str] | None = None
) -> dict[str, list[ModelVersionRow]]:
    """The latest version in each stage, by model: of all models, or of those in `names`."""
    key = (ModelVersionRow.name, ModelVersionRow.stage)
    highest = select(*key, func.max(ModelVersionRow.version).label("version")).group_by(*key)
    if names is not None:
        highest = highest.where(ModelVersionRow.name.in_(list(names)))
    of_stage = highest.subquery()
    query = select(ModelVersionRow).join(
        of_stage,
        (of_stage.c.name == ModelVersionRow.name) & (of_stage.c.version == ModelVersionRow.version),
    )
    found: dict[str, list[ModelVersionRow]] = {}
    for row in session.scalars(query.order_by(*_NEWEST_FIRST)):
        found.setdefault(row.name, []).append(row)
    return found


def page_of_versions(
    session: Session,
    start: int,
    count: int,
    *,
    name: str | None = None,
    run_id: str | None = None,
    framework: str | None = None,
    latest_only: bool = False,
    matches: Callable[[ModelVersionRow], bool] | None = None,
) -> tuple[list[ModelVersionRow], bool]:
    """Up to `count` versions from the one numbered `start` on, and whether there are more.

    The newest first; with `latest_only` those with the highest numbers, one of each model. The
    database reads no more than the page, or than it takes to find so many that `matches` likes.
    """
    wanted = []
    if name is not None:
        wanted.append(ModelVersionRow.name == name)
    if run_id is not None:
        wanted.append(ModelVersionRow.run_id == run_id)
    query = select(ModelVersionRow).where(*wanted)
    order = _NEWEST_FIRST
    if latest_only:
        latest = (
            select(ModelVersionRow.name, func.max(ModelVersionRow.version).label("version"))
            .where(*wanted)
            .group_by(ModelVersionRow.name)
            .subquery()
        )
        query = query.join(
            latest,
            (latest.c.name == ModelVersionRow.name) & (latest.c.version == ModelVersionRow.version),
        )
        order = (ModelVersionRow.version.desc(), *_NEWEST_FIRST)
    if framework:
        query = query.where(func.lower(ModelVersionRow.framework) == framework.lower())
    query = query.order_by(*order)
    if matches is None:
        found = list(session.scalars(query.offset(start).limit(count + 1)))
    else:
        liked = (row for row in session.scalars(query).yield_per(_AT_ONCE) if matches(row))
        found = list(islice(liked, start, start + count + 1))
    return found[:count], len(found) > count


def delete_version(session: Session, name: str, version: int | str) -> None:
    """Forget a version and its aliases; its files stay, and its number is not given again."""
    row = get_version(session, name, version)
    model = get_model(session, name)
    model.aliases = {
        alias: number for alias, number in model.aliases.items() if number != row.version
    }
    model.last_modified = utc_now()
    session.delete(row)
    session.flush()


def set_stage(
    session: Session, name: str, version: int | str, stage: str, *, archive_existing: bool = False
) -> ModelVersionRow:
    """Bring a version to a stage of MLflow's, and archive the others there if asked to.

    Raises NotFound, and BadRequest for a stage that does not exist.
    """
    canonical = {known.lower(): known for known in STAGES}.get(str(stage).lower())
    if canonical is None:
        raise BadRequest(f"'{stage}' is not one of the stages {', '.join(STAGES)}.")
    row = get_version(session, name, version)
    if archive_existing:
        if canonical not in ("Staging", "Production"):
            raise BadRequest(
                "Existing versions are archived only when a version goes to Staging or Production."
            )
        for other in all_versions(session, name=name):
            if other.stage == canonical and other.version != row.version:
                other.stage, other.last_modified = "Archived", utc_now()
    row.stage, row.last_modified = canonical, utc_now()
    get_model(session, name).last_modified = row.last_modified
    session.flush()
    return row


def set_alias(session: Session, name: str, alias: str, version: int | str | None) -> None:
    """Have an alias mean a version, or nothing (None). Raises NotFound."""
    model = get_model(session, name)
    aliases = {key: value for key, value in model.aliases.items() if key != alias}
    if version is not None:
        aliases[alias] = get_version(session, name, version).version
    model.aliases = aliases
    model.last_modified = utc_now()
    session.flush()
