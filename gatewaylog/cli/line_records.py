"""A line of the log as a record for programs: its time and its fields, numbers as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewaylog.formats import Line
    from gatewaylog.search.values import Record


def record_of(line: Line) -> Record:
    """Return `_time`, in seconds since the epoch, and the fields in their order; no nulls."""
    fields = {name: value for name, value in line.pairs if value is not None}
    return {"_time": line.time.timestamp(), **fields}
