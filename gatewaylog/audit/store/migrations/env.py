"""What alembic runs: the steps on the connection that `install` has opened, in its transaction."""

from __future__ import annotations

from alembic import context

from gatewaylog.audit.store.tables import SCHEMA, metadata

_VERSIONS = "store_version"  # the table that tells which steps were taken

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=_VERSIONS,
    version_table_schema=None if connection.dialect.name == "sqlite" else SCHEMA,
)
with context.begin_transaction():
    context.run_migrations()
