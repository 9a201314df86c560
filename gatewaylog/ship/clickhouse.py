"""Lines to ClickHouse over its HTTP interface, a row each (`INSERT … FORMAT JSONEachRow`).

The table is that of `search --engine clickhouse`. Each batch has a deduplication token, made of
what it holds: a batch that is sent again is stored once, as long as the table remembers its token
(`non_replicated_deduplication_window`, or a replicated table's own).
"""

from __future__ import annotations

import gzip
import hashlib
import re
import socket
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.exceptions import ShipError
from gatewaylog.search.clickhouse_table import TABLE, can_hold, record_of
from gatewaylog.ship.destination import Limits, Refused, TryAgain
from gatewaylog.ship.web import Web, judge, unlike

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.ship.records import Record
    from gatewaylog.ship.settings import Settings
    from gatewaylog.ship.web import Answer

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?")
_CODE = re.compile(rb"Code: ([0-9]+)\.")
# Numbers of src/Common/ErrorCodes.cpp. A row can't be read or is not wanted:
_OF_A_ROW = {6, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 130, 131, 321, 349, 407, 469, 691}
# No such table, database, column or setting; no such user, wrong password, no permission:
_STOPS = {16, 20, 36, 60, 62, 73, 81, 115, 164, 192, 193, 194, 291, 452, 497, 516}


def made(settings: Settings) -> ClickHouse:
    """Return the destination. Raises ShipError."""
    return ClickHouse(settings)


class _Insert(NamedTuple):
    body: bytes
    token: str


class ClickHouse:
    """A table of ClickHouse."""

    limits = Limits(size=2 * 1024 * 1024, events=10_000)  # it prefers few, big inserts

    def __init__(self, settings: Settings) -> None:
        table = settings.table or TABLE
        if not _NAME.fullmatch(table):
            raise ShipError("clickhouse: table must be one like database.table")
        self._query = f"INSERT INTO {table} FORMAT JSONEachRow"
        self._source = f"{settings.host or socket.gethostname()}/{settings.job}"
        self._web = Web(settings, "/", {"Content-Encoding": "gzip"})

    def prepare(self, records: Sequence[Record]) -> _Insert:
        """Return rows; lines that are no event are refused, as a search passes over them too."""
        rows = [
            record_of(record.row, record.number, self._source)
            for record in records
            if record.row is not None and can_hold(record.row)
        ]
        if len(rows) < len(records):
            raise Refused("is no event, or not of the years 1900 to 2299")
        text = b"".join(rows)
        return _Insert(
            gzip.compress(text, compresslevel=1, mtime=0), hashlib.sha256(text).hexdigest()
        )

    def send(self, prepared: _Insert) -> Sequence[tuple[int, str]]:
        """Insert, and wait until it is stored."""
        answer = self._web.post(
            prepared.body,
            params={
                "query": self._query,
                "insert_deduplication_token": prepared.token,
                "async_insert": "0",
                "wait_end_of_query": "1",  # else it says 200 before it knows
            },
        )
        if not answer.is_good or answer.exception:
            _judge(answer)
        judge(answer)
        if answer.exception:
            raise TryAgain(answer.told)
        if answer.body.strip():
            raise unlike(answer, "ClickHouse answers nothing", "ClickHouse's")
        return ()

    def finish(self) -> None:
        """Do nothing: each batch was acknowledged."""

    def close(self) -> None:
        """Close the connections."""
        self._web.close()


def _judge(answer: Answer) -> None:
    """Tell by ClickHouse's own number: nearly all that goes wrong is HTTP 500 there."""
    found = _CODE.match(answer.body)
    said = found[1].decode() if found else answer.exception
    number = int(said) if said.isascii() and said.isdigit() else 0
    if number in _OF_A_ROW:
        raise Refused(answer.told)
    if number in _STOPS:
        raise ShipError(f"clickhouse answers {answer.told}")
