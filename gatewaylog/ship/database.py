"""Lines to a database: the use of tokens, their life, and the event log, each row once.

Lines of the access log and of the event log may come mixed. A line that tells of no use of a token
is taken, and has no row.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gatewaylog.audit.events.line import Unreadable, parse_line
from gatewaylog.audit.store import rows as told
from gatewaylog.audit.store.clients import Clients, known_of
from gatewaylog.audit.store.engine import url_for
from gatewaylog.audit.store.rows import NoRow, Rows
from gatewaylog.audit.store.writing import NeverSo, NotNow, Wrong
from gatewaylog.exceptions import ShipError, TokenStoreError
from gatewaylog.ship.destination import Limits, Refused, TryAgain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.audit.store.writing import Writer
    from gatewaylog.ship.records import Record
    from gatewaylog.ship.settings import Settings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KNOWN = ("sqlite:///", "postgresql://", "postgresql+psycopg://")
_SIZE = 4 * 1024 * 1024


def made(settings: Settings) -> Database:
    """Return the destination. Raises ShipError."""
    return Database(settings)


@dataclass(slots=True, kw_only=True)
class _Batch:
    """What is written, and the places of lines that can have no row, each with the reason."""

    rows: Rows = field(default_factory=Rows)
    refused: list[tuple[int, str]] = field(default_factory=list)


class Database:
    """The tables that `gatewaylog tokens init` makes, in SQLite or PostgreSQL."""

    def __init__(self, settings: Settings) -> None:
        if not settings.url.startswith(_KNOWN):
            raise ShipError(f"database: url must be one like {' or '.join(_KNOWN[:2])}…")
        try:
            self._writer = _writer(settings)
            self._clients = Clients(known_of(settings.clients))
        except TokenStoreError as error:
            raise ShipError(f"database: {error}") from None
        self._source = (settings.job, settings.host)
        self._shipper = f"{settings.job}@{settings.host or socket.gethostname()}"
        self.limits = Limits(size=_SIZE, events=self._writer.most)

    def prepare(self, records: Sequence[Record]) -> _Batch:
        """Return rows; what is neither an event nor a record of the event log has none."""
        batch = _Batch()
        for at, record in enumerate(records):
            try:
                self._take(record, batch.rows)
            except NoRow as error:
                batch.refused.append((at, str(error)))
        batch.rows.checkpoint = self._checkpoint(records[-1])
        return batch

    def _take(self, record: Record, rows: Rows) -> None:
        if record.row is None:
            self._take_event(record, rows)
        elif use := told.use_of(record.row.fields, record.nanoseconds):
            rows.use.append(use)

    def _take_event(self, record: Record, rows: Rows) -> None:
        try:
            event = parse_line(record.raw)
        except (Unreadable, ValueError):
            raise NoRow("is no event, and no record of the event log") from None
        place = (record.origin, str(record.offset))
        line_id = told.line_identity(*self._source, *place, raw=record.raw)
        rows.events.append(told.event_of(event, line_id))
        if life := told.life_of(event, line_id):
            rows.life.append(life)

    def _checkpoint(self, last: Record) -> told.Values:
        position = last.offset + len(last.raw) + 1
        line_time = _EPOCH + timedelta(microseconds=last.nanoseconds // 1000)
        name = told.plain(last.file)
        return self._shipper, last.origin, name, position, line_time, datetime.now(UTC)

    def send(self, prepared: _Batch) -> Sequence[tuple[int, str]]:
        """Write the rows in one transaction."""
        try:
            self._clients.learn(use.token_ref for use in prepared.rows.use)
            self._writer.write(prepared.rows, self._clients)
        except (NotNow, TokenStoreError) as error:
            raise TryAgain(str(error)) from None
        except NeverSo as error:
            raise Refused(str(error)) from None
        except Wrong as error:
            raise ShipError(f"database: {error}") from None
        return prepared.refused

    def finish(self) -> None:
        """Do nothing: each batch was committed."""

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


def _writer(settings: Settings) -> Writer:
    url = url_for(settings.url, user=settings.user, password=settings.password)
    if url.startswith("postgresql"):
        from gatewaylog.audit.store.copying import CopyWriter

        return CopyWriter(url, settings.timeout)
    from gatewaylog.audit.store.inserting import InsertWriter

    return InsertWriter(url)
