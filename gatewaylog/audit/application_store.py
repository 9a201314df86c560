"""Applications, their keys, subscriptions and scopes in SQLite or PostgreSQL.

Of keys and clients' secrets the database has the SHA-256 alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from gatewaylog.audit.database import SCHEMA, Database
from gatewaylog.audit.pool import Pool
from gatewaylog.audit.registered import Registered, RegisteredKey

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_POOL = Pool()
_NAME = sa.String(255)

metadata = sa.MetaData(schema=SCHEMA)
applications = sa.Table(
    "applications",
    metadata,
    sa.Column("name", _NAME, primary_key=True),
    sa.Column("owner", _NAME, nullable=False),
    sa.Column("vendor", _NAME, nullable=False, server_default=""),
    sa.Column("client_id", _NAME, unique=True),
    sa.Column("client_secret", sa.String(71)),
)
application_keys = sa.Table(
    "application_keys",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("application", _NAME, sa.ForeignKey(applications.c.name), nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("disabled_at", sa.Double),
)
subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("application", _NAME, sa.ForeignKey(applications.c.name), primary_key=True),
    sa.Column("api", sa.String(512), primary_key=True),
    sa.Column("suspended", sa.Boolean, nullable=False, server_default=sa.false()),
)
scopes = sa.Table(
    "scopes",
    metadata,
    sa.Column("application", _NAME, sa.ForeignKey(applications.c.name), primary_key=True),
    sa.Column("scope", sa.String(512), primary_key=True),
)
_TABLES = (applications, application_keys, subscriptions, scopes)


class DatabaseApplications:
    """The `Register` in the database with this URL, or of this engine; its tables are made where
    they are missing.

    Nothing is opened before the first call. Raises TokenStoreError for a URL that is none.
    """

    def __init__(self, database: str | Engine, *, pool: Pool = _POOL) -> None:
        self._database = Database(database, _TABLES, pool=pool)

    def by_key(self, digest: bytes) -> Registered | None:
        """Return the application of a key that is not disabled. Raises TokenStoreError."""
        keys = application_keys
        named = sa.select(keys.c.application).where(
            keys.c.digest == digest.hex(), keys.c.disabled_at.is_(None)
        )
        return self._one(applications.c.name == named.scalar_subquery())

    def by_client(self, client_id: str) -> Registered | None:
        """Return the application of an OAuth client. Raises TokenStoreError."""
        return self._one(applications.c.client_id == client_id)

    def by_name(self, name: str) -> Registered | None:
        """Return an application. Raises TokenStoreError."""
        return self._one(applications.c.name == name)

    def keep(self, application: Registered) -> None:
        """Keep an application: a new one, or in place of what it was. Raises TokenStoreError."""
        row = {
            "owner": application.owner,
            "vendor": application.vendor,
            "client_id": application.client_id or None,
            "client_secret": application.client_secret or None,
        }
        named = applications.c.name == application.name
        with self._database.writing() as connection:
            changed = connection.execute(applications.update().where(named).values(row))
            if not changed.rowcount:
                connection.execute(applications.insert().values(name=application.name, **row))
            _replace(connection, application)

    def add_key(self, key: RegisteredKey) -> None:
        """Keep a key of an application that is there. Raises TokenStoreError."""
        row = {
            "digest": key.digest.hex(),
            "application": key.application,
            "created_at": key.created_at,
            "disabled_at": key.disabled_at,
        }
        with self._database.writing() as connection:
            connection.execute(application_keys.insert().values(row))

    def disable(self, digest: bytes, at: float) -> bool:
        """Have a key open nothing any more; say whether it did. Raises TokenStoreError."""
        keys = application_keys
        there = sa.and_(keys.c.digest == digest.hex(), keys.c.disabled_at.is_(None))
        with self._database.writing() as connection:
            changed = connection.execute(keys.update().where(there).values(disabled_at=at))
        return bool(changed.rowcount)

    def all_keys(self) -> list[RegisteredKey]:
        """Return all keys, disabled ones too, the oldest first. Raises TokenStoreError."""
        keys = application_keys
        with self._database.reading() as connection:
            rows = connection.execute(keys.select().order_by(keys.c.created_at, keys.c.digest))
            return [
                RegisteredKey(
                    digest=bytes.fromhex(row.digest),
                    application=row.application,
                    created_at=row.created_at,
                    disabled_at=row.disabled_at,
                )
                for row in rows
            ]

    def all_clients(self) -> list[Registered]:
        """Return the applications with an OAuth client, by its name. Raises TokenStoreError."""
        has_client = applications.c.client_id.is_not(None)
        with self._database.reading() as connection:
            found = applications.select().where(has_client).order_by(applications.c.client_id)
            return [_registered(connection, row) for row in connection.execute(found).all()]

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._database.close()

    def _one(self, condition: sa.ColumnElement[bool]) -> Registered | None:
        with self._database.reading() as connection:
            row = connection.execute(applications.select().where(condition)).one_or_none()
            return None if row is None else _registered(connection, row)


def _registered(connection: Connection, row: sa.Row[Any]) -> Registered:
    held = subscriptions.c
    subscribed = connection.execute(
        sa.select(held.api, held.suspended).where(held.application == row.name)
    ).all()
    allowed = sa.select(scopes.c.scope).where(scopes.c.application == row.name)
    return Registered(
        name=row.name,
        owner=row.owner,
        vendor=row.vendor,
        client_id=row.client_id or "",
        client_secret=row.client_secret or "",
        subscriptions=frozenset(api for api, _ in subscribed),
        suspended=frozenset(api for api, is_suspended in subscribed if is_suspended),
        scopes=frozenset(connection.execute(allowed).scalars()),
    )


def _replace(connection: Connection, application: Registered) -> None:
    """Put the subscriptions and scopes in the place of those that are there."""
    name = application.name
    for table in (subscriptions, scopes):
        connection.execute(table.delete().where(table.c.application == name))
    subscribed = [
        {"application": name, "api": api, "suspended": api in application.suspended}
        for api in sorted(application.subscriptions | application.suspended)
    ]
    allowed = [{"application": name, "scope": scope} for scope in sorted(application.scopes)]
    for table, rows in ((subscriptions, subscribed), (scopes, allowed)):
        if rows:
            connection.execute(table.insert(), rows)
