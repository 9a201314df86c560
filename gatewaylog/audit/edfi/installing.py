"""Installs and removes the trigger; logins go on meanwhile.

CREATE TRIGGER waits for transactions that write the table of tokens, and whoever logs in then waits
behind it: so it waits for half a second only, and is tried again.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from gatewaylog.audit.edfi import postgresql
from gatewaylog.audit.edfi.state import catalogue_of, lacking, state_of
from gatewaylog.audit.store.engine import reason
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from gatewaylog.audit.edfi.postgresql import TokenFormat
    from gatewaylog.audit.edfi.state import State

USUAL: TokenFormat = "N"
Done = TypeVar("Done")
_TRIES, _PAUSE = 10, 0.5  # seconds between two, in which logins go on
_LOCK_TIMEOUT = "55P03"
# A view's definition names our table with its schema where that is on no path.
_CONNECTION = {"connect_timeout": 10, "options": "-c search_path=pg_catalog"}
_WAIT = sa.text("SET LOCAL lock_timeout = '500ms'")
_ALONE = sa.text("SELECT pg_advisory_xact_lock(hashtext('gatewaylog tokens edfi'))")


class Installation:
    """The trigger in the EdFi_Admin database with this URL of PostgreSQL's.

    Each call opens a connection, and raises TokenStoreError where it can't be done.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url).set(drivername="postgresql+psycopg")
        except (ArgumentError, ValueError):  # the latter for a port that is no number
            raise TokenStoreError("the database's URL can't be read") from None
        self._engine = sa.create_engine(
            parsed, poolclass=sa.pool.NullPool, connect_args=_CONNECTION
        )

    def install(self, token_format: TokenFormat = USUAL) -> tuple[str, ...]:
        """Make what is lacking, all or nothing; return its names, none where all was there."""
        return self._tried(lambda connection: _install(connection, token_format))

    def remove(self) -> bool:
        """Drop trigger and function, keep rows and view; tell whether there was anything."""
        return self._tried(_remove)

    def state(self) -> State:
        """Return what is there."""
        with _told(), self._engine.connect() as connection:
            return state_of(connection)

    def _tried(self, does: Callable[[sa.Connection], Done]) -> Done:
        for tries in range(_TRIES):
            if tries:
                time.sleep(_PAUSE)
            try:
                with _told(), self._engine.begin() as connection:
                    connection.execute(_WAIT)
                    connection.execute(_ALONE)
                    return does(connection)
            except _InUse:
                continue
        raise TokenStoreError(
            f"{postgresql.TOKENS} is locked, or somebody else is at it;"
            " nothing was changed, try again"
        )


class _InUse(Exception):
    """A lock was not to be had in time."""


def _install(connection: sa.Connection, token_format: TokenFormat) -> tuple[str, ...]:
    found = catalogue_of(connection)
    _check_guides_own(found)
    wanted = lacking(found, token_format)
    for part in postgresql.parts(token_format):
        if part.name in wanted:
            statements = part.statements
            if part.name == "trigger" and found.is_ours:
                statements = (postgresql.ENABLE,)
            for statement in statements:
                connection.execute(sa.text(statement))
    return wanted


def _check_guides_own(found: sa.Row[tuple[object, ...]]) -> None:
    """Raise TokenStoreError where the guide's own trigger or table stands in our place."""
    if found.enabled is not None and not found.is_ours:
        raise TokenStoreError(
            f"{postgresql.TOKENS} has a trigger {postgresql.TRIGGER} that is not gatewaylog's; the"
            f" guide's own keeps tokens in clear: DROP TRIGGER {postgresql.TRIGGER} ON"
            f" {postgresql.TOKENS}"
        )
    if found.view_kind not in {None, "v"}:
        raise TokenStoreError(
            f"{postgresql.VIEW} is a table, the guide's own: ALTER TABLE {postgresql.VIEW}"
            " RENAME TO clientaccesstokenlogs_old keeps its rows"
        )


def _remove(connection: sa.Connection) -> bool:
    found = catalogue_of(connection)
    if found.body is None:
        return False
    for statement in postgresql.REMOVE if found.is_ours else postgresql.REMOVE[1:]:
        connection.execute(sa.text(statement))
    return True


@contextmanager
def _told() -> Generator[None]:
    """Turn what the database says into one line."""
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_TIMEOUT:
            raise _InUse from None
        raise TokenStoreError(reason(error)) from None
    except SQLAlchemyError as error:
        raise TokenStoreError(reason(error)) from None
