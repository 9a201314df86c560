"""sort: records in another order.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Sort. Numbers come before
addresses, addresses before texts; a record without the field is last, whichever the direction.
There is no limit unless one is given.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.search.stream import Needed, Setting, Stream, also
from gatewaylog.search.values import Number, number_of_text, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gatewaylog.search.scanner import Scanner
    from gatewaylog.search.values import Record

    Key: TypeAlias = tuple[int, Number, str]

_COUNT = re.compile(r"[0-9]+(?=[\s,+-]|\Z)")
_KIND = re.compile(r"(auto|num|str|ip)\s*\(", re.IGNORECASE)
_LAST = re.compile(r"(?:desc|d)(?=\s*(?:\||\Z))", re.IGNORECASE)
_ADDRESS = re.compile(r"[0-9a-fA-F:.]{2,45}")


def _auto(text: str) -> Key:
    number = number_of_text(text)
    if number is not None:
        return 0, number, ""
    return _address(text) or (2, 0, text)


def _num(text: str) -> Key:
    number = number_of_text(text)
    return (2, 0, text) if number is None else (0, number, "")


def _str(text: str) -> Key:
    return 2, 0, text


def _ip(text: str) -> Key:
    return _address(text) or (2, 0, text)


def _address(text: str) -> Key | None:
    if not _ADDRESS.fullmatch(text):
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return 1, (address.version << 128) + int(address), ""


KINDS = {"auto": _auto, "num": _num, "str": _str, "ip": _ip}


@dataclass(frozen=True, slots=True)
class SortKey:
    """A field to sort by, its direction, and as what its values are compared."""

    field: str
    descending: bool = False
    kind: str = "auto"

    def function(self) -> Callable[[Record], tuple[bool, list[Key]]]:
        """Return the key of a record."""
        field, kind, descending = self.field, KINDS[self.kind], self.descending

        def key(record: Record) -> tuple[bool, list[Key]]:
            texts = texts_of(record.get(field))
            return bool(texts) is descending, [kind(text) for text in texts]

        return key


@dataclass(frozen=True, slots=True)
class Sort:
    """`sort`: by these keys, the first of which matters most."""

    keys: tuple[SortKey, ...]
    limit: int = 0

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed and the keys."""
        return also(needed, tuple(key.field for key in self.keys))

    def run(self, stream: Stream, _setting: Setting) -> Stream:
        """Sort."""
        rows = stream.rows

        def sorted_rows() -> Iterator[Record]:
            yield from self._sorted(list(rows))

        return stream.with_rows(sorted_rows())

    def _sorted(self, rows: list[Record]) -> list[Record]:
        for key in reversed(self.keys):
            rows.sort(key=key.function(), reverse=key.descending)
        return rows[: self.limit or None]

    @property
    def divisible(self) -> bool:
        """Tell whether few rows are kept, so that parts of the records can be sorted apart."""
        return self.limit > 0

    def decides(self, needed: Needed) -> bool:
        """Tell whether records that the keys do not tell apart are the same in the fields
        `needed`: then it does not matter which of them comes first.
        """
        told = {key.field for key in self.keys if key.kind == "str"} | {"_time"}
        return needed is not None and needed <= told & {key.field for key in self.keys}

    def gather(self, rows: Iterable[tuple[Record, int]], _setting: Setting) -> list[Record]:
        """Return the first of the records, each with how often it came."""
        kept: list[Record] = []
        for record, times in rows:
            kept += [record] * min(times, self.limit)
            if len(kept) > 50 * self.limit:
                kept = self._sorted(kept)
        return self._sorted(kept)

    def merged(self, states: Iterable[list[Record]], _setting: Setting) -> list[Record]:
        """Return the one state that several make."""
        kept: list[Record] = []
        for state in states:
            kept = self._sorted(kept + state)
        return kept

    def finish(self, states: Iterable[list[Record]], setting: Setting) -> Stream:
        """Return the records that are first among those of all parts."""
        return Stream(iter(self.merged(states, setting)))


def parse_sort(scan: Scanner) -> Sort:
    """Read what follows `sort`: a number, keys with `+` or `-`, `desc`."""
    number = scan.take(_COUNT)
    limit = scan.count(number) if number else 0
    keys: list[SortKey] = []
    while not scan.done():
        if option := scan.option(("limit",)):
            limit = scan.count(option[1])
            continue
        if keys:
            if scan.take(_LAST):
                turned = tuple(SortKey(k.field, not k.descending, k.kind) for k in keys)
                return Sort(turned, limit)
            scan.take_sign(",")
        keys.append(_key(scan))
    if not keys:
        scan.fail("sort needs a field")
    return Sort(tuple(keys), limit)


def _key(scan: Scanner) -> SortKey:
    descending = bool(scan.take_sign("-"))
    if not descending:
        scan.take_sign("+")
    kind = scan.peek(_KIND)
    if kind is None:
        name = scan.plain_name()
        if not name.quoted and name.text.lower() in {"asc", "desc"}:
            message = "the direction is a sign before the field, or desc at the end for all"
            scan.fail(message, name, ["-field", "+field"])
        return SortKey(name.text, descending)
    scan.take(_KIND)
    name = scan.plain_name()
    scan.expect(")")
    return SortKey(name.text, descending, kind[1].lower())
