"""How alembic runs the migrations: on the connection it is given, within its transaction."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    # alembic expects a driver that commits before each change of a table; ours is told not to.
    transactional_ddl=True if connection.dialect.name == "sqlite" else None,
)
context.run_migrations()
