"""Published pipelines, and endpoints whose address stays while the pipelines behind it change."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, Conflict, NotFound
from local_workspace.fields import json_object, list_of, text_of
from local_workspace.services.pipelines.graph import SavedDataset, StoredPath
from local_workspace.services.pipelines.modules import add_graph
from local_workspace.services.pipelines.parsing import (
    Assignments,
    SubmissionInfo,
    check_assignments,
    default_assignments,
    submission_info,
)
from local_workspace.services.pipelines.runs import make_run, saved_id
from local_workspace.store.tables.pipelines import (
    PipelineEndpointRow,
    PipelineRunRow,
    PublishedPipelineRow,
)

ACTIVE, DISABLED = "Active", "Disabled"
_STATUSES = (ACTIVE, "Deprecated", DISABLED)
_EXPERIMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")


def publish(session: Session, document: Mapping[str, Any]) -> PublishedPipelineRow:
    """Keep a graph under an address of its own (the SDK's PipelineCreationInfo).

    Raises BadRequest for a graph that cannot run, or values for parameters that it does not have.
    """
    name = text_of(document, "Name", longest=255)
    if not name:
        raise BadRequest("A published pipeline has a 'Name'.")
    graph = add_graph(session, document.get("Graph"), document.get("GraphInterface"))
    given = submission_info(document)
    check_assignments(given.assignments, graph.interface)
    values = given.assignments.over(default_assignments(graph.interface))
    row = PublishedPipelineRow(
        id=str(uuid.uuid4()),
        name=name,
        description=text_of(document, "Description"),
        version=text_of(document, "Version", longest=255),
        graph_id=graph.id,
        parameters=values.parameters,
        data_paths={name: asdict(path) for name, path in values.data_paths.items()},
        datasets={name: saved_id(session, one) for name, one in values.datasets.items()},
        continues_on_failure=bool(given.continues_on_failure),
        is_active=True,
        created=utc_now(),
    )
    session.add(row)
    session.flush()
    return row


def get_published(session: Session, pipeline_id: str) -> PublishedPipelineRow:
    """A published pipeline. Raises NotFound."""
    row = session.get(PublishedPipelineRow, pipeline_id)
    if row is None:
        raise NotFound(f"There is no published pipeline '{pipeline_id}' in this workspace.")
    return row


def list_published(session: Session, *, active_only: bool) -> list[PublishedPipelineRow]:
    """Published pipelines, the newest first."""
    query = select(PublishedPipelineRow).order_by(PublishedPipelineRow.created.desc())
    if active_only:
        query = query.where(PublishedPipelineRow.is_active)
    return list(session.scalars(query))


def set_published_status(session: Session, pipeline_id: str, status: Any) -> None:
    """Enable or disable a published pipeline. Raises NotFound, BadRequest for another status."""
    row = get_published(session, pipeline_id)
    row.is_active = is_active(status)


def is_active(status: Any) -> bool:
    """Whether an EntityStatus is that of something in use. Raises BadRequest for none."""
    if not isinstance(status, str) or status not in _STATUSES:
        raise BadRequest(f"The status is one of {', '.join(_STATUSES)}, not {status!r}.")
    return status == ACTIVE


def make_published_run(
    session: Session,
    row: PublishedPipelineRow,
    info: SubmissionInfo,
    *,
    created_by: dict[str, Any] | None = None,
    schedule_id: str | None = None,
) -> PipelineRunRow:
    """A run of a published pipeline that has not begun.

    Raises BadRequest when it is disabled, without the name of an experiment, or for parameters
    that it does not have.
    """
    if not row.is_active:
        raise BadRequest(
            f"The published pipeline '{row.name}' ({row.id}) is disabled and cannot be run. Enable "
            "it with PublishedPipeline.enable(), or publish another one.",
            code="UserError",
        )
    name = info.experiment_name
    if not name or not _EXPERIMENT.fullmatch(name):
        raise BadRequest(
            "The body needs an 'ExperimentName': the experiment under which the run is kept, of "
            f"letters, digits, '_' and '-'. It is {name!r}.",
            code="UserError",
        )
    defaults = Assignments(
        row.parameters,
        {key: StoredPath(**path) for key, path in row.data_paths.items()},
        {key: SavedDataset(saved) for key, saved in row.datasets.items()},
    )
    return make_run(
        session,
        row.graph_id,
        name,
        info,
        created_by=created_by,
        defaults=defaults,
        pipeline_id=row.id,
        schedule_id=schedule_id,
        continues_on_failure=row.continues_on_failure,
    )


# Endpoints


def add_endpoint(session: Session, document: Mapping[str, Any]) -> PipelineEndpointRow:
    """An endpoint with one pipeline, its version 0.

    Raises BadRequest without a name, Conflict for one that is taken, NotFound for the pipeline.
    """
    name = text_of(document, "Name", longest=255)
    if not name:
        raise BadRequest("A pipeline endpoint has a 'Name'.")
    if find_endpoint(session, name) is not None:
        raise Conflict(
            f"There is a pipeline endpoint named '{name}' already. Add the pipeline to it with "
            "PipelineEndpoint.add_default, or choose another name."
        )
    pipeline = get_published(session, text_of(document, "PipelineId") or "")
    row = PipelineEndpointRow(
        id=str(uuid.uuid4()),
        name=name,
        description=text_of(document, "Description"),
        is_active=True,
        default_version="0",
        versions=[["0", pipeline.id]],
        created=utc_now(),
    )
    session.add(row)
    session.flush()
    return row


def find_endpoint(session: Session, name: str) -> PipelineEndpointRow | None:
    """The endpoint of that name, if there is one."""
    return session.scalars(
        select(PipelineEndpointRow).where(PipelineEndpointRow.name == name)
    ).first()


def get_endpoint(session: Session, endpoint_id: str) -> PipelineEndpointRow:
    """An endpoint by its id. Raises NotFound."""
    row = session.get(PipelineEndpointRow, endpoint_id)
    if row is None:
        raise NotFound(f"There is no pipeline endpoint '{endpoint_id}' in this workspace.")
    return row


def list_endpoints(session: Session, *, active_only: bool) -> list[PipelineEndpointRow]:
    """Endpoints, the newest first."""
    query = select(PipelineEndpointRow).order_by(PipelineEndpointRow.created.desc())
    if active_only:
        query = query.where(PipelineEndpointRow.is_active)
    return list(session.scalars(query))


def change_endpoint(
    session: Session, endpoint_id: str, document: Mapping[str, Any]
) -> PipelineEndpointRow:
    """Replace an endpoint by what a client made of it (the SDK's PipelineEndpointEntity).

    Versions are added by the client and never taken away. Raises NotFound, Conflict for a name
    that is taken, BadRequest for versions that cannot be.
    """
    row = get_endpoint(session, endpoint_id)
    name = text_of(document, "Name", longest=255) or row.name
    if name != row.name and find_endpoint(session, name) is not None:
        raise Conflict(f"There is a pipeline endpoint named '{name}' already.")
    versions = [list(pair) for pair in row.versions]
    known = {version for version, _ in versions}
    for item in list_of(document, "PipelineVersionList"):
        one = json_object(item, "Each of 'PipelineVersionList'")
        pipeline = get_published(session, text_of(one, "PipelineId") or "")
        # The client counts; an entry without a version is a new one.
        version = text_of(one, "Version", longest=64) or str(len(versions))
        if version not in known:
            versions.append([version, pipeline.id])
            known.add(version)
    default = text_of(document, "DefaultVersion") or row.default_version
    if default not in known:
        raise BadRequest(
            f"The endpoint '{row.name}' has no version '{default}'; it has {sorted(known)}."
        )
    row.name = name
    if "Description" in document:
        row.description = text_of(document, "Description")
    row.versions, row.default_version = versions, default
    if document.get("EntityStatus"):
        row.is_active = is_active(document["EntityStatus"])
    return row


def pipeline_of_endpoint(
    session: Session, row: PipelineEndpointRow, version: str | None = None
) -> PublishedPipelineRow:
    """The pipeline behind an endpoint: that of a version, or of the default one.

    Raises BadRequest when the endpoint is disabled, or has no such version.
    """
    if not row.is_active:
        raise BadRequest(
            f"The pipeline endpoint '{row.name}' is disabled and cannot be run. Enable it with "
            "PipelineEndpoint.enable().",
            code="UserError",
        )
    wanted = row.default_version if version is None else str(version)
    for known, pipeline_id in row.versions:
        if known == wanted:
            return get_published(session, pipeline_id)
    versions = ", ".join(known for known, _ in row.versions)
    raise BadRequest(
        f"The pipeline endpoint '{row.name}' has no version '{wanted}'; it has {versions}.",
        code="UserError",
    )
