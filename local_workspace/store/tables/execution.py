"""Table of the execution service: jobs, which are the queue and outlive the server."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, Float, Integer, String, Text

from local_workspace.store.base import Base


class JobRow(Base):
    """A submitted run and how far the engine has come with it. All times are UTC."""

    __tablename__ = "jobs"

    run_id = Column(String(256), primary_key=True)
    experiment_name = Column(String(255), nullable=False)
    # "cluster", or "local" for compute_target='local'.
    kind = Column(String(16), nullable=False)
    compute = Column(String(64))
    snapshot_id = Column(String(64))
    # The run configuration as the SDK sent it.
    configuration = Column(JSON, nullable=False)
    node_count = Column(Integer, nullable=False, default=1)
    # "submitted", "queued", "running", "ending" or "done".
    state = Column(String(16), nullable=False, index=True)
    # How often it has been given to nodes: more than once when a node or the server was lost.
    attempts = Column(Integer, nullable=False, default=0)
    cancel_requested = Column(Boolean, nullable=False, default=False)
    submitted = Column(DateTime(timezone=True), nullable=False)
    # Seconds since 1970 when its first node began; for max_run_duration_seconds.
    started = Column(Float)
    # The Python of its environment, once that is there.
    python = Column(Text)
