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
from gatewaylog.search.commands.aggregators import Numbers, Texts
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
    `measures`, which are fields of NUMERIC and `_time`, `told`, fields of which the different texts
    are wanted, and `events`, the names of these.

    `earliest` and `latest` (not itself in it) bound the time. Of lines that match only the
    `highest` in a field of NUMERIC are wanted, so many, where they are not all.
    """

    names: frozenset[str]
    events: frozenset[str]
    time: str = ""
    measures: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    earliest: float = -math.inf
    latest: float = math.inf
    highest: tuple[str, int] | None = None

    @property
    def fields(self) -> frozenset[str]:
        """The fields that lines have to be asked for."""
        return self.names.union(self.measures, self.told)

    @property
    def columns_time(self) -> str:
        """How much of the time lines have to be asked for."""
        bounds = [bound for bound in (self.earliest, self.latest) if math.isfinite(bound)]
        if "_time" in self.measures or any(bound % 1 for bound in bounds):
            return "ms"
        return self.time or ("s" if bounds else "")


class View:
    """Counts what is wanted of lines, by what is equal in it."""

    def __init__(
        self,
        columns: Columns,
        wanted: Wanted,
        matches: Callable[[Mapping[str, str]], bool] = lambda _fields: True,
    ) -> None:
        self._matches = matches
        self._ranks: list[float] = []  # the highest so far, of lines that match
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
            if self._bounded and rows:
                rows = self._within(rows)
            sight.add(self._highest(sight, rows) if self._wanted.highest else rows)

    def _highest(self, sight: _Sight, rows: list[Values]) -> list[Values]:
        """Return the rows that may be among the highest; few of them are looked at closely."""
        name, most = self._wanted.highest or ("", 0)
        place = sight.places.get(name)
        if place is None:
            ranked = [(-math.inf, row) for row in rows]
        else:
            ranked = [(_rank(row[place]), row) for row in rows]
        least = self._ranks[-1] if len(self._ranks) == most else -math.inf
        ranked = [pair for pair in ranked if pair[0] >= least]
        ranked.sort(key=itemgetter(0), reverse=True)
        kept, ranks = [], self._ranks
        for rank, row in ranked:
            if len(ranks) == most and rank < ranks[-1]:
                break
            if self._matches(sight.fields_of(sight.key(row))):
                kept.append(row)
                ranks = sorted([*ranks, rank], reverse=True)[:most]
        self._ranks = ranks
        return kept

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
        """Yield what was taken, and forget it. What does not match may be left out."""
        for sight in self._sights.values():
            counts, groups = sight.emptied()
            for key, number in counts.items():
                yield self._taken(sight, key, number, {})
            for key, measured in groups.items():
                if self._matches(sight.fields_of(key)):
                    yield self._taken(sight, key, len(measured), self._beside(sight, measured))

    def _taken(
        self, sight: _Sight, key: Values, number: int, beside: Mapping[str, Numbers | Texts]
    ) -> Taken:
        stamped = len(key) - len(sight.names)
        moment = self._moment(key[2:stamped]) if stamped > 2 else 0
        return Taken(sight.fields_of(key), moment, number, beside)

    def _beside(self, sight: _Sight, measured: list[Values]) -> Mapping[str, Numbers | Texts]:
        found: dict[str, Numbers | Texts] = {}
        columns = list(zip(*measured, strict=True))
        if sight.timed:
            found["_time"] = Numbers(self._extremes(columns[2 : 2 + len(self._stamp)]))
        for name in reversed(sight.told):
            texts = set(columns.pop())
            found[name] = Texts([text.decode("utf-8", "surrogateescape") for text in texts if text])
        for name in reversed(sight.measures):
            if numbers := numbers_of(columns.pop()):
                found[name] = Numbers(numbers)
        return found

    def _extremes(self, columns: list[Values]) -> Sequence[Number]:
        """Return the first and the last moment: those with one offset sort as they are written."""
        found = []
        for offset in set(columns[-1]):
            alike = [stamp for stamp in zip(*columns, strict=True) if stamp[-1] == offset]
            found += [self._moment(min(alike)), self._moment(max(alike))]
        return [moment if moment % 1 else int(moment) for moment in (min(found), max(found))]


class _Sight:
    """The same of one kind of event: `counts` of what is compared, or `groups` of what is measured.

    Two empty values stand before all others, so that the getters always return tuples.
    """

    __slots__ = (
        "_alike",
        "_measure",
        "counts",
        "groups",
        "key",
        "measured",
        "measures",
        "names",
        "places",
        "timed",
        "told",
    )

    def __init__(self, wanted: Wanted, places: Mapping[str, int], stamp: tuple[int, ...]) -> None:
        self.places = places
        measures = [name for name in wanted.measures if name in places]
        self.names = sorted(name for name in places if name in wanted.names)
        self.measures = measures
        self.timed = "_time" in wanted.measures
        key = {"": (), "s": (*stamp[:1], *stamp[-1:]), "ms": stamp}[wanted.time]
        self.key = itemgetter(*(0, 0, *key, *(places[name] for name in self.names)))
        self.told = [name for name in wanted.told if name in places]
        fields = [places[name] for name in (*measures, *self.told)]
        beside = (*(stamp if self.timed else ()), *fields)
        self._measure = itemgetter(*(0, 0, *beside)) if beside else None
        self._alike = not key and self.names in ([], ["Event"])
        self.measured = 0  # how many rows the groups have
        self.counts: Counter[Values] = Counter()
        self.groups: defaultdict[Values, list[Values]] = defaultdict(list)

    def add(self, rows: list[Values]) -> None:
        """Take rows."""
        if self._measure is None:
            self.counts.update(map(self.key, rows))
            return
        self.measured += len(rows)
        groups = self.groups
        if self._alike and rows:
            groups[self.key(rows[0])] += map(self._measure, rows)
            return
        for key, values in zip(map(self.key, rows), map(self._measure, rows), strict=True):
            groups[key].append(values)

    def fields_of(self, key: Values) -> dict[str, str]:
        """Return the fields that are compared."""
        return {
            name: value.decode("utf-8", "surrogateescape")
            for name, value in zip(self.names, key[len(key) - len(self.names) :], strict=True)
            if value
        }

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
    try:
        return list(map(int, values))
    except ValueError:  # one has a fraction
        return list(map(float, values))


def _rank(value: bytes) -> float:
    """Return what sorts as `sort -` does: texts, which a number may be too long to be none of,
    before numbers, and what is not there last.
    """
    if not value:
        return -math.inf
    number = float(value) if len(value) < _SHORT and value != b"null" else None
    if number is None and value != b"null":
        number = number_of_text(value.decode())
    return math.inf if number is None else number


def _is_float(number: Number) -> bool:
    return isinstance(number, float)


def moments() -> Callable[[Values], float]:
    """Return the function that makes the moment, in seconds since the epoch, of a line's time."""
    second_of = seconds()

    def moment_of(stamp: Values) -> float:
        whole = second_of(stamp[0] + stamp[-1]) or 0
        return (whole * 1000 + int(stamp[1])) / 1000 if len(stamp) > 2 else whole

    return moment_of
