"""The tables as they were when they had no version yet.

Programs of that time added what was missing at every start, so a workspace may have been left with
a part of the tables: what is there is left alone.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# When a run began, as pages of runs are sorted by it.
_START = sa.text("coalesce(start_time, created)")


def upgrade() -> None:
    """Make every table and index that is not there."""
    op.create_table(
        "assets",
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("artifacts", sa.JSON(), nullable=False),
        sa.Column("run_id", sa.String(length=256)),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("meta", sa.JSON(none_as_null=True)),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("asset_id"),
        if_not_exists=True,
    )

    op.create_table(
        "compute_operations",
        sa.Column("operation_id", sa.String(length=36), nullable=False),
        sa.Column("compute_name", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.Column("error", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("operation_id"),
        if_not_exists=True,
    )

    op.create_table(
        "compute_quotas",
        sa.Column("family", sa.String(length=64), nullable=False),
        sa.Column("vcpus", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("family"),
        if_not_exists=True,
    )

    op.create_table(
        "computes",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("compute_type", sa.String(length=64), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("identity", sa.JSON(none_as_null=True)),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified", sa.DateTime(timezone=True), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("min_nodes", sa.Integer(), nullable=False),
        sa.Column("max_nodes", sa.Integer(), nullable=False),
        sa.Column("idle_seconds", sa.Integer(), nullable=False),
        sa.Column("target_nodes", sa.Integer(), nullable=False),
        sa.Column("nodes", sa.JSON(), nullable=False),
        sa.Column("allocation_state", sa.String(length=16), nullable=False),
        sa.Column("allocation_changed", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        if_not_exists=True,
    )

    op.create_table(
        "datasets",
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("is_visible", sa.Boolean(), nullable=False),
        sa.Column("etag", sa.String(length=36), nullable=False),
        sa.Column("latest_version", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("dataset_id"),
        sa.UniqueConstraint("name"),
        if_not_exists=True,
    )

    op.create_table(
        "datastores",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("store_type", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("container", sa.String(length=63), nullable=False),
        sa.Column("endpoint", sa.String(length=255)),
        sa.Column("credential_type", sa.String(length=16), nullable=False),
        sa.Column("credential", sa.Text()),
        sa.Column("subscription_id", sa.String(length=64)),
        sa.Column("resource_group", sa.String(length=128)),
        sa.Column("blob_cache_timeout", sa.Integer()),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        if_not_exists=True,
    )

    op.create_table(
        "environment_builds",
        sa.Column("build_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("build_id"),
        if_not_exists=True,
    )

    op.create_table(
        "environments",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("curated", sa.Boolean(), nullable=False),
        sa.Column("latest", sa.String(length=255), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        if_not_exists=True,
    )

    op.create_table(
        "experiments",
        sa.Column("experiment_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_modified", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived", sa.DateTime(timezone=True)),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("last_run_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("experiment_id"),
        sa.UniqueConstraint("name"),
        if_not_exists=True,
    )

    op.create_table(
        "jobs",
        sa.Column("run_id", sa.String(length=256), nullable=False),
        sa.Column("experiment_name", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("compute", sa.String(length=64)),
        sa.Column("snapshot_id", sa.String(length=64)),
        sa.Column("configuration", sa.JSON(), nullable=False),
        sa.Column("node_count", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("submitted", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started", sa.Float()),
        sa.Column("python", sa.Text()),
        sa.PrimaryKeyConstraint("run_id"),
        if_not_exists=True,
    )
    op.create_index("ix_jobs_state", "jobs", ["state"], if_not_exists=True)

    op.create_table(
        "metric_values",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("run_id", sa.String(length=256), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("metric_id", sa.String(length=64)),
        sa.Column("step", sa.BigInteger()),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Float()),
        sa.Column("special", sa.String(length=9)),
        sa.Column("data", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("metric_id"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_metric_values_by_name", "metric_values", ["run_id", "name", "id"], if_not_exists=True
    )

    op.create_table(
        "registered_models",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("aliases", sa.JSON(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_modified", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        if_not_exists=True,
    )

    op.create_table(
        "resources",
        sa.Column("resource_id", sa.String(length=512), nullable=False),
        sa.Column("editable", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("resource_id"),
        if_not_exists=True,
    )

    op.create_table(
        "saved_datasets",
        sa.Column("saved_id", sa.String(length=36), nullable=False),
        sa.Column("dataset_type", sa.String(length=32), nullable=False),
        sa.Column("dataflow", sa.Text(), nullable=False),
        sa.Column("rs_dataflow", sa.Text(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("saved_id"),
        if_not_exists=True,
    )
    op.create_index("ix_saved_datasets_digest", "saved_datasets", ["digest"], if_not_exists=True)

    op.create_table(
        "snapshots",
        sa.Column("snapshot_id", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.String(length=64)),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("tree", sa.JSON(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("snapshot_id"),
        if_not_exists=True,
    )

    op.create_table(
        "dataset_versions",
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("saved_id", sa.String(length=36), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.dataset_id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["saved_id"], ["saved_datasets.saved_id"]),
        sa.PrimaryKeyConstraint("dataset_id", "version"),
        sa.UniqueConstraint("saved_id"),
        if_not_exists=True,
    )

    op.create_table(
        "environment_versions",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["environments.name"]),
        sa.PrimaryKeyConstraint("name", "version"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_environment_versions_by_digest",
        "environment_versions",
        ["name", "digest"],
        if_not_exists=True,
    )

    op.create_table(
        "model_versions",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("container", sa.String(length=300), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text()),
        sa.Column("run_id", sa.String(length=256)),
        sa.Column("run_link", sa.Text()),
        sa.Column("experiment_name", sa.String(length=255)),
        sa.Column("mime_type", sa.String(length=128), nullable=False),
        sa.Column("framework", sa.String(length=64)),
        sa.Column("framework_version", sa.String(length=64)),
        sa.Column("unpack", sa.Boolean(), nullable=False),
        sa.Column("datasets", sa.JSON(), nullable=False),
        sa.Column("sample_input", sa.Text()),
        sa.Column("sample_output", sa.Text()),
        sa.Column("resources", sa.JSON(none_as_null=True)),
        sa.Column("created_by", sa.JSON(none_as_null=True)),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_modified", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.asset_id"]),
        sa.ForeignKeyConstraint(["name"], ["registered_models.name"]),
        sa.PrimaryKeyConstraint("name", "version"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_model_versions_by_creation", "model_versions", ["created"], if_not_exists=True
    )
    op.create_index("ix_model_versions_by_run", "model_versions", ["run_id"], if_not_exists=True)

    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(length=256), nullable=False),
        sa.Column("experiment_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("parent_run_id", sa.String(length=256)),
        sa.Column("root_run_id", sa.String(length=256), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("lifecycle_stage", sa.String(length=16), nullable=False),
        sa.Column("deleted", sa.DateTime(timezone=True)),
        sa.Column("name", sa.Text()),
        sa.Column("display_name", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("run_type", sa.String(length=128)),
        sa.Column("orchestrator", sa.String(length=128)),
        sa.Column("traits", sa.JSON(), nullable=False),
        sa.Column("target", sa.String(length=256)),
        sa.Column("script_name", sa.Text()),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True)),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("start_time", sa.DateTime(timezone=True)),
        sa.Column("end_time", sa.DateTime(timezone=True)),
        sa.Column("last_modified", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.JSON(none_as_null=True)),
        sa.Column("created_from", sa.JSON(none_as_null=True)),
        sa.Column("data_container_id", sa.String(length=300), nullable=False),
        sa.Column("input_datasets", sa.JSON(), nullable=False),
        sa.Column("output_datasets", sa.JSON(), nullable=False),
        sa.Column("mlflow_inputs", sa.JSON(), nullable=False),
        sa.Column("run_definition", sa.JSON(none_as_null=True)),
        sa.Column("services", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(none_as_null=True)),
        sa.Column("primary_metric_name", sa.Text()),
        sa.Column("heartbeat_enabled", sa.Boolean()),
        sa.Column("cancel_uri", sa.Text()),
        sa.Column("diagnostics_uri", sa.Text()),
        sa.Column("queueing_info", sa.JSON(none_as_null=True)),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.experiment_id"]),
        sa.PrimaryKeyConstraint("run_id"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_runs_by_creation", "runs", ["experiment_id", "created", "run_id"], if_not_exists=True
    )
    op.create_index(
        "ix_runs_by_start", "runs", ["experiment_id", _START, "run_id"], if_not_exists=True
    )
    op.create_index("ix_runs_by_start_anywhere", "runs", [_START, "run_id"], if_not_exists=True)
    op.create_index(
        "ix_runs_by_parent", "runs", ["parent_run_id", _START, "run_id"], if_not_exists=True
    )
    op.create_index("ix_runs_by_status", "runs", ["status"], if_not_exists=True)
    op.create_index("ix_runs_experiment_id", "runs", ["experiment_id"], if_not_exists=True)
    op.create_index("ix_runs_root_run_id", "runs", ["root_run_id"], if_not_exists=True)

    op.create_table(
        "metrics",
        sa.Column("run_id", sa.String(length=256), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("ux_type", sa.String(length=64), nullable=False),
        sa.Column("latest_value", sa.Float()),
        sa.Column("latest_special", sa.String(length=9)),
        sa.Column("latest_step", sa.BigInteger()),
        sa.Column("latest_timestamp", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"]),
        sa.PrimaryKeyConstraint("run_id", "name"),
        if_not_exists=True,
    )
