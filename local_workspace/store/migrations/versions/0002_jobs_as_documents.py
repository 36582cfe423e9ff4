"""A job of the queue is a document of its own, and says more of how it went."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Give every job room for its document.

    A job that waits has none: it is made of the configuration of its run, which `runs` has too.
    """
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("document", sa.JSON(none_as_null=True)))
        jobs.add_column(sa.Column("losses", sa.Integer(), nullable=False, server_default="0"))
        jobs.add_column(sa.Column("ended", sa.DateTime(timezone=True)))
        jobs.add_column(
            sa.Column("has_logs", sa.Boolean(), nullable=False, server_default=sa.true())
        )
        jobs.add_column(sa.Column("ran_seconds", sa.Float(), nullable=False, server_default="0"))
        for name in ("experiment_name", "snapshot_id", "configuration", "started"):
            jobs.drop_column(name)
