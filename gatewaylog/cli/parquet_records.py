"""Lines of a log as the records of a Parquet file: their fields, `_time` and the line itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.formats import Line
from gatewaylog.formats.line import number_text, numbered_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.analytics.parquet import Cell
    from gatewaylog.reader import Entry

COLUMNS = ("_time", "_raw")


class Records:
    """The records of lines; `unread` counts those that could not be read, which have `_raw` alone.

    Fields are texts, as they stand in a line; what is null in it is null, as is what is not there.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.unread = 0
        self._entries = entries

    def __iter__(self) -> Iterator[dict[str, Cell]]:
        """Yield them."""
        for entry in self._entries:
            line = entry.line
            if isinstance(line, Line):
                yield {"_time": line.time.timestamp(), "_raw": entry.raw, **_fields(line)}
            elif entry.raw:
                self.unread += 1
                yield {"_raw": entry.raw}
            else:
                self.unread += 1


def _fields(line: Line) -> dict[str, Cell]:
    pairs = numbered_pairs(line.event, "full", line.writer, line.seq)
    return {
        key: value if isinstance(value, str) else number_text(value)
        for key, value in pairs
        if value is not None and key not in COLUMNS
    }
