"""Tables of the metric service."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
)

from local_workspace.store.declarative import Base


class MetricRow(Base):
    """What all values of one metric of a run have in common."""

    __tablename__ = "metrics"

    run_id = Column(String(256), ForeignKey("runs.run_id"), primary_key=True)
    name = Column(String(255), primary_key=True)
    # {column: "double" | "int" | "string" | "bool" | "none" | "Artifact"}
    columns = Column(JSON, nullable=False)
    # `azureml.v1.scalar`, `azureml.v1.table`, `azureml.v2.confusion_matrix`, ...
    ux_type = Column(String(64), nullable=False)
    # The scalar with the highest step (then time, then value): what MLflow calls the metric's
    # value, kept here so that runs can be searched and sorted by it.
    latest_value = Column(Float)
    latest_special = Column(String(9))
    latest_step = Column(BigInteger)
    latest_timestamp = Column(DateTime(timezone=True))


class MetricValueRow(Base):
    """One logged value (a scalar, a row of a table, or the place of an artifact)."""

    __tablename__ = "metric_values"

    # The order of logging. SQLite counts up by itself only in a column declared INTEGER.
    id = Column(
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    )
    run_id = Column(String(256), nullable=False)
    name = Column(String(255), nullable=False)
    # Clients repeat a batch whose answer they did not get: the same id is the same value.
    metric_id = Column(String(64), unique=True)
    step = Column(BigInteger)
    timestamp = Column(DateTime(timezone=True), nullable=False)
    # The number of a scalar; empty when it is no number (see `special`) or no scalar (see `data`).
    value = Column(Float)
    # "NaN", "Infinity" or "-Infinity": databases and JSON have no such numbers.
    special = Column(String(9))
    # {column: value}: everything that is not a scalar number.
    data = Column(JSON(none_as_null=True))

    __table_args__ = (Index("ix_metric_values_by_name", "run_id", "name", "id"),)
