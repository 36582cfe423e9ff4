"""Tables of the environment service."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, ForeignKey, Index, Integer, String

from local_workspace.store.declarative import Base


class EnvironmentRow(Base):
    """A name under which environments are registered."""

    __tablename__ = "environments"

    name = Column(String(255), primary_key=True)
    # Curated environments come with the workspace and cannot be registered over.
    curated = Column(Boolean, nullable=False, default=False)
    # The version registered last, which is what "latest" means.
    latest = Column(String(255), nullable=False)
    # {label: version}
    labels = Column(JSON, nullable=False, default=dict)
    # The highest version given out by counting.
    last_number = Column(Integer, nullable=False, default=0)


class EnvironmentVersionRow(Base):
    """One version: a definition that never changes."""

    __tablename__ = "environment_versions"

    name = Column(String(255), ForeignKey("environments.name"), primary_key=True)
    version = Column(String(255), primary_key=True)
    # SHA-256 of the definition: the same content is the same version.
    digest = Column(String(64), nullable=False)
    definition = Column(JSON, nullable=False)
    created = Column(DateTime(timezone=True), nullable=False)

    __table_args__ = (Index("ix_environment_versions_by_digest", "name", "digest"),)


class EnvironmentBuildRow(Base):
    """A build that a client asked for ahead of the first job."""

    __tablename__ = "environment_builds"

    build_id = Column(String(36), primary_key=True)
    name = Column(String(255), nullable=False)
    version = Column(String(255), nullable=False)
    # "Running", "Succeeded" or "Failed".
    status = Column(String(16), nullable=False)
    started = Column(DateTime(timezone=True), nullable=False)
    ended = Column(DateTime(timezone=True))
