"""`gatewaylog convert --to clickhouse`: events as records for the table of `docs/reading.md`."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from gatewaylog.reader.times import clean
from gatewaylog.search.clickhouse_table import can_hold, record_of
from gatewaylog.search.rows import row_of

if TYPE_CHECKING:
    from gatewaylog.formats import Line
    from gatewaylog.reader import Entry


class Records:
    """Makes records, whose positions are the order in which their lines come."""

    def __init__(self) -> None:
        self._positions = count()

    def of(self, entry: Entry, line: Line) -> bytes | None:
        """Return the record of a line that was read, None where its time fits no table."""
        row = row_of(clean(entry.raw), line)
        return record_of(row, next(self._positions)) if can_hold(row) else None
