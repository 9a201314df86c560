"""The database in which the gateway keeps tables of its own: SQLite or PostgreSQL.

Its tables are made where they are missing, on PostgreSQL in the schema `gatewaylog`.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateSchema, CreateTable

from gatewaylog.audit.pool import Pool, fill
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

SCHEMA = "gatewaylog"
_BUSY = 5.0  # seconds that SQLite waits for another writer
_STATEMENT = 5000  # milliseconds of one statement of PostgreSQL's
_TRIES = 3  # to make tables
_KINDS = ("sqlite", "postgresql")
_POOL = Pool()


class Database:
    """Connections to these tables in the database with this URL, or of this engine.

    Nothing is opened before the first call, which makes the first connections of `pool`; an engine
    that is handed in has its own. Each call raises TokenStoreError where it can't be done, the
    constructor for a URL that is none.
    """

    def __init__(
        self, database: str | sa.Engine, tables: Sequence[sa.Table], *, pool: Pool = _POOL
    ) -> None:
        self._tables = tables
        self._ready = False
        self._filling = threading.Lock()
        if isinstance(database, str):
            self._pool = pool
            self._engine = _engine(database, pool)
        else:
            self._pool = Pool(max_active=0)
            self._engine = _translated(database)

    @contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """Give a connection. Raises TokenStoreError."""
        with _told():
            self._fill()
            with self._engine.connect() as connection:
                self._prepare(connection)
                yield connection

    @contextmanager
    def writing(self) -> Generator[sa.Connection]:
        """Give a connection in a transaction, which ends with the block. Raises TokenStoreError."""
        with self.reading() as connection:
            if connection.dialect.name == "sqlite":
                # A plain BEGIN that reads before it writes fails where another one writes.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._engine.dispose()

    def _fill(self) -> None:
        if not self._ready and self._filling.acquire(blocking=False):
            try:
                fill(self._engine, self._pool)
            finally:
                self._filling.release()

    def _prepare(self, connection: sa.Connection) -> None:
        """Make the tables where they are not there, and columns that they lack."""
        if self._ready:
            return
        if not _are_there(connection, self._tables):
            _create(connection, self._tables)
        _complete(connection, self._tables)
        connection.commit()
        self._ready = True


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise TokenStoreError(_reason(error)) from None


def _engine(url: str, pool: Pool) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() not in _KINDS:
            raise ValueError("tokens are kept in sqlite:// or postgresql://")
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed, pool)
        settings = f"-c statement_timeout={_STATEMENT} -c lock_timeout={_STATEMENT}"
        return sa.create_engine(
            parsed, **pool.options(), connect_args={"connect_timeout": 2, "options": settings}
        )
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise TokenStoreError(_reason(error)) from None


def _sqlite(url: sa.URL, pool: Pool) -> sa.Engine:
    engine = sa.create_engine(url, **pool.options(), connect_args={"timeout": _BUSY})

    def connected(connection: Any, _: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")

    def connecting(*_: object) -> None:
        if url.database and url.database != ":memory:":
            Path(url.database).touch(mode=0o600)  # nobody else's business, hashes or not

    sa.event.listen(engine, "do_connect", connecting)
    sa.event.listen(engine, "connect", connected)
    return _translated(engine)


def _translated(engine: sa.Engine) -> sa.Engine:
    """Return an engine that finds our tables: SQLite has no schemas."""
    if engine.dialect.name != "sqlite":
        return engine
    return engine.execution_options(schema_translate_map={SCHEMA: None})


def _schema(connection: sa.Connection) -> str | None:
    return None if connection.dialect.name == "sqlite" else SCHEMA


def _are_there(connection: sa.Connection, tables: Sequence[sa.Table]) -> bool:
    there = set(sa.inspect(connection).get_table_names(schema=_schema(connection)))
    return there >= {table.name for table in tables}


def _create(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    """Make tables and indexes; others may make them, or the schema, at this moment."""
    for again in range(_TRIES, 0, -1):
        try:
            for statement in _statements(connection, tables):
                connection.execute(statement)
            connection.commit()
        except (IntegrityError, ProgrammingError):
            connection.rollback()
            if _are_there(connection, tables):
                return
            if again == 1:
                raise
        else:
            return


def _complete(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    """Add the columns that tables of an older version lack; others may at this moment."""
    while lacking := _lacking(connection, tables):
        table, column = lacking[0]
        connection.commit()
        try:
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column}")
            connection.commit()
        except (OperationalError, ProgrammingError):
            connection.rollback()
            if (table, column) in _lacking(connection, tables):
                raise


def _lacking(connection: sa.Connection, tables: Sequence[sa.Table]) -> list[tuple[str, str]]:
    """Return tables and the columns that they lack, as SQL has them."""
    schema, dialect = _schema(connection), connection.dialect
    inspector, lacking = sa.inspect(connection), []
    for table in tables:
        there = {column["name"] for column in inspector.get_columns(table.name, schema=schema)}
        name = table.name if schema is None else f"{schema}.{table.name}"
        missing = (column for column in table.columns if column.name not in there)
        lacking += [(name, str(CreateColumn(one).compile(dialect=dialect))) for one in missing]
    return lacking


def _statements(connection: sa.Connection, tables: Sequence[sa.Table]) -> list[Any]:
    wanted: list[Any] = []
    if _schema(connection) and not sa.inspect(connection).has_schema(SCHEMA):
        wanted.append(CreateSchema(SCHEMA, if_not_exists=True))
    for table in tables:
        wanted.append(CreateTable(table, if_not_exists=True))
        wanted += [CreateIndex(index, if_not_exists=True) for index in table.indexes]
    return wanted


def _reason(error: Exception) -> str:
    """Return what is wrong in one line; drivers may tell addresses, never passwords."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, OSError) and cause.strerror:
        return f"{cause.filename}: {cause.strerror}" if cause.filename else cause.strerror
    return " ".join(str(cause).split())[:200] or type(cause).__name__
