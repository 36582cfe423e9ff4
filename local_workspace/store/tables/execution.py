"""Table of the execution service: jobs, which are the queue and outlive the server."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, Float, Integer, String, Text, true

from local_workspace.store.declarative import Base


class JobRow(Base):
    """A submitted run and how far it has come. All times are UTC."""

    __tablename__ = "jobs"

    run_id = Column(String(256), primary_key=True)
    # "cluster", or "local" for compute_target='local'.
    kind = Column(String(16), nullable=False)
    compute = Column(String(64))
    # What it is to do: the document of `services.execution.Job`. None for a job that an older
    # version accepted: it is made of the configuration of its run.
    document = Column(JSON(none_as_null=True))
    node_count = Column(Integer, nullable=False, default=1)
    # "submitted", "queued", "running", "ending" or "done".
    state = Column(String(16), nullable=False, index=True)
    # How often it has been started.
    attempts = Column(Integer, nullable=False, default=0)
    # How often its node, or the server, was lost while it ran; an orderly stop is no loss.
    losses = Column(Integer, nullable=False, default=0, server_default="0")
    cancel_requested = Column(Boolean, nullable=False, default=False)
    submitted = Column(DateTime(timezone=True), nullable=False)
    ended = Column(DateTime(timezone=True))
    # False once the logs of a run that ended long ago are cleared away.
    has_logs = Column(Boolean, nullable=False, default=True, server_default=true())
    # For max_run_duration_seconds: how long it has run, in the attempts before the present one too.
    ran_seconds = Column(Float, nullable=False, default=0.0, server_default="0")
    # The Python of its environment, once that is there.
    python = Column(Text)
