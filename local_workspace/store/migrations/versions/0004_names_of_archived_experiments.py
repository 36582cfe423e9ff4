"""Archived experiments may have the name of the active one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# The constraint was made without a name; PostgreSQL gave it this one.
_IN_POSTGRESQL = "experiments_name_key"
_CONVENTION = {"uq": "%(table_name)s_%(column_0_name)s_key"}


def upgrade() -> None:
    """Let names be unique among the active experiments only."""
    with op.batch_alter_table("experiments", naming_convention=_CONVENTION) as experiments:
        experiments.drop_constraint(_IN_POSTGRESQL, type_="unique")
    op.create_index(
        "ix_experiments_active_name",
        "experiments",
        ["name"],
        unique=True,
        sqlite_where=sa.text("archived IS NULL"),
        postgresql_where=sa.text("archived IS NULL"),
    )
