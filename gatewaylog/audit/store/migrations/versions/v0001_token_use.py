"""The use of tokens, their life, the event log, and how far logs were delivered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_USE = """
    token_ref TEXT NOT NULL,
    access_time {moment} NOT NULL,
    api_client_id BIGINT,
    api_client_key TEXT,
    application_id BIGINT,
    application_name TEXT,
    vendor_id BIGINT,
    vendor_name TEXT,
    api TEXT,
    method TEXT,
    request_url TEXT,
    backend_url TEXT,
    status_code INTEGER,
    error_code TEXT,
    remote_ip TEXT,
    user_agent TEXT,
    message_id TEXT NOT NULL,
    outcome TEXT,
    duration_ms DOUBLE PRECISION,"""

_LIFE = """
    id TEXT NOT NULL,
    at {moment} NOT NULL,
    kind TEXT NOT NULL,
    token_ref TEXT,
    client_id TEXT,
    expires_at {moment},
    reason TEXT,
    remote_ip TEXT,"""

_CHECKPOINTS = """
    shipper TEXT NOT NULL,
    file TEXT NOT NULL,
    name TEXT NOT NULL,
    position BIGINT NOT NULL,
    line_time {moment} NOT NULL,
    at {moment} NOT NULL,
    PRIMARY KEY (shipper, file)"""

_EVENTS = """
    log_timestamp {moment} DEFAULT CURRENT_TIMESTAMP NOT NULL,
    session_id VARCHAR(24),
    tgt_id VARCHAR(172),
    event VARCHAR(255),
    user_id VARCHAR(256),
    organization_id VARCHAR(255),
    state INTEGER,
    ip VARCHAR(45),
    requestor_id VARCHAR(255),
    message VARCHAR(255),
    authority VARCHAR(255),
    logitemtype INTEGER,
    line_id TEXT"""

_POSTGRESQL = (
    "CREATE SEQUENCE gatewaylog.client_access_token_logs_log_id_seq",
    f"""CREATE TABLE gatewaylog.client_access_token_logs (
    log_id BIGINT DEFAULT nextval('gatewaylog.client_access_token_logs_log_id_seq') NOT NULL,
    {_USE}
    PRIMARY KEY (access_time, message_id)
) PARTITION BY RANGE (access_time)""",
    """ALTER SEQUENCE gatewaylog.client_access_token_logs_log_id_seq
    OWNED BY gatewaylog.client_access_token_logs.log_id""",
    """CREATE INDEX client_access_token_logs_time
    ON gatewaylog.client_access_token_logs USING brin (access_time)""",
    f"""CREATE TABLE gatewaylog.token_events ({_LIFE}
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at)""",
    "CREATE INDEX token_events_time ON gatewaylog.token_events USING brin (at)",
    f"CREATE TABLE gatewaylog.ship_checkpoints ({_CHECKPOINTS})",
    f"CREATE TABLE gatewaylog.event_log (id BIGSERIAL PRIMARY KEY, {_EVENTS})",
    "CREATE UNIQUE INDEX event_log_line ON gatewaylog.event_log (line_id)",
    "CREATE INDEX event_log_time ON gatewaylog.event_log USING brin (log_timestamp)",
)
_SQLITE = (
    f"""CREATE TABLE client_access_token_logs (
    log_id INTEGER PRIMARY KEY AUTOINCREMENT,
    {_USE}
    UNIQUE (message_id, access_time)
)""",
    "CREATE INDEX client_access_token_logs_time ON client_access_token_logs (access_time)",
    f"CREATE TABLE token_events ({_LIFE} PRIMARY KEY (id, at)) WITHOUT ROWID",
    "CREATE INDEX token_events_time ON token_events (at)",
    f"CREATE TABLE ship_checkpoints ({_CHECKPOINTS}) WITHOUT ROWID",
    "CREATE UNIQUE INDEX event_log_line ON event_log (line_id)",
    "CREATE INDEX event_log_time ON event_log (log_timestamp)",
)


_EVENT_LOG = f"CREATE TABLE event_log (id INTEGER PRIMARY KEY AUTOINCREMENT, {_EVENTS})"
# One may be there already, made for applications that write it.
_OLDER_EVENT_LOG = "ALTER TABLE event_log ADD COLUMN line_id TEXT"


def upgrade() -> None:
    """Make the tables."""
    for statement in _statements():
        op.execute(statement)


def _statements() -> list[str]:
    if op.get_context().dialect.name != "sqlite":
        return [text.format(moment="TIMESTAMP WITH TIME ZONE") for text in _POSTGRESQL]
    is_there = sa.inspect(op.get_bind()).has_table("event_log")
    first = _OLDER_EVENT_LOG if is_there else _EVENT_LOG
    return [text.format(moment="DATETIME") for text in (first, *_SQLITE)]
