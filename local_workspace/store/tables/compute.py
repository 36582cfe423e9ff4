"""Tables of the compute service: compute targets, operations on them, quotas."""

from __future__ import annotations

from sqlalchemy import JSON, Column, DateTime, Integer, String, Text

from local_workspace.store.declarative import Base


class ComputeRow(Base):
    """One compute target. All times are UTC."""

    __tablename__ = "computes"

    # The name in lower case: resource names differ by more than their case.
    key = Column(String(64), primary_key=True)
    name = Column(String(64), nullable=False)
    compute_type = Column(String(64), nullable=False)
    location = Column(String(64), nullable=False)
    description = Column(Text)
    tags = Column(JSON, nullable=False, default=dict)
    # {"type", "principalId", "tenantId", "userAssignedIdentities"}; empty when never asked for.
    identity = Column(JSON(none_as_null=True))
    created = Column(DateTime(timezone=True), nullable=False)
    modified = Column(DateTime(timezone=True), nullable=False)
    # What cannot change later, in the words of the wire: vmSize, vmPriority, subnet, ...
    properties = Column(JSON, nullable=False)
    min_nodes = Column(Integer, nullable=False, default=0)
    max_nodes = Column(Integer, nullable=False, default=0)
    idle_seconds = Column(Integer, nullable=False, default=0)
    target_nodes = Column(Integer, nullable=False, default=0)
    # [{"nodeId", "nodeState", "runId", "port", "privateIpAddress", "publicIpAddress"}]
    nodes = Column(JSON, nullable=False, default=list)
    allocation_state = Column(String(16), nullable=False, default="Steady")
    allocation_changed = Column(DateTime(timezone=True), nullable=False)


class ComputeOperationRow(Base):
    """A creation, update or deletion that a client waits for."""

    __tablename__ = "compute_operations"

    operation_id = Column(String(36), primary_key=True)
    compute_name = Column(String(64), nullable=False)
    status = Column(String(16), nullable=False)
    started = Column(DateTime(timezone=True), nullable=False)
    ended = Column(DateTime(timezone=True))
    error = Column(JSON(none_as_null=True))


class QuotaRow(Base):
    """A limit that a user set on the virtual CPUs of one family of VM sizes."""

    __tablename__ = "compute_quotas"

    # In lower case.
    family = Column(String(64), primary_key=True)
    vcpus = Column(Integer, nullable=False)
