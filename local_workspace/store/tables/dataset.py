"""Tables of the dataset service."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    String,
    Text,
)

from local_workspace.store.declarative import Base


class SavedDatasetRow(Base):
    """A definition of a dataset, registered or not. It never changes."""

    __tablename__ = "saved_datasets"

    saved_id = Column(String(36), primary_key=True)
    # "tabular" or "file"
    dataset_type = Column(String(32), nullable=False)
    # What was posted (JSON in a text), and the data engine's YAML within it.
    dataflow = Column(Text, nullable=False)
    rs_dataflow = Column(Text, nullable=False)
    properties = Column(JSON, nullable=False, default=dict)
    # SHA-256 of type, properties and YAML: what makes two definitions the same.
    digest = Column(String(64), nullable=False, index=True)
    created = Column(DateTime(timezone=True), nullable=False)


class DatasetRow(Base):
    """A name under which definitions are registered. All times are UTC."""

    __tablename__ = "datasets"

    dataset_id = Column(String(36), primary_key=True)
    name = Column(String(255), nullable=False, unique=True)
    description = Column(Text)
    tags = Column(JSON, nullable=False, default=dict)
    is_visible = Column(Boolean, nullable=False, default=True)
    etag = Column(String(36), nullable=False)
    latest_version = Column(Integer, nullable=False)
    created = Column(DateTime(timezone=True), nullable=False)
    modified = Column(DateTime(timezone=True), nullable=False)


class DatasetVersionRow(Base):
    """One version of a registered dataset."""

    __tablename__ = "dataset_versions"

    dataset_id = Column(
        String(36), ForeignKey("datasets.dataset_id", ondelete="CASCADE"), primary_key=True
    )
    version = Column(Integer, primary_key=True)
    # A definition is registered at most once.
    saved_id = Column(
        String(36), ForeignKey("saved_datasets.saved_id"), nullable=False, unique=True
    )
    created = Column(DateTime(timezone=True), nullable=False)
