"""The tables, for queries and for who writes rows. On PostgreSQL they are in a schema of their own.

What makes them is `migrations`; both are held to each other by a test.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy import Dialect

SCHEMA = "gatewaylog"
LONGEST_IDENTITY = 255  # characters of what rows are known by: PostgreSQL's indexes hold no more


class Moment(sa.TypeDecorator[datetime]):
    """A moment with its zone. SQLite keeps it as text, `2026-11-21 13:45:00.000000`, in UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC, with its zone."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData(schema=SCHEMA)

# A row is a terminal event with a TokenRef: the columns of Ed-Fi's guide, then the gateway's own.
# On SQLite `log_id` is the primary key and the other one a unique index.
client_access_token_logs = sa.Table(
    "client_access_token_logs",
    metadata,
    sa.Column("log_id", sa.BigInteger, nullable=False),
    sa.Column("token_ref", sa.Text, nullable=False),
    sa.Column("access_time", Moment, primary_key=True),
    sa.Column("api_client_id", sa.BigInteger),
    sa.Column("api_client_key", sa.Text),
    sa.Column("application_id", sa.BigInteger),
    sa.Column("application_name", sa.Text),
    sa.Column("vendor_id", sa.BigInteger),
    sa.Column("vendor_name", sa.Text),
    sa.Column("api", sa.Text),
    sa.Column("method", sa.Text),
    sa.Column("request_url", sa.Text),
    sa.Column("backend_url", sa.Text),
    sa.Column("status_code", sa.Integer),
    sa.Column("error_code", sa.Text),
    sa.Column("remote_ip", sa.Text),
    sa.Column("user_agent", sa.Text),
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("outcome", sa.Text),
    sa.Column("duration_ms", sa.Double),
)

# `kind` is issued, refused or revoked; `id` is made of the line of the event log that tells it.
token_events = sa.Table(
    "token_events",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at", Moment, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("token_ref", sa.Text),
    sa.Column("client_id", sa.Text),
    sa.Column("expires_at", Moment),
    sa.Column("reason", sa.Text),
    sa.Column("remote_ip", sa.Text),
)

# How far each file was delivered, by the newest transaction that brought rows of it. `shipper` is
# who delivers, `file` the SHA-256 of the file's first line, `position` the bytes of it that are in.
ship_checkpoints = sa.Table(
    "ship_checkpoints",
    metadata,
    sa.Column("shipper", sa.Text, primary_key=True),
    sa.Column("file", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("line_time", Moment, nullable=False),
    sa.Column("at", Moment, nullable=False),
)

# The event log: OpenASelect's columns, and what a shipped line is known by; other writers of the
# table leave `line_id` out.
event_log = sa.Table(
    "event_log",
    metadata,
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("log_timestamp", Moment, nullable=False, server_default=sa.func.now()),
    sa.Column("session_id", sa.String(24)),
    sa.Column("tgt_id", sa.String(172)),
    sa.Column("event", sa.String(255)),
    sa.Column("user_id", sa.String(256)),
    sa.Column("organization_id", sa.String(255)),
    sa.Column("state", sa.Integer),
    sa.Column("ip", sa.String(45)),
    sa.Column("requestor_id", sa.String(255)),
    sa.Column("message", sa.String(255)),
    sa.Column("authority", sa.String(255)),
    sa.Column("logitemtype", sa.Integer),
    sa.Column("line_id", sa.Text, unique=True),
)
