"""There are pipelines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables of pipelines, their runs and their steps."""
    op.create_table(
        "pipeline_modules",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("identifier_hash", sa.String(512)),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "pipeline_data_sources",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("identifier_hash", sa.String(512)),
        sa.Column("name", sa.String(256)),
        sa.Column("data_type_id", sa.String(64)),
        sa.Column("datastore", sa.String(255), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "pipeline_graphs",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("graph", sa.JSON(), nullable=False),
        sa.Column("interface", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "pipeline_runs",
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("experiment_name", sa.String(255), nullable=False),
        sa.Column("graph_id", sa.String(64), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("data_paths", sa.JSON(), nullable=False),
        sa.Column("datasets", sa.JSON(), nullable=False),
        sa.Column("continues_on_failure", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("pipeline_id", sa.String(64)),
        sa.Column("schedule_id", sa.String(64)),
        sa.Column("source", sa.String(64)),
        sa.Column("created_by", sa.JSON(none_as_null=True)),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_table(
        "pipeline_steps",
        sa.Column("pipeline_run_id", sa.String(64), nullable=False),
        sa.Column("node_id", sa.String(64), nullable=False),
        sa.Column("step_run_id", sa.String(256), nullable=False, unique=True),
        sa.Column("reuse_key", sa.String(64)),
        sa.Column("reused_run_id", sa.String(256)),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("pipeline_run_id", "node_id"),
    )
    op.create_table(
        "published_pipelines",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("version", sa.String(255)),
        sa.Column("graph_id", sa.String(64), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("data_paths", sa.JSON(), nullable=False),
        sa.Column("datasets", sa.JSON(), nullable=False),
        sa.Column("continues_on_failure", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "pipeline_endpoints",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("description", sa.Text()),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("default_version", sa.String(64), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("pipeline_id", sa.String(64)),
        sa.Column("endpoint_id", sa.String(64)),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("submission", sa.JSON(), nullable=False),
        sa.Column("recurrence", sa.JSON(none_as_null=True)),
        sa.Column("trigger", sa.JSON(none_as_null=True)),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("next_fire", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_fire", sa.DateTime(timezone=True)),
        sa.Column("seen_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    for table, column in (
        ("pipeline_modules", "identifier_hash"),
        ("pipeline_data_sources", "identifier_hash"),
        ("pipeline_runs", "state"),
        ("pipeline_runs", "pipeline_id"),
        ("pipeline_runs", "schedule_id"),
        ("pipeline_steps", "reuse_key"),
        ("schedules", "pipeline_id"),
        ("schedules", "endpoint_id"),
        ("schedules", "is_active"),
    ):
        op.create_index(f"ix_{table}_{column}", table, [column])
