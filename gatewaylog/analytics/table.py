"""Lines as rows of the cache's columns, written as CSV for DuckDB to read.

A line as the default format writes it is taken apart by one expression, with its values' quotation
marks, which are CSV's too: no such value holds one. So it takes no more than a look-up and a join
to make its row. All other lines are read by `row_reader`, as a search reads them.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from itertools import chain, count
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.analytics.schema import FIELDS, IDENTITIES, keys_of
from gatewaylog.events import LAYOUTS, SEQ, WRITER
from gatewaylog.reader import LONGEST
from gatewaylog.reader.times import clean
from gatewaylog.search import row_reader
from gatewaylog.search.columns import PREFIX, VALUES, stamp_expression
from gatewaylog.search.prefilter import parted
from gatewaylog.search.rows import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.events import Layout
    from gatewaylog.reader import Block

    Values: TypeAlias = tuple[bytes, ...]

_SECOND, _MILLISECOND, _OFFSET, _HEAD = range(1, 5)  # places among the groups; 0 is empty
_FIRST = 5  # the place of the first layout's first value
_AFTER = r"(?:, (?=[A-Za-z_])|(?=\n|\Z))"  # a pair
_NEITHER = (b"\\", b"\0")  # what a line that is taken apart holds nothing of


class Table:
    """Makes rows of blocks of lines."""

    def __init__(self) -> None:
        self._read = row_reader()
        self._second_of = seconds()
        self._shapes: list[_Shape] = []
        numbers = count(_FIRST)
        self._letters = dict.fromkeys(IDENTITIES, b"")
        layouts = "|".join(self._layout(layout, numbers) for layout in LAYOUTS)
        # A quotation mark in the head would end CSV's value.
        head = PREFIX.replace(r"\n", r'\n"').replace(r"[^\s]", r'[^\s"]')
        whole = f"^(){stamp_expression('ms')}({head})(?:{layouts})$|^(.+)$"
        self._expression = re.compile(whole.encode(), re.MULTILINE)

    def _layout(self, layout: Layout, numbers: Iterator[int]) -> str:
        kinds = {field.key: VALUES[field.kind] for field in (*layout.fields, WRITER, SEQ)}
        kinds["Event"] = layout.name
        keys = keys_of(layout)
        places = dict(zip(keys, numbers, strict=False))
        self._shapes.append(_Shape(layout, places))
        pairs = ((key, f'{key}=("{kinds[key]}"){_AFTER}') for key in keys)
        return "".join(pair if key == "Event" else f"(?:{pair})?+" for key, pair in pairs)

    def rows(self, block: Block) -> bytes:
        """Return the rows of a block's lines, blank ones left out."""
        at = b"%d" % block.offset
        if block.is_cut:
            return self._row_of(block.raw[:LONGEST], at)
        raw, odd = block.raw, []
        for literal in _NEITHER:
            raw, held = parted(raw, literal)
            odd += held
        if not _is_utf8(raw):
            lines = raw.split(b"\n")
            odd += [line for line in lines if not _is_utf8(line)]
            raw = b"\n".join(line for line in lines if _is_utf8(line))
        found = self._found(raw)
        self._look_at(found)
        rows = [self._row(values, at) for values in found]
        return b"".join(rows + [self._row_of(line, at) for line in odd])

    @property
    def letters(self) -> dict[str, str]:
        """The ASCII characters, in lower case, of the identities of lines taken apart."""
        return {
            name: "".join(chr(letter) for letter in sorted(letters) if letter < 128)
            for name, letters in self._letters.items()
        }

    def _look_at(self, found: list[Values]) -> None:
        for name, known in self._letters.items():
            take = itemgetter(0, *(shape.places.get(name, 0) for shape in self._shapes))
            values = b"".join(chain.from_iterable(map(take, found)))
            if more := values.translate(None, known + known.upper()):
                self._letters[name] = known + bytes({*more.lower()} - {*known})

    def _found(self, raw: bytes) -> list[Values]:
        found = self._expression.findall(raw)
        lines = raw.count(b"\n") + (raw[-1:] not in {b"", b"\n"})
        if len(found) == lines:
            return found
        # Some are empty, or one was taken together with the next.
        each = (self._expression.fullmatch(line) for line in raw.split(b"\n"))
        return [match.groups(b"") for match in each if match]

    def _row(self, values: Values, at: bytes) -> bytes:
        for shape in self._shapes:
            if values[shape.event]:
                second = self._second_of(values[_SECOND] + values[_OFFSET]) or 0
                moment = (second * 1000 + int(values[_MILLISECOND])) / 1000
                stamp = b"%s.%s%s" % (values[_SECOND], values[_MILLISECOND], values[_OFFSET])
                head = values[_HEAD] + shape.first_key(values)
                return b'%r,%s,"%s","%s",,,%s\n' % (moment, at, stamp, head, shape.fields(values))
        return self._row_of(values[-1], at)

    def _row_of(self, line: bytes, at: bytes) -> bytes:
        """Return the row of a line that is not taken apart, with the line itself."""
        if not line.strip():
            return b""
        row = self._read(clean(line)) if len(line) < LONGEST else None
        raw = b64encode(line[:LONGEST])
        if row is not None and (fields := _fields(row.fields)) is not None:
            extra = {key: text for key, text in row.fields.items() if key not in FIELDS}
            told = _quoted(json.dumps(extra)) if extra else b""
            return b"%r,%s,,,%s,%s,%s\n" % (row.time, at, raw, told, fields)
        return b",%s,,,%s,,%s\n" % (at, raw, b"," * (len(FIELDS) - 1))


class _Shape:
    """Where the values of a layout's lines stand among all that the expression finds."""

    def __init__(self, layout: Layout, places: dict[str, int]) -> None:
        self.event = places["Event"]
        self.places = places
        self._before = [
            (places[key], key.encode()) for key in keys_of(layout)[: layout.before_name]
        ]
        # Place 0 is empty in every line, for what this layout lacks.
        self._take = itemgetter(*(places.get(name, 0) for name in FIELDS))

    def fields(self, values: Values) -> bytes:
        """Return the values of all fields, with their quotation marks."""
        return b",".join(self._take(values))

    def first_key(self, values: Values) -> bytes:
        """Return the key that stands behind the line's head."""
        return next((key for at, key in self._before if values[at]), b"Event") + b"="


def _fields(fields: dict[str, str]) -> bytes | None:
    """Return the values of all fields as CSV, None where a column can't hold them."""
    try:
        texts = [_quoted(fields[name]) if name in fields else b"" for name in FIELDS]
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return None
    return None if any("\0" in text for text in fields.values()) else b",".join(texts)


def _quoted(text: str) -> bytes:
    return b'"%s"' % text.replace('"', '""').encode()


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
