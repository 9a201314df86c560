"""From a raw line to a row: its time, and its fields as texts.

Values are decoded; `null` stays a text, and a field without text is not there. A line is read if
`gatewaylog.formats.parse_line` reads it, whichever way is taken here: nearly every line of the
default format is taken apart at its quotation marks, in a fifth of the time.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.events import LAYOUTS, SEQ
from gatewaylog.formats import Unparsed, parse_line
from gatewaylog.formats.line import number_text
from gatewaylog.formats.wso2 import read_pairs, unescape

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from gatewaylog.formats import Line

DECIMALS = frozenset(
    field.key for layout in LAYOUTS for field in layout.fields if field.kind is float
)
_COUNTS = frozenset(
    field.key for layout in LAYOUTS for field in (*layout.fields, SEQ) if field.kind is int
)
_EVENTS = frozenset(layout.name.encode() for layout in LAYOUTS)

_HEAD = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})([+-]\d{4}) "
    rb"\[[^\]]*\]\[[^\]]*\]\{[^}]*\}\[[^\]]*\] \S+ +([A-Za-z_][A-Za-z0-9_.-]*)="
)
_BETWEEN = re.compile(rb", ([A-Za-z_][A-Za-z0-9_.-]*)=")
_LOGFMT = re.compile(
    r'([A-Za-z_@][A-Za-z0-9_.-]*)=(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s"]*))(?:\s+|\Z)'
)
_SHAPES = 4096  # as many orders of keys are remembered


class Row(NamedTuple):
    """One line: its time in seconds since the epoch, itself, and its fields."""

    time: float
    raw: bytes
    fields: dict[str, str]


def row_of(raw: bytes, line: Line) -> Row:
    """Return the row of a line that `parse_line` has read."""
    start = raw[:1]
    if start == b"{":
        pairs = _json_pairs(raw)
    elif head := _HEAD.match(raw):
        text = raw[head.start(4) :].decode("utf-8", "surrogateescape")
        pairs = [(key, "null" if value is None else str(value)) for key, value in read_pairs(text)]
    else:
        pairs = _logfmt_pairs(raw.decode("utf-8", "surrogateescape"))
    return Row(line.time.timestamp(), raw, {key: text for key, text in pairs if text})


def _json_pairs(raw: bytes) -> list[tuple[str, str]]:
    found = json.loads(raw, parse_float=str)
    return [(key, _json_text(key, value)) for key, value in found.items() if key != "@timestamp"]


def _json_text(key: str, value: object) -> str:
    if value is None:
        return "null"
    if key in DECIMALS and value != "null":
        return number_text(float(str(value)))
    return str(value)


def _logfmt_pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for key, quoted, bare in _LOGFMT.findall(text):
        pairs.append((key, (unescape(quoted) or "null") if quoted else bare))
    return pairs[1:]


def row_reader(reads: Collection[str] | None = None) -> Callable[[bytes], Row | None]:
    """Return the function that reads a line without its line feed; None where it can't be read.

    With `reads` a row holds these fields alone.
    """
    shapes: dict[tuple[bytes, ...], _Shape | None] = {}
    second_of = seconds()

    def read(raw: bytes) -> Row | None:
        head = _HEAD.match(raw)
        if head is None or b"\\" in raw:
            return _read_slowly(raw, reads)
        parts = raw.split(b'"')
        if not len(parts) % 2:
            return _read_slowly(raw, reads)
        key = (head[4], *parts[2::2])
        shape = shapes.get(key, _UNSEEN)
        if shape is _UNSEEN:
            if len(shapes) > _SHAPES:
                shapes.clear()
            shape = shapes[key] = _shape_of(key, reads)
        if shape is None or head.end() != len(parts[0]) or not shape.fits(parts):
            return _read_slowly(raw, reads)
        second = second_of(head[1] + head[3])
        if second is None:
            return None
        fields = {
            name: text.decode("utf-8", "surrogateescape")
            for name, at in shape.wanted
            if (text := parts[at])
        }
        return Row((second * 1000 + int(head[2])) / 1000, raw, fields)

    return read


def seconds() -> Callable[[bytes], int | None]:
    """Return the function that makes seconds since the epoch of a time, None of what is none."""
    known: dict[bytes, int] = {}

    def second_of(stamp: bytes) -> int | None:
        second = known.get(stamp)
        if second is None:
            known.clear()  # lines come in order of time: the last second is enough
            try:
                second = known[stamp] = int(datetime.fromisoformat(stamp.decode()).timestamp())
            except ValueError:
                return None
        return second

    return second_of


def _read_slowly(raw: bytes, reads: Collection[str] | None) -> Row | None:
    line = parse_line(raw)
    if isinstance(line, Unparsed):
        return None
    row = row_of(raw, line)
    if reads is None:
        return row
    return row._replace(fields={name: text for name, text in row.fields.items() if name in reads})


class _Shape(NamedTuple):
    """Where the values of lines with the same keys in the same order stand among their parts."""

    wanted: tuple[tuple[str, int], ...]
    event: int
    counts: tuple[int, ...]
    decimals: tuple[int, ...]

    def fits(self, parts: list[bytes]) -> bool:
        """Tell whether the values are what `parse_line` wants; False where it has to be asked."""
        for at in self.counts:
            if not (parts[at].isdigit() or parts[at] == b"null"):
                return False
        for at in self.decimals:
            whole, point, fraction = parts[at].partition(b".")
            if not ((whole.isdigit() and (not point or fraction.isdigit())) or whole == b"null"):
                return False
        return parts[self.event] in _EVENTS


_UNSEEN = _Shape((), 0, (), ())


def _shape_of(key: tuple[bytes, ...], reads: Collection[str] | None) -> _Shape | None:
    """Return the shape of a line, None where its keys are not as `parse_line` wants them.

    `key` is the first of them, and what stands behind each value.
    """
    first, *between = key
    end = between.pop() if between else b"?"
    found = [_BETWEEN.fullmatch(other) for other in between]
    if not all(found) or end.strip():
        return None
    names = [first.decode(), *(match[1].decode() for match in found if match)]
    places = {name: 2 * at + 1 for at, name in enumerate(names)}
    if len(places) != len(names) or "Event" not in places:
        return None
    wanted = [(name, at) for name, at in places.items() if reads is None or name in reads]
    counts = [at for name, at in places.items() if name in _COUNTS]
    decimals = [at for name, at in places.items() if name in DECIMALS]
    return _Shape(tuple(wanted), places["Event"], tuple(counts), tuple(decimals))
