"""Tables of run history: experiments and runs."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    func,
)

from local_workspace.store.declarative import Base


class ExperimentRow(Base):
    """An experiment: a named series of runs. All times are UTC.

    One of a name is active; archived ones may be called the same.
    """

    __tablename__ = "experiments"

    experiment_id = Column(String(64), primary_key=True)
    name = Column(String(255), nullable=False)
    description = Column(Text)
    created = Column(DateTime(timezone=True), nullable=False)
    last_modified = Column(DateTime(timezone=True), nullable=False)
    # Set while the experiment is archived; MLflow's lifecycle stage "deleted" is the same thing.
    archived = Column(DateTime(timezone=True))
    tags = Column(JSON, nullable=False, default=dict)
    last_run_number = Column(Integer, nullable=False, default=0)

    __table_args__ = (
        Index(
            "ix_experiments_active_name",
            "name",
            unique=True,
            sqlite_where=archived.is_(None),
            postgresql_where=archived.is_(None),
        ),
    )


class RunRow(Base):
    """One run, seen alike by the SDK and by MLflow. All times are UTC."""

    __tablename__ = "runs"

    run_id = Column(String(256), primary_key=True)
    experiment_id = Column(
        String(64), ForeignKey("experiments.experiment_id"), nullable=False, index=True
    )
    number = Column(Integer, nullable=False)
    parent_run_id = Column(String(256))
    root_run_id = Column(String(256), nullable=False, index=True)
    status = Column(String(32), nullable=False, default="NotStarted")
    # "active" or "deleted", in MLflow's words.
    lifecycle_stage = Column(String(16), nullable=False, default="active")
    deleted = Column(DateTime(timezone=True))
    name = Column(Text)
    display_name = Column(Text)
    description = Column(Text)
    hidden = Column(Boolean, nullable=False, default=False)
    run_type = Column(String(128))
    orchestrator = Column(String(128))
    # {trait: null}: a set that the database can look into, as it does into tags.
    traits = Column(JSON, nullable=False, default=dict)
    target = Column(String(256))
    script_name = Column(Text)
    properties = Column(JSON, nullable=False, default=dict)
    tags = Column(JSON, nullable=False, default=dict)
    # MLflow's parameters: written once each.
    params = Column(JSON, nullable=False, default=dict)
    error = Column(JSON(none_as_null=True))
    warnings = Column(JSON, nullable=False, default=list)
    created = Column(DateTime(timezone=True), nullable=False)
    start_time = Column(DateTime(timezone=True))
    end_time = Column(DateTime(timezone=True))
    last_modified = Column(DateTime(timezone=True), nullable=False)
    created_by = Column(JSON(none_as_null=True))
    created_from = Column(JSON(none_as_null=True))
    data_container_id = Column(String(300), nullable=False)
    input_datasets = Column(JSON, nullable=False, default=list)
    output_datasets = Column(JSON, nullable=False, default=list)
    # MLflow's dataset inputs, each with its tags, as the client sent them.
    mlflow_inputs = Column(JSON, nullable=False, default=list)
    run_definition = Column(JSON(none_as_null=True))
    services = Column(JSON, nullable=False, default=dict)
    options = Column(JSON(none_as_null=True))
    primary_metric_name = Column(Text)
    heartbeat_enabled = Column(Boolean)
    cancel_uri = Column(Text)
    diagnostics_uri = Column(Text)
    queueing_info = Column(JSON(none_as_null=True))


# The pages that every client asks for: newest runs of an experiment or of all, children of a run.
_START = func.coalesce(RunRow.start_time, RunRow.created)
Index("ix_runs_by_start", RunRow.experiment_id, _START, RunRow.run_id)
Index("ix_runs_by_start_anywhere", _START, RunRow.run_id)
Index("ix_runs_by_creation", RunRow.experiment_id, RunRow.created, RunRow.run_id)
Index("ix_runs_by_parent", RunRow.parent_run_id, _START, RunRow.run_id)
Index("ix_runs_by_status", RunRow.status)
