"""top and rare: the values that come most often, or least.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Top and …/Rare. Values that come
equally often are by code point.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.search.commands.statistics import keys_of
from gatewaylog.search.stream import Needed, Setting, Stream
from gatewaylog.search.values import normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.search.scanner import Scanner, Token
    from gatewaylog.search.values import Record

    Counts: TypeAlias = dict[tuple[str, ...], Counter[tuple[str, ...]]]

_COUNT = re.compile(r"-?[0-9]+(?=[\s,|]|\Z)")
_OPTIONS = (
    *("limit", "countfield", "percentfield", "showcount", "showperc", "useother", "otherstr"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """`top`, and `rare` where `rarest`: the combinations of `fields`, for each one of `by`."""

    fields: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    rarest: bool = False
    limit: int = 10
    countfield: str = "count"
    percentfield: str = "percent"
    showcount: bool = True
    showperc: bool = True
    useother: bool = False
    otherstr: str = "OTHER"

    def reads(self, _needed: Needed) -> Needed:
        """Return the fields counted."""
        return frozenset((*self.fields, *self.by))

    @property
    def divisible(self) -> bool:
        """Tell that parts of the records can be counted in any order, and put together."""
        return True

    def run(self, stream: Stream, setting: Setting) -> Stream:
        """Count and rank."""
        rows = zip(stream.rows, repeat(1))
        return self.finish((self.gather(rows, setting) for _ in range(1)), setting)

    def finish(self, states: Iterable[Counts], setting: Setting) -> Stream:
        """Return the table that the counts of all parts of the records make."""
        shown = ((self.countfield, self.showcount), (self.percentfield, self.showperc))
        extra = [name for name, wanted in shown if wanted]
        return Stream(self._rows(states, setting), (*self.by, *self.fields, *extra), "table")

    def gather(self, rows: Iterable[tuple[Record, int]], _setting: Setting) -> Counts:
        """Return the counts of records, each with how often it came."""
        groups: Counts = {}
        names, split = (*self.by, *self.fields), len(self.by)
        for record, times in rows:
            for texts, _ in keys_of(record, names):
                group = groups.get(texts[:split])
                if group is None:
                    group = groups[texts[:split]] = Counter()
                group[texts[split:]] += times
        return groups

    def merged(self, states: Iterable[Counts], _setting: Setting) -> Counts:
        """Return the one state that several make; the first of them is used up for it."""
        found = iter(states)
        groups = next(found, {})
        for state in found:
            for key, counts in state.items():
                groups.setdefault(key, Counter()).update(counts)
        return groups

    def _rows(self, states: Iterable[Counts], setting: Setting) -> Iterator[Record]:
        groups = self.merged(states, setting)
        for key in sorted(groups):
            yield from self._ranked(key, groups[key])

    def _ranked(self, key: tuple[str, ...], counts: Counter[tuple[str, ...]]) -> Iterator[Record]:
        sign = 1 if self.rarest else -1
        ranked = sorted(counts.items(), key=lambda item: (sign * item[1], item[0]))
        total = counts.total()
        shown = ranked[: self.limit or None]
        for texts, count in shown:
            yield self._record(key, texts, count, total)
        rest = total - sum(count for _, count in shown)
        if rest and self.useother:
            yield self._record(key, (self.otherstr,) * len(self.fields), rest, total)

    def _record(
        self, key: tuple[str, ...], texts: tuple[str, ...], count: int, total: int
    ) -> Record:
        record: Record = dict(zip((*self.by, *self.fields), (*key, *texts), strict=True))
        if self.showcount:
            record[self.countfield] = count
        if self.showperc:
            record[self.percentfield] = normal(100 * count / total) or 0
        return record


def parse_top(scan: Scanner, *, rarest: bool = False) -> Top:
    """Read what follows `top` or `rare`: a number, options, fields, `BY` and fields."""
    top = Top(rarest=rarest)
    fields: list[str] = []
    by: list[str] = []
    names = fields
    if number := scan.take(_COUNT):
        top = replace(top, limit=scan.count(number))
    while not scan.done():
        if option := scan.option(_OPTIONS):
            top = _with_option(scan, top, *option)
        elif fields and names is fields and scan.word("by"):
            names = by
        else:
            if names:
                scan.take_sign(",")
            names.append(_new(scan, (*fields, *by)))
    if not fields or (names is by and not by):
        scan.fail("a field is missing here")
    top = replace(top, fields=tuple(fields), by=tuple(by))
    return _checked(scan, top)


def _new(scan: Scanner, names: tuple[str, ...]) -> str:
    token = scan.plain_name()
    return scan.fail("this field stands twice", token) if token.text in names else token.text


def parse_rare(scan: Scanner) -> Top:
    """Read what follows `rare`."""
    return parse_top(scan, rarest=True)


def _with_option(scan: Scanner, top: Top, name: Token, value: Token) -> Top:
    match name.text:
        case "limit":
            return replace(top, limit=scan.count(value))
        case "countfield":
            return replace(top, countfield=value.text)
        case "percentfield":
            return replace(top, percentfield=value.text)
        case "otherstr":
            return replace(top, otherstr=value.text)
        case "showcount":
            return replace(top, showcount=scan.truth(value))
        case "showperc":
            return replace(top, showperc=scan.truth(value))
        case _:
            return replace(top, useother=scan.truth(value))


def _checked(scan: Scanner, top: Top) -> Top:
    names = (*top.by, *top.fields, top.countfield, top.percentfield)
    if len(set(names)) < len(names):
        scan.fail("two columns would have one name", known=["countfield=", "percentfield="])
    return top
