"""Table of the datastore service."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, Integer, String, Text

from local_workspace.store.declarative import Base


class DatastoreRow(Base):
    """One datastore. All times are UTC."""

    __tablename__ = "datastores"

    # In lower case: names of datastores do not differ by case.
    name = Column(String(255), primary_key=True)
    store_type = Column(String(32), nullable=False)
    account = Column(String(64), nullable=False)
    container = Column(String(63), nullable=False)
    # Empty for storage of this workspace, whose address changes with the port of the server.
    endpoint = Column(String(255))
    # "AccountKey" or "Sas"
    credential_type = Column(String(16), nullable=False)
    # Empty for the workspace's own account, whose key is in its settings.
    credential = Column(Text)
    subscription_id = Column(String(64))
    resource_group = Column(String(128))
    blob_cache_timeout = Column(Integer)
    tags = Column(JSON, nullable=False, default=dict)
    # Made with the workspace, as on Azure.
    built_in = Column(Boolean, nullable=False, default=False)
    is_default = Column(Boolean, nullable=False, default=False)
    created = Column(DateTime(timezone=True), nullable=False)
    modified = Column(DateTime(timezone=True), nullable=False)
