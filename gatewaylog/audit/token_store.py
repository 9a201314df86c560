"""Issued tokens in SQLite or PostgreSQL, shared by all workers.

The table is no log: its rows are changed by a revocation and deleted a day after they expire.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateSchema, CreateTable

from gatewaylog.audit.issued import Issued
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Generator

_BUSY = 5.0  # seconds that SQLite waits for another writer
_STATEMENT = 5000  # milliseconds of one statement of PostgreSQL's
_POOL = 4  # connections: one for each thread that asks
_KEPT = 86_400  # seconds after its end that a token is still known as expired
_SWEEP = 60.0  # seconds between two deletions of older ones
_SCHEMA = "gatewaylog"

metadata = sa.MetaData(schema=_SCHEMA)
access_tokens = sa.Table(
    "access_tokens",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("client_id", sa.String(255), nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("issued_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Column("revoked_at", sa.Double),
    sa.Index("access_tokens_client", "client_id", "expires_at"),
    sa.Index("access_tokens_expiry", "expires_at"),
)


class DatabaseTokens:
    """The `TokenStore` in the database with this URL; its table is made where it is missing.

    Nothing is opened before the first call. Raises TokenStoreError for a URL that is none.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._ready = False
        self._swept = 0.0

    def find(self, digest: bytes) -> Issued | None:
        """Return the token with this SHA-256. Raises TokenStoreError."""
        query = sa.select(access_tokens).where(access_tokens.c.digest == digest.hex())
        with self._told(), self._engine.connect() as connection:
            self._prepare(connection)
            row = connection.execute(query).one_or_none()
        return None if row is None else _issued(row)

    def issue(self, token: Issued, *, limit: int) -> float | None:
        """Keep a token unless its client has `limit` live ones. Raises TokenStoreError."""
        with self._told(), self._writing() as connection:
            _wait_in_line(connection, token.client_id)
            if time.monotonic() - self._swept > _SWEEP:
                self._swept = time.monotonic()
                old = access_tokens.c.expires_at < token.issued_at - _KEPT
                connection.execute(access_tokens.delete().where(old))
            live = connection.execute(_live(token.client_id, token.issued_at)).scalars().all()
            if len(live) >= limit:
                return min(map(float, live))
            connection.execute(access_tokens.insert().values(_row(token)))
        return None

    def revoke(self, digest: bytes, at: float) -> None:
        """Note that a token is good for nothing any more. Raises TokenStoreError."""
        table = access_tokens
        there = sa.and_(table.c.digest == digest.hex(), table.c.revoked_at.is_(None))
        with self._told(), self._writing() as connection:
            connection.execute(table.update().where(there).values(revoked_at=at))

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Generator[sa.Connection]:
        with self._engine.connect() as connection:
            self._prepare(connection)
            if connection.dialect.name == "sqlite":
                # A plain BEGIN that reads before it writes fails where another one writes.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise TokenStoreError(_reason(error)) from None

    def _prepare(self, connection: sa.Connection) -> None:
        """Make the table where it is not there."""
        if self._ready:
            return
        if not sa.inspect(connection).has_table(access_tokens.name, schema=_schema(connection)):
            _create(connection)
        connection.commit()
        self._ready = True


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
            raise ValueError("tokens are kept in sqlite:// or postgresql://")
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed)
        settings = f"-c statement_timeout={_STATEMENT} -c lock_timeout={_STATEMENT}"
        return sa.create_engine(
            parsed,
            pool_size=_POOL,
            max_overflow=0,
            pool_timeout=_BUSY,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 2, "options": settings},
        )
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise TokenStoreError(_reason(error)) from None


def _sqlite(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(
        url, pool_size=_POOL, max_overflow=0, pool_timeout=_BUSY, connect_args={"timeout": _BUSY}
    ).execution_options(schema_translate_map={_SCHEMA: None})

    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions begin where they are begun here
        connection.execute("PRAGMA journal_mode = WAL")

    def connecting(*_: object) -> None:
        if url.database and url.database != ":memory:":
            Path(url.database).touch(mode=0o600)  # nobody else's business, hashes or not

    sa.event.listen(engine, "do_connect", connecting)
    sa.event.listen(engine, "connect", connected)
    return engine


def _schema(connection: sa.Connection) -> str | None:
    return None if connection.dialect.name == "sqlite" else _SCHEMA


def _create(connection: sa.Connection) -> None:
    """Make table and indexes; another worker may do the same at this moment."""
    wanted: list[Any] = [CreateTable(access_tokens, if_not_exists=True)]
    wanted += [CreateIndex(index, if_not_exists=True) for index in access_tokens.indexes]
    if _schema(connection) and not sa.inspect(connection).has_schema(_SCHEMA):
        wanted.insert(0, CreateSchema(_SCHEMA, if_not_exists=True))
    try:
        for statement in wanted:
            connection.execute(statement)
        connection.commit()
    except (IntegrityError, ProgrammingError):
        connection.rollback()
        if not sa.inspect(connection).has_table(access_tokens.name, schema=_schema(connection)):
            raise


def _wait_in_line(connection: sa.Connection, client_id: str) -> None:
    """Let one transaction after the other count a client's tokens; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        lock = sa.func.pg_advisory_xact_lock(sa.func.hashtext(client_id))
        connection.execute(sa.select(lock))


def _live(client_id: str, now: float) -> sa.Select[Any]:
    table = access_tokens
    return sa.select(table.c.expires_at).where(
        table.c.client_id == client_id, table.c.expires_at > now, table.c.revoked_at.is_(None)
    )


def _row(token: Issued) -> dict[str, object]:
    return {
        "digest": token.digest.hex(),
        "client_id": token.client_id,
        "scopes": " ".join(sorted(token.scopes)),
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
    }


def _issued(row: sa.Row[Any]) -> Issued:
    return Issued(
        digest=bytes.fromhex(row.digest),
        client_id=row.client_id,
        scopes=frozenset(row.scopes.split()),
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def _reason(error: Exception) -> str:
    """Return what is wrong in one line; drivers may tell addresses, never passwords."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:200] or type(cause).__name__
