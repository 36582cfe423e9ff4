"""Tables of the pipelines service. Graphs and modules are kept as clients sent them."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, String, Text

from local_workspace.store.declarative import Base


class PipelineModuleRow(Base):
    """What a step runs: its files, ports, parameters and arguments."""

    __tablename__ = "pipeline_modules"

    id = Column(String(64), primary_key=True)
    # The client's fingerprint of the module: it asks for it before it makes another one.
    identifier_hash = Column(String(512), index=True)
    # The SDK's ModuleCreationInfo.
    document = Column(JSON, nullable=False)
    created = Column(DateTime(timezone=True), nullable=False)


class PipelineDataSourceRow(Base):
    """A path in a datastore that is the input of a graph."""

    __tablename__ = "pipeline_data_sources"

    id = Column(String(64), primary_key=True)
    identifier_hash = Column(String(512), index=True)
    name = Column(String(256))
    data_type_id = Column(String(64))
    datastore = Column(String(255), nullable=False)
    path = Column(Text, nullable=False)
    created = Column(DateTime(timezone=True), nullable=False)


class PipelineGraphRow(Base):
    """The nodes and edges of a pipeline, and its parameters (the SDK's EntityInterface)."""

    __tablename__ = "pipeline_graphs"

    id = Column(String(64), primary_key=True)
    graph = Column(JSON, nullable=False)
    interface = Column(JSON, nullable=False)


class PipelineRunRow(Base):
    """A run of a graph with its parameters; what becomes of it is in run history."""

    __tablename__ = "pipeline_runs"

    run_id = Column(String(64), primary_key=True)
    experiment_name = Column(String(255), nullable=False)
    graph_id = Column(String(64), nullable=False)
    description = Column(Text)
    # Name -> text, name -> [datastore, path], name -> id of a saved dataset.
    parameters = Column(JSON, nullable=False)
    data_paths = Column(JSON, nullable=False)
    datasets = Column(JSON, nullable=False)
    continues_on_failure = Column(Boolean, nullable=False)
    # "made", "submitted" or "done".
    state = Column(String(16), nullable=False, index=True)
    cancel_requested = Column(Boolean, nullable=False)
    pipeline_id = Column(String(64), index=True)
    schedule_id = Column(String(64), index=True)
    source = Column(String(64))
    created_by = Column(JSON(none_as_null=True))
    created = Column(DateTime(timezone=True), nullable=False)


class PipelineStepRow(Base):
    """A step of a pipeline run, from when it has a run of its own."""

    __tablename__ = "pipeline_steps"

    pipeline_run_id = Column(String(64), primary_key=True)
    node_id = Column(String(64), primary_key=True)
    step_run_id = Column(String(256), nullable=False, unique=True)
    # What its work and its data are: a later step with the same key may take its results.
    reuse_key = Column(String(64), index=True)
    # The step run whose results it took.
    reused_run_id = Column(String(256))
    # Port -> {"datastore", "path", "dataset_id"}; what consumers read.
    outputs = Column(JSON, nullable=False)
    created = Column(DateTime(timezone=True), nullable=False)


class PublishedPipelineRow(Base):
    """A graph that can be run by its address."""

    __tablename__ = "published_pipelines"

    id = Column(String(64), primary_key=True)
    name = Column(String(255), nullable=False)
    description = Column(Text)
    version = Column(String(255))
    graph_id = Column(String(64), nullable=False)
    parameters = Column(JSON, nullable=False)
    data_paths = Column(JSON, nullable=False)
    datasets = Column(JSON, nullable=False)
    continues_on_failure = Column(Boolean, nullable=False)
    is_active = Column(Boolean, nullable=False)
    created = Column(DateTime(timezone=True), nullable=False)


class PipelineEndpointRow(Base):
    """An address that stays while the pipelines behind it change."""

    __tablename__ = "pipeline_endpoints"

    id = Column(String(64), primary_key=True)
    name = Column(String(255), nullable=False, unique=True)
    description = Column(Text)
    is_active = Column(Boolean, nullable=False)
    default_version = Column(String(64), nullable=False)
    # [version, pipeline id], in the order in which they were added.
    versions = Column(JSON, nullable=False)
    created = Column(DateTime(timezone=True), nullable=False)


class ScheduleRow(Base):
    """When a published pipeline, or what is behind an endpoint, is run by itself."""

    __tablename__ = "schedules"

    id = Column(String(64), primary_key=True)
    name = Column(String(255), nullable=False)
    pipeline_id = Column(String(64), index=True)
    endpoint_id = Column(String(64), index=True)
    # "0" or "Recurrence", "1" or "DataStore": as the client says it.
    kind = Column(String(16), nullable=False)
    # The SDK's PipelineSubmissionInfo, and its Recurrence or its DataStoreTriggerInfo.
    submission = Column(JSON, nullable=False)
    recurrence = Column(JSON(none_as_null=True))
    trigger = Column(JSON(none_as_null=True))
    is_active = Column(Boolean, nullable=False, index=True)
    next_fire = Column(DateTime(timezone=True), nullable=False)
    last_fire = Column(DateTime(timezone=True))
    # Up to when changes in the datastore have been looked for.
    seen_until = Column(DateTime(timezone=True), nullable=False)
    created = Column(DateTime(timezone=True), nullable=False)
