"""Tables of the content service: snapshots of project folders."""

from __future__ import annotations

from sqlalchemy import JSON, Column, DateTime, String

from local_workspace.store.declarative import Base


class SnapshotRow(Base):
    """The files of a project folder at one moment."""

    __tablename__ = "snapshots"

    snapshot_id = Column(String(64), primary_key=True)
    parent_id = Column(String(64))
    created = Column(DateTime(timezone=True), nullable=False)
    # What the client found out about the folder's git repository.
    properties = Column(JSON, nullable=False, default=dict)
    # The folder as a tree of nodes with hashes, as the client sent it.
    tree = Column(JSON, nullable=False)
    # {path: {"blob": name in the container of snapshots, "size": bytes}}
    files = Column(JSON, nullable=False)
