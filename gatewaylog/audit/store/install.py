"""The store made, or brought up to date: as often as one likes, by several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

from gatewaylog.audit.store import postgresql, sqlite
from gatewaylog.audit.store.catalogue import check_version
from gatewaylog.audit.store.engine import FAILURES, engine_at, reason
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from gatewaylog.audit.store.partitions import Unit

_STEPS = "gatewaylog.audit.store:migrations"


def install(url: str, *, partition: Unit | None = None) -> None:
    """Make in one transaction what is missing. Raises TokenStoreError, also for a newer store.

    `partition`: what PostgreSQL's next partitions hold; None: what they held, at first a month.
    """
    engine = engine_at(url, creates=True)
    try:
        with engine.begin() as connection:
            _install(connection, partition)
    except FAILURES as error:
        raise TokenStoreError(reason(error)) from None
    finally:
        engine.dispose()


def _install(connection: sa.Connection, partition: Unit | None) -> None:
    if connection.dialect.name == "sqlite":
        _upgrade(connection)
        sqlite.guard(connection)
    else:
        postgresql.begin(connection)
        _upgrade(connection)
        postgresql.finish(connection, partition)


def _upgrade(connection: sa.Connection) -> None:
    """Take the steps that were not taken yet, in the transaction that is open."""
    check_version(connection)
    config = Config()
    config.set_main_option("script_location", _STEPS)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
