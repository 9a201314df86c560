"""PostgreSQL's side of the store: its owner, who may do what, and what guards it.

Everything is owned by `gatewaylog_owner`, whom nobody can log in as. An owner can disable triggers,
and a superuser everything: what is here guards against the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from gatewaylog.audit.store.partitions import CALLED, FUNCTIONS, triggers, unit_function
from gatewaylog.audit.store.tables import (
    client_access_token_logs,
    event_log,
    ship_checkpoints,
    token_events,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.audit.store.partitions import Unit

OWNER, WRITER = "gatewaylog_owner", "gatewaylog_writer"
READER, RETENTION = "gatewaylog_reader", "gatewaylog_retention"
GATEWAY = "gatewaylog_gateway"  # makes the tables of its tokens in the schema, and owns those
ROLES = (OWNER, WRITER, READER, RETENTION, GATEWAY)
_WRITTEN = (client_access_token_logs, token_events, ship_checkpoints, event_log)
_NUMBERS = frozenset({"id", "log_id"})  # of the sequences alone; `id` of token_events is no number
_SEQUENCES = ("client_access_token_logs_log_id_seq", "event_log_id_seq")
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('gatewaylog.store'))"
_MAY_SET_ROLE = """
SELECT pg_has_role(:owner, CASE WHEN current_setting('server_version_num')::integer >= 160000
    THEN 'SET' ELSE 'MEMBER' END)"""
_SCHEMA_OWNER = """
SELECT rolname, rolsuper FROM pg_namespace JOIN pg_roles ON pg_roles.oid = nspowner
WHERE nspname = 'gatewaylog'"""

# One that somebody has made before us would run with the owner's rights.
_UNIT_IS_OURS = """
SELECT count(*) > 0 FROM pg_proc WHERE proowner = to_regrole(:owner)
    AND oid = to_regprocedure('gatewaylog.partition_unit()')"""


def begin(connection: sa.Connection) -> None:
    """Wait for another who does the same; make roles and schema, and go on as the owner."""
    connection.execute(sa.text(_LOCK))
    known = set(connection.execute(sa.text("SELECT rolname FROM pg_roles")).scalars())
    for role in ROLES:
        if role not in known:
            connection.execute(sa.text(f"CREATE ROLE {role} NOLOGIN"))
    may = connection.execute(sa.text(_MAY_SET_ROLE), {"owner": OWNER}).scalar_one()
    connection.info["granted"] = not may
    if not may:
        connection.execute(sa.text(f"GRANT {OWNER} TO CURRENT_USER"))
    _own_schema(connection)
    database = connection.dialect.identifier_preparer.quote(
        connection.execute(sa.text("SELECT current_database()")).scalar_one()
    )
    connection.execute(sa.text(f"GRANT TEMPORARY ON DATABASE {database} TO {WRITER}"))
    connection.execute(sa.text(f"SET LOCAL ROLE {OWNER}"))


def _own_schema(connection: sa.Connection) -> None:
    """Make the schema. One that a gateway has made for its tokens changes hands, and whose it was
    may go on making tables there.
    """
    found = connection.execute(sa.text(_SCHEMA_OWNER)).one_or_none()
    if found is None:
        connection.execute(sa.text(f"CREATE SCHEMA gatewaylog AUTHORIZATION {OWNER}"))
    elif found.rolname != OWNER:
        connection.execute(sa.text(f"ALTER SCHEMA gatewaylog OWNER TO {OWNER}"))
        if not found.rolsuper:
            former = connection.dialect.identifier_preparer.quote(found.rolname)
            connection.execute(sa.text(f"GRANT {GATEWAY} TO {former}"))


def finish(connection: sa.Connection, unit: Unit | None) -> None:
    """Make functions, triggers and grants as they are now; `unit` None: as it was, else a month."""
    if unit is None:
        is_known = connection.execute(sa.text(_UNIT_IS_OURS), {"owner": OWNER}).scalar_one()
        unit = None if is_known else "month"
    if unit is not None:
        connection.execute(sa.text(unit_function(unit)))
    for statement in (*FUNCTIONS, *triggers(), *_grants()):
        connection.execute(sa.text(statement))
    connection.execute(sa.text("SELECT gatewaylog.ensure_partition(now())"))
    connection.execute(sa.text("RESET ROLE"))
    if connection.info.pop("granted"):
        connection.execute(sa.text(f"REVOKE {OWNER} FROM CURRENT_USER"))


def _grants() -> Iterator[str]:
    yield from (f"REVOKE ALL ON FUNCTION gatewaylog.{function} FROM PUBLIC" for function in CALLED)
    yield f"GRANT USAGE ON SCHEMA gatewaylog TO {WRITER}, {READER}, {RETENTION}"
    yield f"GRANT USAGE, CREATE ON SCHEMA gatewaylog TO {GATEWAY}"
    for table in _WRITTEN:
        written = ", ".join(column.name for column in table.columns if not _is_number(column))
        yield f"GRANT INSERT ({written}) ON {table.fullname} TO {WRITER}"
        yield f"GRANT SELECT ON {table.fullname} TO {READER}"
    for sequence in _SEQUENCES:
        yield f"GRANT USAGE ON SEQUENCE gatewaylog.{sequence} TO {WRITER}"
    yield f"GRANT EXECUTE ON FUNCTION gatewaylog.ensure_partition(timestamptz) TO {WRITER}"
    yield f"GRANT EXECUTE ON FUNCTION gatewaylog.drop_before(timestamptz, boolean) TO {RETENTION}"
    yield f"GRANT SELECT ON gatewaylog.store_partitions TO {READER}, {RETENTION}"
    yield f"GRANT SELECT ON gatewaylog.store_version TO {READER}, {RETENTION}"


def _is_number(column: sa.Column[object]) -> bool:
    return column.name in _NUMBERS and isinstance(column.type, sa.Integer)
