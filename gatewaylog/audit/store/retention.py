"""Old rows let go of: whole partitions on PostgreSQL, rows on SQLite."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from gatewaylog.audit.store import sqlite
from gatewaylog.audit.store.engine import FAILURES, engine_at, reason
from gatewaylog.audit.store.tables import (
    client_access_token_logs,
    ship_checkpoints,
    token_events,
)
from gatewaylog.exceptions import TokenStoreError

_YOUNGEST = timedelta(days=1)
_DROP = sa.text(
    "SELECT of_table, name, lower, upper, bytes, estimated_rows"
    " FROM gatewaylog.drop_before(:cutoff, :dry_run)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What went, or would go: a partition of PostgreSQL's, or the old rows of SQLite's `table`.

    `since` is the time of the oldest, `until` the one before which all are. `rows` is PostgreSQL's
    estimate, None where it has none yet; `size` is bytes, None on SQLite.
    """

    table: str
    name: str
    since: datetime
    until: datetime
    rows: int | None
    size: int | None


def drop_before(url: str, cutoff: datetime, *, dry_run: bool = False) -> list[Dropped]:
    """Drop what is older than `cutoff`; on PostgreSQL partitions that are so to their last row.

    Raises TokenStoreError, also for a cutoff that is younger than a day.
    """
    if cutoff > datetime.now(UTC) - _YOUNGEST:
        raise TokenStoreError("what is younger than a day is not dropped")
    engine = engine_at(url, reads=dry_run)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                return _rows(connection, cutoff, dry_run=dry_run)
            return _partitions(connection, cutoff, dry_run=dry_run)
    except FAILURES as error:
        raise TokenStoreError(reason(error)) from None
    finally:
        engine.dispose()


def _partitions(connection: sa.Connection, cutoff: datetime, *, dry_run: bool) -> list[Dropped]:
    found = connection.execute(_DROP, {"cutoff": cutoff, "dry_run": dry_run})
    return [
        Dropped(
            table=row.of_table,
            name=row.name,
            since=row.lower,
            until=row.upper,
            rows=row.estimated_rows,
            size=row.bytes,
        )
        for row in found
    ]


def _rows(connection: sa.Connection, cutoff: datetime, *, dry_run: bool) -> list[Dropped]:
    """Count old rows and delete them; the triggers that refuse that are away for the while."""
    use, life = client_access_token_logs, token_events
    timed = ((use, use.c.access_time), (life, life.c.at))
    dropped = []
    for table, time in timed:
        count = sa.select(sa.func.count(), sa.func.min(time)).where(time < cutoff)
        rows, since = connection.execute(count.select_from(table)).one()
        if rows:
            name = table.name
            dropped.append(
                Dropped(table=name, name=name, since=since, until=cutoff, rows=rows, size=None)
            )
    if not dry_run:
        sqlite.unguard(connection)
        for table, time in timed:
            connection.execute(table.delete().where(time < cutoff))
        connection.execute(ship_checkpoints.delete().where(ship_checkpoints.c.at < cutoff))
        sqlite.guard(connection)
    return dropped
