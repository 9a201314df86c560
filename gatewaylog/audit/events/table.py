"""The table `event_log`: records in a database, by a user that can do nothing but insert.

The columns are those of OpenASelect's page, with what experience mends: addresses of 45
characters, a timestamp with its zone, `logitemtype`. A table made from the page's own SQL is
written too: its columns are read from the catalogue, and what it lacks is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from gatewaylog.audit.events.records import cut

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine
    from sqlalchemy.engine.interfaces import ReflectedColumn

    from gatewaylog.audit.events.records import AuditEvent

NAME = "event_log"
_ROWS = 500  # of a statement: with 12 columns less than any database's most parameters
_PEOPLE = {"session_id": 24, "tgt_id": 172, "event": 255, "user_id": 256, "organization_id": 255}
_PLACES = {"ip": 45, "requestor_id": 255, "message": 255, "authority": 255}


def table(name: str = NAME) -> sa.Table:
    """Return the table as it is made where there is none."""
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", serial, primary_key=True, autoincrement=True),
        sa.Column(
            "log_timestamp",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
        *(sa.Column(column, sa.String(size)) for column, size in _PEOPLE.items()),
        sa.Column("state", sa.Integer()),
        *(sa.Column(column, sa.String(size)) for column, size in _PLACES.items()),
        sa.Column("logitemtype", sa.Integer()),
    )


def create(engine: Engine, name: str = NAME) -> None:
    """Make the table where there is none; twice changes nothing."""
    table(name).create(engine, checkfirst=True)


def grants(user: str, name: str = NAME) -> list[str]:
    """Return the statements by which PostgreSQL lets `user` write the table, and nothing else."""
    quoted = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]
    return [
        f"GRANT INSERT ON {quoted(name)} TO {quoted(user)}",
        f"GRANT USAGE ON SEQUENCE {quoted(f'{name}_id_seq')} TO {quoted(user)}",
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column of the table that is there: how long its texts may be, whether times have zones."""

    length: int | None
    zoned: bool


class EventTable:
    """Inserts records into a table that is there.

    Nothing is read back, as the grants allow no SELECT: no RETURNING, no generated keys. Raises
    SQLAlchemyError where the database can't be reached, LookupError where there is no such table.
    """

    def __init__(self, engine: Engine, name: str = NAME) -> None:
        self._engine = engine
        self._columns = {column["name"]: _column(column) for column in _reflected(engine, name)}
        known = [column for column in values_of(None) if column in self._columns]
        if "event" not in self._columns:
            raise LookupError(f"there is no table {name} with the columns of an event log")
        self._known = known
        self._target = sa.table(name, *(sa.column(column) for column in known))

    def insert(self, events: Iterable[AuditEvent]) -> None:
        """Insert records, all or none. Raises SQLAlchemyError."""
        rows = [self._row(event) for event in events]
        if rows:
            with self._engine.begin() as connection:
                for at in range(0, len(rows), _ROWS):
                    # One statement for all: psycopg's executemany logs a line of its own, for
                    # nobody's use, each time that it fails.
                    values = rows[at : at + _ROWS]
                    connection.execute(sa.insert(self._target).inline().values(values))

    def _row(self, event: AuditEvent) -> dict[str, object]:
        values = values_of(event)
        return {column: self._fitted(column, values[column]) for column in self._known}

    def _fitted(self, name: str, value: object) -> object:
        column = self._columns[name]
        if isinstance(value, datetime):
            return value if column.zoned else value.astimezone().replace(tzinfo=None)
        if isinstance(value, str):
            # PostgreSQL takes no NUL, and no lone surrogates.
            text = value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
            return text if column.length is None else cut(text, column.length)
        return value


def values_of(event: AuditEvent | None) -> dict[str, object]:
    """Return a record by columns, in their order; of None the columns alone."""
    at = None if event is None or event.at is None else datetime.fromtimestamp(event.at, UTC)
    return {
        "log_timestamp": at,
        "session_id": event and event.session_id,
        "tgt_id": event and event.tgt_id,
        "state": None if event is None or event.state is None else int(event.state),
        "event": event and str(event.event),
        "user_id": event and event.user,
        "organization_id": event and event.organization,
        "ip": event and event.ip,
        "requestor_id": event and event.requestor,
        "message": event and event.detail,
        "authority": event and event.authority,
        "logitemtype": event and int(event.whose),
    }


def _reflected(engine: Engine, name: str) -> list[ReflectedColumn]:
    try:
        return sa.inspect(engine).get_columns(name)
    except sa.exc.NoSuchTableError:
        return []


def _column(column: ReflectedColumn) -> _Column:
    kind = column["type"]
    return _Column(
        length=getattr(kind, "length", None), zoned=bool(getattr(kind, "timezone", True))
    )
