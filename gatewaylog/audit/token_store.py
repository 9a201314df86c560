"""Issued tokens in SQLite or PostgreSQL, shared by all workers.

The table is no log: its rows are changed by a revocation and deleted a day after they expire.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from gatewaylog.audit.database import SCHEMA, Database
from gatewaylog.audit.issued import Issued
from gatewaylog.audit.pool import Pool

if TYPE_CHECKING:
    from sqlalchemy import Engine

_KEPT = 86_400  # seconds after its end that a token is still known as expired
_SWEEP = 60.0  # seconds between two deletions of older ones
_POOL = Pool()

metadata = sa.MetaData(schema=SCHEMA)
access_tokens = sa.Table(
    "access_tokens",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("client_id", sa.String(255), nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("issued_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Column("revoked_at", sa.Double),
    sa.Column("application", sa.String(255)),  # NULL in rows of a table that was made without
    sa.Index("access_tokens_client", "client_id", "expires_at"),
    sa.Index("access_tokens_expiry", "expires_at"),
)


class DatabaseTokens:
    """The `TokenStore` in the database with this URL, or of this engine; its table is made where
    it is missing.

    Nothing is opened before the first call. Raises TokenStoreError for a URL that is none.
    """

    def __init__(self, database: str | Engine, *, pool: Pool = _POOL) -> None:
        self._database = Database(database, (access_tokens,), pool=pool)
        self._swept = 0.0

    def find(self, digest: bytes) -> Issued | None:
        """Return the token with this SHA-256. Raises TokenStoreError."""
        query = sa.select(access_tokens).where(access_tokens.c.digest == digest.hex())
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _issued(row)

    def issue(self, token: Issued, *, limit: int) -> float | None:
        """Keep a token unless its client has `limit` live ones. Raises TokenStoreError."""
        with self._database.writing() as connection:
            _wait_in_line(connection, token.client_id)
            if time.monotonic() - self._swept > _SWEEP:
                self._swept = time.monotonic()
                old = access_tokens.c.expires_at < token.issued_at - _KEPT
                connection.execute(access_tokens.delete().where(old))
            live = connection.execute(_live(token)).scalars().all()
            if len(live) >= limit:
                return min(map(float, live))
            connection.execute(access_tokens.insert().values(_row(token)))
        return None

    def revoke(self, digest: bytes, at: float) -> None:
        """Note that a token is good for nothing any more. Raises TokenStoreError."""
        table = access_tokens
        there = sa.and_(table.c.digest == digest.hex(), table.c.revoked_at.is_(None))
        with self._database.writing() as connection:
            connection.execute(table.update().where(there).values(revoked_at=at))

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._database.close()


def _wait_in_line(connection: sa.Connection, client_id: str) -> None:
    """Let one transaction after the other count a client's tokens; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        lock = sa.func.pg_advisory_xact_lock(sa.func.hashtext(client_id))
        connection.execute(sa.select(lock))


def _live(token: Issued) -> sa.Select[Any]:
    table = access_tokens
    return sa.select(table.c.expires_at).where(
        table.c.client_id == token.client_id,
        table.c.application == token.application,
        table.c.expires_at > token.issued_at,
        table.c.revoked_at.is_(None),
    )


def _row(token: Issued) -> dict[str, object]:
    return {
        "digest": token.digest.hex(),
        "client_id": token.client_id,
        "scopes": " ".join(sorted(token.scopes)),
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "application": token.application,
    }


def _issued(row: sa.Row[Any]) -> Issued:
    return Issued(
        digest=bytes.fromhex(row.digest),
        client_id=row.client_id,
        scopes=frozenset(row.scopes.split()),
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        application=row.application or "",
    )
