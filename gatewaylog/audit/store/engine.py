"""Connections to the store. On SQLite a transaction is one that writes from its begin."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from gatewaylog.audit.store.tables import SCHEMA
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    import psycopg

BUSY = 5.0  # seconds that SQLite waits for another writer
FAILURES = (SQLAlchemyError, sqlite3.Error, OSError)
_CONNECTING = 5  # seconds, for each of a host's addresses
_KINDS = ("sqlite", "postgresql")


def engine_at(
    url: str, *, timeout: float = 0.0, reads: bool = False, creates: bool = False
) -> sa.Engine:
    """Return an engine whose connections are not kept; nothing is opened yet.

    `timeout` is seconds that PostgreSQL may take for a statement, and wait for a lock; 0: for ever.
    With `reads` SQLite's transactions hold up nobody; its file is made with `creates` alone. Raises
    TokenStoreError for a URL that is none, ModuleNotFoundError without the driver.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() not in _KINDS:
        raise TokenStoreError("the database must be sqlite:///FILE or postgresql://host/name")
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed.set(drivername="postgresql+psycopg"), timeout)
    return _sqlite(parsed, reads=reads, creates=creates)


def url_for(url: str, *, user: str = "", password: str = "") -> str:
    """Return the URL with who asks, where that is given apart. Raises TokenStoreError."""
    parsed = _parsed(url)
    named = parsed.set(username=user or parsed.username, password=password or parsed.password)
    return named.render_as_string(hide_password=False)


def _parsed(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number
        raise TokenStoreError("the database's URL can't be read") from None


def connected_to(url: str, *, timeout: float) -> psycopg.Connection[Any]:
    """Return a connection of the driver's own to PostgreSQL, for what SQLAlchemy has no words for.

    Each statement is its own transaction. Raises psycopg.Error, and as `engine_at` does.
    """
    import psycopg

    engine = engine_at(url)
    _, named = engine.dialect.create_connect_args(engine.url)
    return psycopg.connect(**{**named, **_settings(timeout)}, autocommit=True)


def _postgresql(url: sa.URL, timeout: float) -> sa.Engine:
    return sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args=_settings(timeout))


def _settings(timeout: float) -> dict[str, Any]:
    milliseconds = round(timeout * 1000)
    return {
        "connect_timeout": _CONNECTING,
        "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
        " -c timezone=UTC -c datestyle=ISO",
        # A host that is gone is noticed in the midst of a statement, too.
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": milliseconds,
    }


def _sqlite(url: sa.URL, *, reads: bool, creates: bool) -> sa.Engine:
    engine = sa.create_engine(
        url, poolclass=sa.pool.NullPool, connect_args={"timeout": BUSY, "isolation_level": None}
    )

    def connecting(*_: object) -> None:
        if not url.database or url.database == ":memory:":
            return
        if creates:
            Path(url.database).touch(mode=0o600)  # nobody else's business
        elif not Path(url.database).exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url.database)

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
    if told := getattr(getattr(cause, "diag", None), "message_primary", None):
        return " ".join(told.split())[:200]  # without DETAIL, which shows what rows hold
    return " ".join(str(cause).split())[:200] or type(cause).__name__
