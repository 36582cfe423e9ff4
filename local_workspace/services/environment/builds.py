"""Builds of environments ahead of the first job: what is an image build on Azure."""

from __future__ import annotations

import logging
import threading
import uuid
from typing import Any

from sqlalchemy import select

from local_workspace.clock import utc_now
from local_workspace.engines.environments.builder import EnvironmentBuilder, EnvironmentBuildError
from local_workspace.errors import BadRequest, NotFound
from local_workspace.services.artifact import append_artifact, artifact_url
from local_workspace.services.environment.private_packages import with_files_of_private_packages
from local_workspace.services.environment.records import get_environment
from local_workspace.store.tables.environment import EnvironmentBuildRow
from local_workspace.workspace import LocalWorkspace

RUNNING, SUCCEEDED, FAILED = "Running", "Succeeded", "Failed"

_log = logging.getLogger(__name__)
# Where the logs lie among the artifacts: the origin, then a container for each build.
_ORIGIN = "ImageLogs"
_LOG_FILE = "build.log"


def start_build(workspace: LocalWorkspace, name: str, version: str) -> EnvironmentBuildRow:
    """Begin to build an environment, in a thread of its own.

    Raises NotFound.
    """
    with workspace.database.write() as session:
        environment = get_environment(session, name, version)
        row = EnvironmentBuildRow(
            build_id=str(uuid.uuid4()),
            name=name,
            version=environment.version,
            status=RUNNING,
            started=utc_now(),
        )
        session.add(row)
    _say(workspace, row.build_id, f"Environment {name}, version {environment.version}")
    threading.Thread(
        target=_build,
        args=(workspace, row.build_id, environment.definition),
        name=f"build {name}:{environment.version}",
        daemon=True,
    ).start()
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
    with workspace.database.read() as session:
        definition = get_environment(session, name, version).definition
    definition = with_files_of_private_packages(workspace, definition)
    try:
        python = EnvironmentBuilder(workspace.paths.environments).find(definition)
    except EnvironmentBuildError as error:
        raise BadRequest(str(error)) from error
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


def close_open_builds(workspace: LocalWorkspace) -> None:
    """Mark builds failed that the end of the last server interrupted."""
    with workspace.database.write() as session:
        query = select(EnvironmentBuildRow).where(EnvironmentBuildRow.status == RUNNING)
        interrupted = list(session.execute(query).scalars())
        for row in interrupted:
            row.status, row.ended = FAILED, utc_now()
    for row in interrupted:
        _say(workspace, row.build_id, "The local workspace was stopped during this build.")


def _build(workspace: LocalWorkspace, build_id: str, definition: dict[str, Any]) -> None:
    status = FAILED
    try:
        definition = with_files_of_private_packages(workspace, definition)
        builder = EnvironmentBuilder(workspace.paths.environments)
        builder.ensure(definition, lambda line: _say(workspace, build_id, line))
        status = SUCCEEDED
    except EnvironmentBuildError as error:
        # The installer's own lines are in the log already.
        _say(workspace, build_id, str(error).splitlines()[0])
    except OSError as error:
        _log.exception("Build %s failed", build_id)
        _say(workspace, build_id, f"The environment could not be built: {error}")
    finally:
        with workspace.database.write() as session:
            row = session.get(EnvironmentBuildRow, build_id)
            row.status, row.ended = status, utc_now()


def _say(workspace: LocalWorkspace, build_id: str, line: str) -> None:
    append_artifact(workspace, _ORIGIN, build_id, _LOG_FILE, f"{line}\n".encode())
