"""Rows to PostgreSQL: binary COPY into temporary tables, and from there what is not there yet.

The login needs `gatewaylog_writer` alone. `ON CONFLICT` without a target and an INSERT without
RETURNING: with either, PostgreSQL wants SELECT.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg

from gatewaylog.audit.store import rows as told
from gatewaylog.audit.store.engine import FAILURES, connected_to, engine_at, reason
from gatewaylog.audit.store.tables import (
    client_access_token_logs,
    event_log,
    ship_checkpoints,
    token_events,
)
from gatewaylog.audit.store.writing import WITHOUT_TABLES, NeverSo, NotNow, Wrong

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlalchemy as sa

    from gatewaylog.audit.store.clients import Clients
    from gatewaylog.audit.store.rows import Rows, Values

_AHEAD = 3600.0  # seconds after which the partitions to come are looked after again
_COLUMNS = {
    client_access_token_logs: told.USE,
    token_events: told.LIFE,
    event_log: told.EVENT,
    ship_checkpoints: told.CHECKPOINT,
}
_NO_PARTITION = "23514"  # as a constraint that is violated, but that has a name
# PostgreSQL's names of types by SQLAlchemy's.
_KINDS = {
    "BigInteger": "int8",
    "Double": "float8",
    "Integer": "int4",
    "Moment": "timestamptz",
    "String": "varchar",
    "Text": "text",
}
# Classes of SQLSTATE (PostgreSQL's appendix A), and codes among them. What no table or login can
# help, a row can't be the reason of:
_LATER = ("08", "25006", "40", "53", "55", "57", "58", "XX")
_STOPS = ("0A", "28", "3D", "3F", "42")
# Told while connecting, where there is no SQLSTATE yet.
_REFUSES = (
    "authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "not permitted to log in",
)


class CopyWriter:
    """Writes to the PostgreSQL at `url`, over one connection. `timeout`: seconds of a statement."""

    most = 10_000

    def __init__(self, url: str, timeout: float) -> None:
        engine_at(url)  # one that is none is told at once
        self._url = url
        self._timeout = timeout
        self._connection: psycopg.Connection[Any] | None = None
        self._units: set[tuple[int, int, int]] = set()  # days that have their partition
        self._looked = datetime.min.replace(tzinfo=UTC)

    def write(self, rows: Rows, clients: Clients) -> None:
        """Write all or nothing."""
        try:
            connection = self._open()
            self._prepare_partitions(connection, rows)
            with connection.transaction():
                uses = [use.values(clients.of(use.token_ref, use.name)) for use in rows.use]
                _put(connection, client_access_token_logs, uses)
                _put(connection, token_events, rows.life)
                _put(connection, event_log, rows.events)
                _put(connection, ship_checkpoints, [rows.checkpoint])
        except (psycopg.Error, *FAILURES) as error:
            self._units.clear()
            self.close()
            raise _judged(error) from None
        except BaseException:
            self.close()  # broken off amid a statement
            raise

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                connection.close()

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = connected_to(self._url, timeout=self._timeout)
            for table, columns in _COLUMNS.items():
                self._connection.execute(_temporary(table, columns))
        return self._connection

    def _prepare_partitions(self, connection: psycopg.Connection[Any], rows: Rows) -> None:
        """Have the partitions of these rows, and those to come, in transactions of their own."""
        now = datetime.now(UTC)
        moments = {_day(moment): moment for moment in _moments(rows)}
        if (now - self._looked).total_seconds() > _AHEAD:
            moments[_day(now)] = now
            self._units.discard(_day(now))
        for day, moment in moments.items():
            if day not in self._units:
                connection.execute("SELECT gatewaylog.ensure_partition(%s)", [moment])
                self._units.add(day)
        self._looked = max(self._looked, now) if _day(now) in moments else self._looked


def _moments(rows: Rows) -> Iterable[datetime]:
    yield from (use.moment for use in rows.use)
    yield from (values[told.LIFE.index("at")] for values in rows.life)


def _day(moment: datetime) -> tuple[int, int, int]:
    return moment.year, moment.month, moment.day


def _temporary(table: sa.Table, columns: Sequence[str]) -> str:
    """Return a copy's DDL: LIKE would want SELECT on the table."""
    kinds = ", ".join(f"{name} {_kind(table, name)}" for name in columns)
    return f"CREATE TEMPORARY TABLE new_{table.name} ({kinds}) ON COMMIT DELETE ROWS"


def _kind(table: sa.Table, column: str) -> str:
    return _KINDS[type(table.c[column].type).__name__]


def _put(connection: psycopg.Connection[Any], table: sa.Table, rows: Sequence[Values]) -> None:
    if not rows:
        return
    columns = _COLUMNS[table]
    names = ", ".join(columns)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY pg_temp.new_{table.name} ({names}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types([_kind(table, name) for name in columns])
        for row in rows:
            copy.write_row(row)
    fresh = f"SELECT {names} FROM pg_temp.new_{table.name}"  # noqa: S608 - names of ours
    connection.execute(f"INSERT INTO {table.fullname} ({names}) {fresh} ON CONFLICT DO NOTHING")


def _judged(error: BaseException) -> NotNow | NeverSo | Wrong:
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None) or ""
    if state.startswith(_LATER) or _lacks_partition(cause):
        return NotNow(reason(error))
    if state.startswith(_STOPS):
        return Wrong(f"{reason(error)}; {WITHOUT_TABLES}")
    if state:
        return NeverSo(reason(error))
    if any(sign in str(cause) for sign in _REFUSES):
        return Wrong(reason(error))
    if isinstance(cause, psycopg.DataError | psycopg.ProgrammingError):
        return NeverSo(reason(error))  # psycopg itself can't send it
    return NotNow(reason(error))


def _lacks_partition(error: BaseException) -> bool:
    """Tell whether a row's partition is gone: retention may drop it as rows of it come."""
    if not isinstance(error, psycopg.Error) or error.sqlstate != _NO_PARTITION:
        return False
    return error.diag.constraint_name is None
