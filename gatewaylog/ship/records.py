"""A line as destinations take it: its bytes, its time, what it tells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.reader.times import clean, time_of
from gatewaylog.search.rows import Row, row_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.reader import Entry

UNREAD = "UNREAD"  # stands for the event of a line that can't be read
_NODE = re.compile(rb"\S{24,32} \[([^\]]*)\]")
_NULL = "null"
_read = row_reader()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of a log.

    `raw` is without its line feed; `file` and `offset` say where it stands (in bytes of what is
    unpacked), `origin` knows the file whatever its name becomes: the SHA-256 of its first line.
    `number` is how many lines were shipped before it. `row` is what it tells, None where it
    can't be read: such a line has the time of the line before it where it tells none itself.
    `nanoseconds` count since the epoch.
    """

    raw: bytes
    file: str
    origin: str
    offset: int
    number: int
    nanoseconds: int
    row: Row | None

    @property
    def text(self) -> str:
        r"""The line as text that is valid UTF-8, bytes that are none written as `\xff`."""
        return self.raw.decode("utf-8", "backslashreplace")

    @property
    def event(self) -> str:
        """The event's name, or UNREAD."""
        return self.of("Event") or UNREAD

    @property
    def node(self) -> str:
        """The node of the line's prefix, empty where it has none."""
        found = _NODE.match(self.raw)
        return sendable(found[1].decode("utf-8", "surrogateescape")) if found else ""

    def of(self, key: str) -> str:
        """Return a field as text, empty where the line has none."""
        value = self.row.fields.get(key, "") if self.row else ""
        return "" if value == _NULL else sendable(value)

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield the names and texts of all fields that have a value."""
        for key in self.row.fields if self.row else ():
            if value := self.of(key):
                yield key, value


def sendable(text: str) -> str:
    r"""Return text without lone surrogates, which no destination takes: `\udcff` instead."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def records_of(entries: Iterable[Entry], origin: str, number: int, before: int) -> Iterator[Record]:
    """Yield what destinations take of the file `origin`: `number` is the first one's, `before` the
    time of the line before it, in nanoseconds.
    """
    for at, entry in enumerate(entries, number):
        row = _read(clean(entry.raw))
        time = row.time if row else time_of(entry.raw)
        before = before if time is None else round(time * 1e6) * 1000
        yield Record(
            raw=entry.raw,
            file=entry.source.name,
            origin=origin,
            offset=entry.offset,
            number=at,
            nanoseconds=before,
            row=row,
        )
