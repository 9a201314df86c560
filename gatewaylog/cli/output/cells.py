"""Values of records as texts: for people and for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatewaylog.cli.output.units import UNITS, number
from gatewaylog.cli.terminal import printable
from gatewaylog.search.values import number_of, texts_of

if TYPE_CHECKING:
    from gatewaylog.search.values import Record, Value

RAW = "_raw"


def plain(record: Record) -> Record:
    """Return a record for a program: `_time` as RFC 3339 text, an event without its line."""
    return {name: value_of(name, value) for name, value in record.items()}


def value_of(name: str, value: Value) -> Value:
    """Return a value as it is, but a number in `_time` as RFC 3339 text in local time."""
    if name == "_time" and isinstance(value, (int, float)):
        return stamp(value)
    return value


def stamp(moment: float) -> str:
    """Return a moment in local time, RFC 3339; with milliseconds where it has any."""
    try:
        local = datetime.fromtimestamp(moment, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return repr(moment)
    return local.isoformat(timespec="milliseconds" if moment % 1 else "seconds")


def local(moment: float) -> str:
    """Return a moment for a person: local time, which nobody has to be told."""
    text = stamp(moment)
    return text[:-6].replace("T", " ") if "T" in text else text


def cell(name: str, value: Value | None, unit: str = "") -> str:
    """Return a value as the text of a table's cell, several values on a line each.

    `unit` is one of UNITS; texts that are numbers are shown in it too, but as they stand without.
    """
    if value is None:
        return ""
    if unit and (measured := number_of(value)) is not None:
        return UNITS[unit](measured)
    if isinstance(value, (int, float)):
        return local(value) if name == "_time" else number(value)
    return "\n".join(map(printable, texts_of(value)))
