"""The rules R01 to R14 over the rows of the store."""

from __future__ import annotations

import heapq
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from gatewaylog.audit.rules import TokenEvent, TokenUse, Watch
from gatewaylog.audit.store.tables import client_access_token_logs as use
from gatewaylog.audit.store.tables import token_events as life

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from typing import Any

    from gatewaylog.audit.rules import Finding
    from gatewaylog.audit.rules.rule import Rule

HISTORY = timedelta(days=30)  # that rules are shown before what they tell of
RECENT = timedelta(days=1)  # that they tell of where nothing else is said
_AT_ONCE = 1000
_KINDS: dict[str, Literal["issued", "refused", "revoked"]] = {
    "issued": "issued",
    "refused": "refused",
    "revoked": "revoked",
}


def findings(
    connection: sa.Connection,
    rules: Sequence[Rule[Any]],
    *,
    since: datetime,
    until: datetime,
    history: datetime,
) -> Iterator[Finding]:
    """Yield what the rules find from `since` on; they are shown the rows from `history` on.

    Raises SQLAlchemyError.
    """
    watch = Watch(rules)
    sorted_rows: list[Iterable[TokenUse | TokenEvent]] = [
        _lives(connection, _applications(connection, history), history, until),
        _uses(connection, history, until),
    ]
    rows = heapq.merge(*sorted_rows, key=lambda row: row.at)
    for finding in (*watch.of(rows), *watch.until(until.timestamp())):
        if finding.at >= since.timestamp():
            yield finding


def _uses(connection: sa.Connection, since: datetime, until: datetime) -> Iterator[TokenUse]:
    c = use.c
    wanted = sa.select(
        *(c.access_time, c.message_id, c.token_ref, c.api_client_key, c.application_name),
        *(c.remote_ip, c.user_agent, c.status_code, c.error_code),
    ).where(c.access_time >= since, c.access_time < until)
    for row in _streamed(connection, wanted.order_by(c.access_time, c.message_id)):
        yield TokenUse(
            at=row.access_time.timestamp(),
            message_id=row.message_id,
            token_ref=row.token_ref,
            client=row.application_name or row.api_client_key,
            remote_ip=row.remote_ip,
            user_agent=row.user_agent,
            status=row.status_code,
            error_code=row.error_code,
        )


def _lives(
    connection: sa.Connection, names: dict[str, str], since: datetime, until: datetime
) -> Iterator[TokenEvent]:
    c = life.c
    wanted = sa.select(c.at, c.kind, c.token_ref, c.client_id, c.expires_at).where(
        c.at >= since, c.at < until, c.token_ref.is_not(None), c.kind.in_(_KINDS)
    )
    for row in _streamed(connection, wanted.order_by(c.at, c.id)):
        yield TokenEvent(
            at=row.at.timestamp(),
            kind=_KINDS[row.kind],
            token_ref=row.token_ref,
            client=names.get(row.client_id, row.client_id),
            expires_at=row.expires_at and row.expires_at.timestamp(),
        )


def _applications(connection: sa.Connection, since: datetime) -> dict[str, str]:
    """Return applications by client_id: a finding tells of a client by one name."""
    c = use.c
    wanted = sa.select(c.api_client_key, c.application_name).where(
        c.access_time >= since, c.api_client_key.is_not(None), c.application_name.is_not(None)
    )
    return {
        row.api_client_key: row.application_name for row in connection.execute(wanted.distinct())
    }


def _streamed(connection: sa.Connection, wanted: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
    streaming = connection.execution_options(stream_results=True, max_row_buffer=_AT_ONCE)
    yield from streaming.execute(wanted)
