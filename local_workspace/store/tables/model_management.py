"""Tables of model management: models, their versions, and assets."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, ForeignKey, Index, Integer, String, Text

from local_workspace.store.declarative import Base


class AssetRow(Base):
    """An asset: a named set of artifacts, which the SDK makes before it registers a model."""

    __tablename__ = "assets"

    asset_id = Column(String(64), primary_key=True)
    name = Column(String(255), nullable=False)
    # [{"prefix": "origin/container/path"}] or [{"id": ...}], as the SDK sent them.
    artifacts = Column(JSON, nullable=False)
    run_id = Column(String(256))
    tags = Column(JSON, nullable=False, default=dict)
    properties = Column(JSON, nullable=False, default=dict)
    meta = Column(JSON(none_as_null=True))
    created = Column(DateTime(timezone=True), nullable=False)


class ModelRow(Base):
    """What all versions of a registered model have in common. All times are UTC."""

    __tablename__ = "registered_models"

    name = Column(String(255), primary_key=True)
    description = Column(Text)
    tags = Column(JSON, nullable=False, default=dict)
    # {alias: version}
    aliases = Column(JSON, nullable=False, default=dict)
    # Numbers are given once: a deleted version's is not used again.
    last_version = Column(Integer, nullable=False, default=0)
    created = Column(DateTime(timezone=True), nullable=False)
    last_modified = Column(DateTime(timezone=True), nullable=False)


class ModelVersionRow(Base):
    """One version of a registered model, seen alike by the SDK and by MLflow."""

    __tablename__ = "model_versions"

    name = Column(String(255), ForeignKey("registered_models.name"), primary_key=True)
    version = Column(Integer, primary_key=True)
    description = Column(Text)
    tags = Column(JSON, nullable=False, default=dict)
    properties = Column(JSON, nullable=False, default=dict)
    # MLflow's stage: "None", "Staging", "Production" or "Archived".
    stage = Column(String(16), nullable=False, default="None")
    # Where its files are: artifacts of this origin and container whose paths begin with `path`.
    origin = Column(String(64), nullable=False)
    container = Column(String(300), nullable=False)
    path = Column(Text, nullable=False)
    asset_id = Column(String(64), ForeignKey("assets.asset_id"), nullable=False)
    # What the MLflow client named as source; empty for a model that the SDK registered.
    source = Column(Text)
    run_id = Column(String(256))
    run_link = Column(Text)
    experiment_name = Column(String(255))
    mime_type = Column(String(128), nullable=False, default="application/json")
    framework = Column(String(64))
    framework_version = Column(String(64))
    unpack = Column(Boolean, nullable=False, default=False)
    # [{"name": scenario, "id": dataset}]
    datasets = Column(JSON, nullable=False, default=list)
    sample_input = Column(Text)
    sample_output = Column(Text)
    resources = Column(JSON(none_as_null=True))
    created_by = Column(JSON(none_as_null=True))
    created = Column(DateTime(timezone=True), nullable=False)
    last_modified = Column(DateTime(timezone=True), nullable=False)


Index("ix_model_versions_by_run", ModelVersionRow.run_id)
Index("ix_model_versions_by_creation", ModelVersionRow.created)
