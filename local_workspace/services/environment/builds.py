"""Builds of environments ahead of the first job: what is an image build on Azure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import NotFound
from local_workspace.services.artifact import ArtifactLog, artifact_url
from local_workspace.services.environment.records import get_environment
from local_workspace.store.tables.environment import EnvironmentBuildRow
from local_workspace.workspace import LocalWorkspace

RUNNING, SUCCEEDED, FAILED = "Running", "Succeeded", "Failed"

# Where the logs lie among the artifacts: the origin, then a container for each build.
_ORIGIN = "ImageLogs"
_LOG_FILE = "build.log"


class Environments(Protocol):
    """What this service asks of the engine of that name."""

    def build(self, build_id: str) -> None:
        """Take up a build that stands in the tables. Returns at once."""

    def find(self, definition: Mapping[str, Any]) -> Path | None:
        """The Python for a definition; None while it is not built.

        Raises BadRequest for a definition that cannot be followed.
        """


def start_build(workspace: LocalWorkspace, name: str, version: str) -> EnvironmentBuildRow:
    """Begin to build an environment.

    Raises NotFound.
    """
    engine: Environments = workspace.engines.environments
    with workspace.database.read() as session:
        version = get_environment(session, name, version).version
    build_id = str(uuid.uuid4())
    # The log is there before anybody knows of it: clients read it at once.
    log = log_of_build(workspace, build_id)
    log.say(f"Environment {name}, version {version}")
    log.flush()
    with workspace.database.write() as session:
        row = EnvironmentBuildRow(
            build_id=build_id, name=name, version=version, status=RUNNING, started=utc_now()
        )
        session.add(row)
    engine.build(build_id)
    return row


def get_build(workspace: LocalWorkspace, build_id: str) -> EnvironmentBuildRow:
    """A build as it stands.

    Raises NotFound.
    """
    with workspace.database.read() as session:
        row = session.get(EnvironmentBuildRow, build_id)
    if row is None:
        raise NotFound(f"There is no build '{build_id}' of an environment.")
    return row


def log_url(workspace: LocalWorkspace, build_id: str) -> str:
    """The address of a build's log, with a signature to read it."""
    return artifact_url(workspace, _ORIGIN, build_id, _LOG_FILE)


def image_details(workspace: LocalWorkspace, name: str, version: str | None) -> dict[str, Any]:
    """What `Environment.get_image_details` gives: no image, but the Python if it is there.

    Raises NotFound, and BadRequest when nothing can be built from the definition.
    """
    engine: Environments = workspace.engines.environments
    with workspace.database.read() as session:
        definition = get_environment(session, name, version).definition
    python = engine.find(definition)
    return {
        "imageExistsInRegistry": False,
        "dockerImage": {
            "name": None,
            "registry": {"address": None, "username": None, "password": None},
        },
        "pythonEnvironment": {
            "interpreterPath": str(python) if python else None,
            "condaEnvironmentPath": str(python.parent.parent) if python else None,
        },
        "ingredients": None,
    }


def unfinished_builds(session: Session) -> list[str]:
    """The ids of the builds that have not ended, the oldest first."""
    query = select(EnvironmentBuildRow.build_id).where(EnvironmentBuildRow.status == RUNNING)
    return list(session.execute(query.order_by(EnvironmentBuildRow.started)).scalars())


def definition_of_build(session: Session, build_id: str) -> dict[str, Any] | None:
    """What a build is to build; None when it has ended. Raises NotFound."""
    row = session.get(EnvironmentBuildRow, build_id)
    if row is None or row.status != RUNNING:
        return None
    return get_environment(session, row.name, row.version).definition


def log_of_build(workspace: LocalWorkspace, build_id: str) -> ArtifactLog:
    """The log of a build, to write to."""
    return ArtifactLog(workspace, _ORIGIN, build_id, _LOG_FILE)


def end_build(session: Session, build_id: str, *, is_good: bool) -> None:
    """Note that a build ended."""
    row = session.get(EnvironmentBuildRow, build_id)
    if row is not None and row.status == RUNNING:
        row.status, row.ended = SUCCEEDED if is_good else FAILED, utc_now()
