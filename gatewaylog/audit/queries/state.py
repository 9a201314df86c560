"""How much there is in the store, since when, and how far behind the log it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from gatewaylog.audit.queries.asking import STORE, moment_of
from gatewaylog.audit.queries.statements import literal

if TYPE_CHECKING:
    from gatewaylog.audit.queries.statements import Dialect

_DAYS = 7  # over which rows a day are counted
_POSTGRESQL_SIZES = """\
SELECT
  sum(pg_table_size(relid)) AS table_bytes,
  sum(pg_indexes_size(relid)) AS index_bytes
FROM pg_partition_tree('gatewaylog.client_access_token_logs')
WHERE isleaf"""
# An SQLite without dbstat tells the sizes of whole files alone.
_SQLITE_SIZES = """\
SELECT
  sum(CASE WHEN name = 'client_access_token_logs' THEN pgsize ELSE 0 END) AS table_bytes,
  sum(CASE WHEN name <> 'client_access_token_logs' THEN pgsize ELSE 0 END) AS index_bytes
FROM dbstat
WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = 'client_access_token_logs')"""
_PARTITIONS = """\
SELECT name, lower, upper
FROM gatewaylog.store_partitions
WHERE of_table = 'client_access_token_logs'
ORDER BY lower"""
_SHIPPED = "SELECT max(line_time) AS shipped_until FROM {schema}ship_checkpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition holds the rows from `lower` to before `upper`."""

    name: str
    lower: datetime
    upper: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """What the store has. `rows_a_day` is the mean of the last seven days, or of as many as there
    are rows of; `shipped_until` the time of the newest line that was delivered, of any log.
    """

    rows: int
    oldest: datetime | None
    newest: datetime | None
    rows_a_day: float
    table_bytes: int | None
    index_bytes: int | None
    shipped_until: datetime | None
    partitions: tuple[Partition, ...]


def statements(dialect: Dialect, now: datetime) -> dict[str, str]:
    """Return what is asked, as SQL, by what it tells."""
    table = STORE[dialect].name
    week = literal(dialect, now - timedelta(days=_DAYS))
    asked = {
        "rows": f"SELECT count(*) AS rows, min(access_time) AS oldest, max(access_time) AS newest"
        f"\nFROM {table}",
        "week": f"SELECT count(*) AS rows_of_a_week\nFROM {table}\nWHERE access_time >= {week}",
        "sizes": _SQLITE_SIZES if dialect == "sqlite" else _POSTGRESQL_SIZES,
        "shipped": _SHIPPED.format(schema="" if dialect == "sqlite" else "gatewaylog."),
    }
    return asked if dialect == "sqlite" else asked | {"partitions": _PARTITIONS}


def state_of(connection: sa.Connection) -> StoreState:
    """Return the state of a store that is there. Raises SQLAlchemyError."""
    dialect = STORE[connection.dialect.name].dialect
    now = datetime.now(UTC)
    asked = statements(dialect, now)
    rows, oldest, newest = connection.exec_driver_sql(asked["rows"]).one()
    week = connection.exec_driver_sql(asked["week"]).scalar_one()
    table_bytes, index_bytes = _sizes(connection, asked["sizes"])
    shipped = connection.exec_driver_sql(asked["shipped"]).scalar_one()
    first = moment_of(oldest)
    return StoreState(
        rows=rows,
        oldest=first,
        newest=moment_of(newest),
        rows_a_day=_a_day(week, first, now),
        table_bytes=table_bytes,
        index_bytes=index_bytes,
        shipped_until=moment_of(shipped),
        partitions=_partitions(connection, asked.get("partitions")),
    )


def _sizes(connection: sa.Connection, sql: str) -> tuple[int | None, int | None]:
    try:
        table_bytes, index_bytes = connection.exec_driver_sql(sql).one()
    except sa.exc.OperationalError:  # an SQLite without dbstat
        return None, None
    return int(table_bytes or 0), int(index_bytes or 0)


def _a_day(week: int, oldest: datetime | None, now: datetime) -> float:
    if oldest is None:
        return 0.0
    days = (now - oldest) / timedelta(days=1)
    return week / min(_DAYS, max(1.0, days))


def _partitions(connection: sa.Connection, sql: str | None) -> tuple[Partition, ...]:
    if sql is None:
        return ()
    found = connection.exec_driver_sql(sql)
    return tuple(Partition(name=row.name, lower=row.lower, upper=row.upper) for row in found)
