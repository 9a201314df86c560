"""Asks the store of token use, or where there is none the log of Ed-Fi's trigger.

Both can be in one database: then the store is asked, and the trigger's rows are pruned with it.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gatewaylog.audit.edfi import postgresql as edfi
from gatewaylog.audit.queries.statements import MOMENTS, Table
from gatewaylog.audit.store.catalogue import check_version, is_there
from gatewaylog.audit.store.engine import FAILURES, engine_at, reason
from gatewaylog.audit.store.tables import client_access_token_logs as use
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

Value = str | int | float | datetime | None

_AT_ONCE = 1000  # rows that are fetched together
_SEEDS = 9  # the columns that the guide has too
COLUMNS = tuple(column.name for column in use.columns)
STORE = {
    "sqlite": Table(dialect="sqlite", name=use.name, columns=COLUMNS),
    "postgresql": Table(dialect="postgresql", name=use.fullname, columns=COLUMNS),
}
EDFI = Table(dialect="postgresql", name=edfi.TABLE, columns=COLUMNS[:_SEEDS])


class Asking:
    """A database of token use, by its URL; each call opens a connection.

    `timeout` is seconds that PostgreSQL may take for a statement; 0: for ever.
    `reading` and what is done in it raise TokenStoreError where the database can't be asked.
    """

    def __init__(self, url: str, *, timeout: float = 0.0) -> None:
        self._engine = engine_at(url, timeout=timeout, reads=True)
        self._shown = self._engine.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """Give a connection that reads."""
        try:
            connection = self._engine.connect()
        except FAILURES as error:
            raise TokenStoreError(self._reason(error)) from None
        try:
            with connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error) as error:  # an OSError is of what is done with rows
            raise TokenStoreError(reason(error)) from None

    def table(self, connection: sa.Connection) -> Table:
        """Return the first of `tables`, which is the one that is asked."""
        return self.tables(connection)[0]

    def tables(self, connection: sa.Connection) -> tuple[Table, ...]:
        """Return the tables that there are, the store's first.

        Raises TokenStoreError where there is none, or the store is newer than this program.
        """
        store = STORE[connection.dialect.name]
        found = [store] if is_there(connection, store.name) else []
        if found:
            check_version(connection)
        if store.dialect == EDFI.dialect and is_there(connection, EDFI.name):
            # Beside the store it is the trigger's only where Ed-Fi's own tokens are.
            found += [EDFI] if not found or is_there(connection, edfi.TOKENS) else []
        if not found:
            raise TokenStoreError(f"there are no tables of token use: {self._hint()}")
        return tuple(found)

    def usual_tables(self) -> tuple[Table, ...]:
        """Return the tables that there are, the store's where the database can't be asked."""
        try:
            with self.reading() as connection:
                return self.tables(connection)
        except TokenStoreError:
            return (STORE[self._engine.dialect.name],)

    def _reason(self, error: BaseException) -> str:
        missing = isinstance(error, FileNotFoundError)
        return f"{reason(error)}: {self._hint()}" if missing else reason(error)

    def _hint(self) -> str:
        return f"gatewaylog tokens init --database {self._shown} makes them"


def holds_rows(connection: sa.Connection, table: Table) -> bool:
    """Tell by its size whether a table of PostgreSQL's has rows, or had; nobody's code is run."""
    size = sa.text("SELECT pg_relation_size(to_regclass(:name))")
    return bool(connection.execute(size, {"name": table.name}).scalar_one())


def rows_of(connection: sa.Connection, sql: str) -> Iterator[dict[str, Value]]:
    """Run a query as it stands; yield its rows, moments in UTC with their zone."""
    streaming = connection.execution_options(stream_results=True, max_row_buffer=_AT_ONCE)
    found = streaming.exec_driver_sql(sql)
    names = tuple(found.keys())
    timed = [at for at, name in enumerate(names) if name in MOMENTS]
    for row in found:
        values = list(row)
        for at in timed:
            values[at] = moment_of(values[at])
        yield dict(zip(names, values, strict=True))


def moment_of(value: object) -> datetime | None:
    """Return a moment as a database gives it: SQLite as text. Raises TokenStoreError."""
    if value is None:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise TokenStoreError(f"{value!r} in the table is no time") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
