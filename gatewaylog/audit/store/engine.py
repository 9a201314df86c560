"""Connections to the store. On SQLite a transaction is one that writes from its begin."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from gatewaylog.audit.store.tables import SCHEMA
from gatewaylog.exceptions import TokenStoreError

BUSY = 5.0  # seconds that SQLite waits for another writer
FAILURES = (SQLAlchemyError, sqlite3.Error, OSError)
_CONNECTING = 5  # seconds, for each of a host's addresses
_KINDS = ("sqlite", "postgresql")


def engine_at(url: str, *, timeout: float = 0.0, reads: bool = False) -> sa.Engine:
    """Return an engine whose connections are not kept; nothing is opened yet.

    `timeout` is seconds that PostgreSQL may take for a statement, and wait for a lock; 0: for ever.
    With `reads` SQLite's transactions hold up nobody, and its file is not made. Raises
    TokenStoreError for a URL that is none, ModuleNotFoundError without the driver.
    """
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number
        raise TokenStoreError("the database's URL can't be read") from None
    if parsed.get_backend_name() not in _KINDS:
        raise TokenStoreError("the database must be sqlite:///FILE or postgresql://host/name")
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed.set(drivername="postgresql+psycopg"), timeout)
    return _sqlite(parsed, reads=reads)


def _postgresql(url: sa.URL, timeout: float) -> sa.Engine:
    milliseconds = round(timeout * 1000)
    settings = f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} -c timezone=UTC"
    return sa.create_engine(
        url,
        poolclass=sa.pool.NullPool,
        connect_args={
            "connect_timeout": _CONNECTING,
            "options": settings,
            # A host that is gone is noticed in the midst of a statement, too.
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        },
    )


def _sqlite(url: sa.URL, *, reads: bool) -> sa.Engine:
    engine = sa.create_engine(
        url, poolclass=sa.pool.NullPool, connect_args={"timeout": BUSY, "isolation_level": None}
    )

    def connecting(*_: object) -> None:
        if not url.database or url.database == ":memory:":
            return
        if reads and not Path(url.database).exists():
            raise sqlite3.OperationalError(f"{url.database}: is not there")
        if not reads:
            Path(url.database).touch(mode=0o600)  # nobody else's business

    def connected(connection: sqlite3.Connection, _: object) -> None:
        if not reads:
            connection.execute("PRAGMA journal_mode = WAL")

    def began(connection: sa.Connection) -> None:
        # A plain BEGIN that reads before it writes fails where another one writes.
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    sa.event.listen(engine, "do_connect", connecting)
    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", began)
    return engine.execution_options(schema_translate_map={SCHEMA: None})


def reason(error: BaseException) -> str:
    """Return what a database says is wrong, in one line; drivers tell no passwords."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    cause: Any = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:200] or type(cause).__name__
