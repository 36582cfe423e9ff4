"""What graphs are made of: modules, paths in datastores, and the graphs themselves."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from local_workspace.clock import utc_now
from local_workspace.errors import BadRequest, NotFound
from local_workspace.fields import json_object, object_of, text_of
from local_workspace.services.pipelines.graph import Graph, StoredPath
from local_workspace.services.pipelines.graph_parsing import graph_of
from local_workspace.services.pipelines.kinds import check_kind
from local_workspace.services.pipelines.parsing import (
    check_names,
    path_in_datastore,
)
from local_workspace.store.tables.pipelines import (
    PipelineDataSourceRow,
    PipelineGraphRow,
    PipelineModuleRow,
)


def add_module(session: Session, document: Mapping[str, Any]) -> PipelineModuleRow:
    """Keep a module. Raises BadRequest without a name or an interface."""
    if not text_of(document, "Name", longest=255) or not object_of(document, "StructuredInterface"):
        raise BadRequest("A module has a 'Name' and a 'StructuredInterface'.")
    for name in ("Inputs", "Outputs", "Parameters", "MetadataParameters"):
        check_names(document["StructuredInterface"], name)
    row = PipelineModuleRow(
        id=str(uuid.uuid4()),
        identifier_hash=text_of(document, "IdentifierHash", longest=512),
        document=dict(document),
        created=utc_now(),
    )
    session.add(row)
    return row


def get_module(session: Session, module_id: str) -> PipelineModuleRow:
    """A module by its id. Raises NotFound."""
    row = session.get(PipelineModuleRow, module_id)
    if row is None:
        raise NotFound(f"There is no module '{module_id}' in this workspace.")
    return row


def module_by_hash(session: Session, identifier_hash: str) -> PipelineModuleRow:
    """The latest module with a client's fingerprint. Raises NotFound."""
    query = (
        select(PipelineModuleRow)
        .where(PipelineModuleRow.identifier_hash == identifier_hash)
        .order_by(PipelineModuleRow.created.desc())
    )
    row = session.scalars(query).first()
    if row is None:
        raise NotFound("There is no module with this fingerprint.")
    return row


def add_data_source(session: Session, document: Mapping[str, Any]) -> PipelineDataSourceRow:
    """Keep a path in a datastore as the input of graphs. Raises BadRequest without a datastore."""
    datastore = text_of(document, "DataStoreName", longest=255)
    if not datastore:
        raise BadRequest("A data source has a 'DataStoreName'.")
    if document.get("SqlTableName") or document.get("SqlQuery"):
        raise BadRequest("The local workspace has no datastores of SQL databases.")
    row = PipelineDataSourceRow(
        id=str(uuid.uuid4()),
        identifier_hash=text_of(document, "IdentifierHash", longest=512),
        name=text_of(document, "Name", longest=256),
        data_type_id=text_of(document, "DataTypeId", longest=64),
        datastore=datastore,
        path=path_in_datastore(text_of(document, "PathOnDataStore") or ""),
        created=utc_now(),
    )
    session.add(row)
    return row


def get_data_source(session: Session, source_id: str) -> PipelineDataSourceRow:
    """A data source by its id. Raises NotFound."""
    row = session.get(PipelineDataSourceRow, source_id)
    if row is None:
        raise NotFound(f"There is no data source '{source_id}' in this workspace.")
    return row


def data_source_by_hash(session: Session, identifier_hash: str) -> PipelineDataSourceRow:
    """The latest data source with a client's fingerprint. Raises NotFound."""
    query = (
        select(PipelineDataSourceRow)
        .where(PipelineDataSourceRow.identifier_hash == identifier_hash)
        .order_by(PipelineDataSourceRow.created.desc())
    )
    row = session.scalars(query).first()
    if row is None:
        raise NotFound("There is no data source with this fingerprint.")
    return row


def add_graph(session: Session, graph: Any, interface: Any) -> PipelineGraphRow:
    """Keep a graph with its parameters. Raises BadRequest for one that cannot run, NotFound,
    NotImplementedHere for steps that do not run here."""
    row = PipelineGraphRow(
        id=str(uuid.uuid4()),
        graph=json_object(graph, "'Graph'"),
        interface=json_object(interface or {}, "'GraphInterface'"),
    )
    for step in read_graph(session, row).steps.values():
        check_kind(step)
    session.add(row)
    return row


def get_graph(session: Session, graph_id: str) -> PipelineGraphRow:
    """A graph as it was sent. Raises NotFound."""
    row = session.get(PipelineGraphRow, graph_id)
    if row is None:
        raise NotFound(f"There is no graph '{graph_id}' in this workspace.")
    return row


def read_graph(session: Session, row: PipelineGraphRow) -> Graph:
    """A graph with what its modules say. Raises BadRequest, and NotFound for a module."""

    def find_module(module_id: str) -> Mapping[str, Any]:
        return get_module(session, module_id).document

    def find_data_source(source_id: str) -> StoredPath:
        found = get_data_source(session, source_id)
        return StoredPath(found.datastore, found.path)

    return graph_of(row.graph, find_module, find_data_source)
