"""Which tables a database has, and which version of the store they are of."""

from __future__ import annotations

import sqlalchemy as sa

from gatewaylog.audit.store.tables import SCHEMA
from gatewaylog.exceptions import TokenStoreError

VERSION = "0001"  # the newest of `migrations`
_VERSIONS = "store_version"
# By the catalogue, which everybody may read: to_regclass fails for who may not use the schema. A
# view is none of ours: what it calls would be run by who asks.
_IS_THERE = sa.text(
    "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE nspname = :schema AND relname = :name AND relkind IN ('r', 'p')"
)
_IS_THERE_IN_SQLITE = sa.text(
    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = :name"
)
_MAY_READ = sa.text("SELECT has_table_privilege(:name, 'SELECT')")


def is_there(connection: sa.Connection, name: str) -> bool:
    """Tell whether there is a table of this name, qualified on PostgreSQL."""
    if connection.dialect.name == "sqlite":
        return bool(connection.execute(_IS_THERE_IN_SQLITE, {"name": name}).scalar_one())
    schema, _, name = name.rpartition(".")
    return bool(connection.execute(_IS_THERE, {"schema": schema, "name": name}).scalar_one())


def check_version(connection: sa.Connection) -> None:
    """Raise TokenStoreError where a newer program has made the store, or brought it up to date.

    Who may not read of which version it is goes on.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    name = _VERSIONS if is_sqlite else f"{SCHEMA}.{_VERSIONS}"
    if not is_there(connection, name):
        return
    if not is_sqlite and not connection.execute(_MAY_READ, {"name": name}).scalar_one():
        return
    versions = connection.exec_driver_sql(f"SELECT version_num FROM {name}").scalars()  # noqa: S608
    if newer := [version for version in versions if version != VERSION]:
        raise TokenStoreError(
            f"the store is newer than this gatewaylog: of version {newer[0]},"
            f" and {VERSION} is the newest that is known; upgrade gatewaylog"
        )
