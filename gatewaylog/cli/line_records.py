"""A line of the log as a record for programs, the same that `search` gives: its fields as texts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from gatewaylog.formats import Line
from gatewaylog.reader.times import clean
from gatewaylog.search import row_reader

if TYPE_CHECKING:
    from gatewaylog.search.values import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class RawLine(Line):
    """A line, and how it stands in the log."""

    raw: bytes


def with_raw(line: Line, raw: bytes) -> RawLine:
    """Return a line with how it stands in the log."""
    return RawLine(**{one.name: getattr(line, one.name) for one in fields(Line)}, raw=raw)


def raw_of(line: Line) -> bytes:
    """Return how a line stands in the log, where that was kept."""
    return line.raw if isinstance(line, RawLine) else b""


def record_of(raw: bytes) -> Record:
    """Return `_time`, in seconds since the epoch, and the fields in their order, of a line that can
    be read.
    """
    row = _read(clean(raw.rstrip(b"\r")))
    return {} if row is None else {"_time": row.time, **row.fields}


_read = row_reader(None)
