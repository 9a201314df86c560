"""What one query looks at of the values that `columns` takes of lines: equal ones are counted.

Numbers that are only summed or ranked are not compared but kept beside: durations differ from line
to line, what lines are grouped by does not.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from gatewaylog.events import LAYOUTS
from gatewaylog.search.columns import Taken
from gatewaylog.search.rows import seconds
from gatewaylog.search.values import number_of_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gatewaylog.search.columns import Columns, Found, Values
    from gatewaylog.search.values import Number

NUMERIC = frozenset(
    field.key for layout in LAYOUTS for field in layout.fields if field.kind is not str
)
_SHORT = 16  # digits of a number that is read alike in every way
_NULLS = frozenset({b"", b"null"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a query looks at: `names` of fields that are compared, so much `time` ("", "s" or "ms"),
    `measures`, which are fields of NUMERIC and `_time`, and `events`, the names of these.

    `earliest` and `latest` (not itself in it) bound the time.
    """

    names: frozenset[str]
    events: frozenset[str]
    time: str = ""
    measures: tuple[str, ...] = ()
    earliest: float = -math.inf
    latest: float = math.inf

    @property
    def columns_time(self) -> str:
        """How much of the time lines have to be asked for."""
        bounds = [bound for bound in (self.earliest, self.latest) if math.isfinite(bound)]
        if "_time" in self.measures or any(bound % 1 for bound in bounds):
            return "ms"
        return self.time or ("s" if bounds else "")


class View:
    """Counts what is wanted of lines, by what is equal in it."""

    def __init__(self, columns: Columns, wanted: Wanted) -> None:
        self._moment = moments()
        self._wanted = wanted
        self._stamp = columns.stamp
        self._bounded = math.isfinite(wanted.earliest) or math.isfinite(wanted.latest)
        self._sights = {
            event: _Sight(wanted, places, columns.stamp)
            for event, places in columns.places.items()
            if event in wanted.events
        }

    @property
    def size(self) -> int:
        """How much it holds: values, and numbers beside them."""
        return sum(len(sight.counts) + sight.measured for sight in self._sights.values())

    def add(self, found: Found) -> None:
        """Take what `columns` has found."""
        for event, sight in self._sights.items():
            rows = found[event]
            sight.add(self._within(rows) if self._bounded and rows else rows)

    def _within(self, rows: list[Values]) -> list[Values]:
        """Return the rows of the range: nearly always all of them or none."""
        earliest, latest = self._wanted.earliest, self._wanted.latest
        second_and_offset = itemgetter(self._stamp[0], self._stamp[-1])
        known = set(map(second_and_offset, rows))
        starts = {key: self._moment(key) for key in known}
        first, last = min(starts.values()), max(starts.values()) + 1
        if earliest <= first and last <= latest:
            return rows
        if last <= earliest or latest <= first:
            return []
        stamp = itemgetter(*self._stamp)
        return [row for row in rows if earliest <= self._moment(stamp(row)) < latest]

    def takings(self) -> Iterator[Taken]:
        """Yield what was taken, and forget it."""
        for sight in self._sights.values():
            counts, groups = sight.emptied()
            for key, number in counts.items():
                yield self._taken(sight, key, number, {})
            for key, measured in groups.items():
                yield self._taken(sight, key, len(measured), self._numbers(sight, measured))

    def _taken(
        self, sight: _Sight, key: Values, number: int, numbers: Mapping[str, Sequence[Number]]
    ) -> Taken:
        stamped = len(key) - len(sight.names)
        fields = {
            name: value.decode("utf-8", "surrogateescape")
            for name, value in zip(sight.names, key[stamped:], strict=True)
            if value
        }
        return Taken(fields, self._moment(key[2:stamped]) if stamped > 2 else 0, number, numbers)

    def _numbers(self, sight: _Sight, measured: list[Values]) -> Mapping[str, Sequence[Number]]:
        found = {}
        if sight.timed:
            found["_time"] = self._extremes([row[2 : 2 + len(self._stamp)] for row in measured])
        columns = list(zip(*measured, strict=True))
        for at, name in enumerate(sight.measures, start=len(columns) - len(sight.measures)):
            numbers = numbers_of(columns[at])
            if numbers:
                found[name] = numbers
        return found

    def _extremes(self, stamps: list[Values]) -> Sequence[Number]:
        """Return the first and the last moment: those with one offset sort as they are written."""
        of_offset: dict[bytes, tuple[Values, Values]] = {}
        for offset in {stamp[-1] for stamp in stamps}:
            alike = [stamp for stamp in stamps if stamp[-1] == offset]
            of_offset[offset] = min(alike), max(alike)
        found = [self._moment(stamp) for pair in of_offset.values() for stamp in pair]
        return [moment if moment % 1 else int(moment) for moment in (min(found), max(found))]


class _Sight:
    """The same of one kind of event: `counts` of what is compared, or `groups` of what is measured.

    Two empty values stand before all others, so that the getters always return tuples.
    """

    __slots__ = ("_key", "_measure", "counts", "groups", "measured", "measures", "names", "timed")

    def __init__(self, wanted: Wanted, places: Mapping[str, int], stamp: tuple[int, ...]) -> None:
        measures = [name for name in wanted.measures if name in places]
        self.names = sorted(name for name in places if name in wanted.names)
        self.measures = measures
        self.timed = "_time" in wanted.measures
        key = {"": (), "s": (*stamp[:1], *stamp[-1:]), "ms": stamp}[wanted.time]
        self._key = itemgetter(*(0, 0, *key, *(places[name] for name in self.names)))
        beside = (*(stamp if self.timed else ()), *(places[name] for name in measures))
        self._measure = itemgetter(*(0, 0, *beside)) if beside else None
        self.measured = 0  # how many rows the groups have
        self.counts: Counter[Values] = Counter()
        self.groups: defaultdict[Values, list[Values]] = defaultdict(list)

    def add(self, rows: list[Values]) -> None:
        """Take rows."""
        if self._measure is None:
            self.counts.update(map(self._key, rows))
            return
        self.measured += len(rows)
        groups = self.groups
        for key, values in zip(map(self._key, rows), map(self._measure, rows), strict=True):
            groups[key].append(values)

    def emptied(self) -> tuple[Counter[Values], defaultdict[Values, list[Values]]]:
        """Return what it holds, and forget it."""
        held = self.counts, self.groups
        self.measured, self.counts, self.groups = 0, Counter(), defaultdict(list)
        return held


def numbers_of(values: Sequence[bytes]) -> Sequence[Number]:
    """Return the numbers among values as the formats write them, nulls left out."""
    if not _NULLS.isdisjoint(values):
        values = [value for value in values if value not in _NULLS]
    if not values:
        return ()
    if max(map(len, values)) >= _SHORT:
        read = (number_of_text(value.decode()) for value in values)
        numbers = [number for number in read if number is not None]
        return list(map(float, numbers)) if any(map(_is_float, numbers)) else numbers
    if any(b"." in value for value in values):
        return list(map(float, values))
    return list(map(int, values))


def _is_float(number: Number) -> bool:
    return isinstance(number, float)


def moments() -> Callable[[Values], float]:
    """Return the function that makes the moment, in seconds since the epoch, of a line's time."""
    second_of = seconds()

    def moment_of(stamp: Values) -> float:
        whole = second_of(stamp[0] + stamp[-1]) or 0
        return (whole * 1000 + int(stamp[1])) / 1000 if len(stamp) > 2 else whole

    return moment_of
