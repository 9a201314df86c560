"""Rows to SQLite, in transactions that write from their begin: those of others are waited for."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import sqlalchemy as sa

from gatewaylog.audit.store import rows as told
from gatewaylog.audit.store.engine import FAILURES, engine_at, reason
from gatewaylog.audit.store.tables import (
    client_access_token_logs,
    event_log,
    ship_checkpoints,
    token_events,
)
from gatewaylog.audit.store.writing import WITHOUT_TABLES, NeverSo, NotNow, Wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.audit.store.clients import Clients
    from gatewaylog.audit.store.rows import Rows, Values

_STOPS = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY})
_NEVER = frozenset({sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH})
_PRIMARY = 0xFF  # of an extended code


class InsertWriter:
    """Writes to the SQLite file at `url`."""

    most = 1000

    def __init__(self, url: str) -> None:
        self._engine = engine_at(url)
        self._connection: sa.Connection | None = None

    def write(self, rows: Rows, clients: Clients) -> None:
        """Write all or nothing; triggers pass over what is there already."""
        uses = [use.values(clients.of(use.token_ref, use.name)) for use in rows.use]
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                _put(self._connection, client_access_token_logs, told.USE, uses)
                _put(self._connection, token_events, told.LIFE, rows.life)
                _put(self._connection, event_log, told.EVENT, rows.events)
                _pass(self._connection, rows.checkpoint)
        except FAILURES as error:
            self.close()
            raise _judged(error) from None
        except BaseException:
            self.close()  # broken off
            raise

    def close(self) -> None:
        """Let go of the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


def _put(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Values]
) -> None:
    if rows:
        statement = sa.insert(table).inline()
        connection.execute(statement, [dict(zip(columns, row, strict=True)) for row in rows])


def _pass(connection: sa.Connection, checkpoint: Values) -> None:
    statement = sa.insert(ship_checkpoints).prefix_with("OR REPLACE").inline()
    connection.execute(statement, dict(zip(told.CHECKPOINT, checkpoint, strict=True)))


def _judged(error: BaseException) -> NotNow | NeverSo | Wrong:
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(cause, FileNotFoundError) or code == sqlite3.SQLITE_ERROR:  # no such table
        return Wrong(f"{reason(error)}; {WITHOUT_TABLES}")
    primary = -1 if code is None else code & _PRIMARY
    if primary in _STOPS:
        return Wrong(reason(error))
    return NeverSo(reason(error)) if primary in _NEVER else NotNow(reason(error))
