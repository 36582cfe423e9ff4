"""Tables of the resource manager."""

from __future__ import annotations

from sqlalchemy import JSON, Column, String

from local_workspace.store.declarative import Base


class ResourceRow(Base):
    """What a user may change of a resource (tags, description), by resource id."""

    __tablename__ = "resources"

    resource_id = Column(String(512), primary_key=True)
    editable = Column(JSON, nullable=False, default=dict)
