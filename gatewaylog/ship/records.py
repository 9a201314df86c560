"""A line as destinations take it: its bytes, its time, what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gatewaylog.events import LAYOUT_OF
from gatewaylog.formats import Unparsed
from gatewaylog.formats.line import pairs_of
from gatewaylog.reader.times import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gatewaylog.formats.line import Value
    from gatewaylog.reader import Entry

UNREAD = "UNREAD"  # stands for the event of a line that can't be read
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of a log.

    `raw` is without its line feed, `file` and `offset` say where it stands (in bytes of what is
    unpacked). `event` is the event's name, or UNREAD: such a line has no `fields`, and the time of
    the line before it where it tells none. `nanoseconds` count since the epoch.
    """

    raw: bytes
    file: str
    offset: int
    nanoseconds: int
    event: str
    fields: Mapping[str, Value]
    node: str = ""

    @property
    def text(self) -> str:
        r"""The line as text that is valid UTF-8, bytes that are none written as `\xff`."""
        return self.raw.decode("utf-8", "backslashreplace")

    @property
    def seconds(self) -> float:
        """The line's time, in seconds since the epoch."""
        return self.nanoseconds / 1e9

    def of(self, key: str) -> str:
        """Return a field as text, empty where the line has none."""
        value = self.fields.get(key)
        return "" if value is None else sendable(str(value))


def sendable(text: str) -> str:
    r"""Return text without lone surrogates, which no destination takes: `\udcff` instead."""
    return text.encode("utf-8", "backslashreplace").decode()


def records_of(entries: Iterable[Entry], before: int) -> Iterator[Record]:
    """Yield what destinations take; `before` is the time of the line before, in nanoseconds."""
    for entry in entries:
        record = _record(entry, before)
        before = record.nanoseconds
        yield record


def _record(entry: Entry, before: int) -> Record:
    line = entry.line
    if isinstance(line, Unparsed):
        told = time_of(entry.raw)
        return Record(
            raw=entry.raw,
            file=entry.source.name,
            offset=entry.offset,
            nanoseconds=before if told is None else round(told * 1e6) * 1000,
            event=UNREAD,
            fields={},
        )
    return Record(
        raw=entry.raw,
        file=entry.source.name,
        offset=entry.offset,
        nanoseconds=(line.time - _EPOCH) // _MICROSECOND * 1000,
        event=LAYOUT_OF[type(line.event)].name,
        fields=dict(pairs_of(line.event, "full")),
        node=line.node or "",
    )
