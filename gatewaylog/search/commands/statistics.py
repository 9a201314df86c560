"""stats: numbers over all records, or over those with the same values.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Stats. Rows come by code point
of their BY fields; a record that lacks one of them is not counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product, repeat
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.search.commands.aggregations import Aggregation, check_names, parse_aggregation
from gatewaylog.search.commands.aggregators import Count, take
from gatewaylog.search.stream import Needed, Setting, Stream
from gatewaylog.search.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.search.commands.aggregators import Aggregator
    from gatewaylog.search.scanner import Scanner
    from gatewaylog.search.values import Record, Value

    Key: TypeAlias = tuple[Value, ...]
    Groups: TypeAlias = dict[tuple[str, ...], tuple[Key, list[Aggregator]]]


@dataclass(frozen=True, slots=True)
class Stats:
    """`stats`."""

    aggregations: tuple[Aggregation, ...]
    by: tuple[str, ...] = ()

    def reads(self, _needed: Needed) -> Needed:
        """Return the BY fields and what the functions look at."""
        return frozenset(self.by).union(*(part.reads() for part in self.aggregations))

    def run(self, stream: Stream, setting: Setting) -> Stream:
        """Compute."""
        rows = zip(stream.rows, repeat(1))
        return self.finish((self.gather(rows, setting) for _ in range(1)), setting)

    @property
    def divisible(self) -> bool:
        """Tell whether parts of the records can be gathered in any order, and put together."""
        return all(part.divisible for part in self.aggregations)

    def finish(self, states: Iterable[Groups], setting: Setting) -> Stream:
        """Return the table that the states of all parts make."""
        columns = (*self.by, *(part.name for part in self.aggregations))
        return Stream(self._rows(states, setting), columns, "table")

    def merged(self, states: Iterable[Groups], _setting: Setting) -> Groups:
        """Return the one state that several make; the first of them is used up for it."""
        found = iter(states)
        groups = next(found, None)
        if groups is None:
            return self._none()
        for state in found:
            _absorb(groups, state)
        return groups

    def _none(self) -> Groups:
        """Return what no records make: no group, or the one of all records."""
        return {} if self.by else {(): ((), [part.make()() for part in self._states()[0]])}

    def _rows(self, states: Iterable[Groups], setting: Setting) -> Iterator[Record]:
        groups = self.merged(states, setting)
        _, places = self._states()
        for texts in sorted(groups):
            key, found = groups.pop(texts)
            record: Record = dict(zip(self.by, key, strict=True))
            for part, place in zip(self.aggregations, places, strict=True):
                value = part.result(found[place])
                if value is not None:
                    record[part.name] = value
            yield record

    def _states(self) -> tuple[list[Aggregation], list[int]]:
        """Return the functions that have a state of their own, and at which place each has its
        state: percentiles of one field share its numbers.
        """
        own: list[Aggregation] = []
        places: list[int] = []
        shared: dict[str, int] = {}
        for part in self.aggregations:
            place = len(own)
            if part.share is not None and isinstance(part.argument, str):
                place = shared.setdefault(part.argument, place)
            if place == len(own):
                own.append(part)
            places.append(place)
        return own, places

    def gather(self, rows: Iterable[tuple[Record, int]], setting: Setting) -> Groups:
        """Return the state of every group of records, each with how often it came."""
        if len(self.by) == 1 and all(part.argument is None for part in self.aggregations):
            return self._counted(rows)
        own, _ = self._states()
        makes = [part.make() for part in own]
        extracts = [part.extract(setting) for part in own]
        groups = self._none()
        for at, (record, times) in enumerate(rows):
            given = [extract(record) for extract in extracts]
            for texts, key in keys_of(record, self.by):
                group = groups.get(texts)
                if group is None:
                    group = groups[texts] = key, [make() for make in makes]
                elif group[0] is not texts and group[0] != key:
                    group = groups[texts] = _numbered(group[0], key), group[1]
                for state, value in zip(group[1], given, strict=True):
                    if value is not None and value is not False:
                        take(state, value, record, at, times)
        return groups

    def _counted(self, rows: Iterable[tuple[Record, int]]) -> Groups:
        """Do the same for counts by one field, in half the time."""
        counts: Counter[Value] = Counter()
        (name,) = self.by
        for record, times in rows:
            value = record.get(name)
            if value.__class__ is str:
                counts[value] += times
            else:
                for choice in _choices(value):
                    counts[choice] += times
        groups: Groups = {}
        for key, number in counts.items():
            text = text_of(key) if not isinstance(key, tuple) else ""
            states: list[Aggregator] = [Count(number) for _ in self.aggregations]
            _absorb(groups, {(text,): ((key,), states)})
        return groups


def _absorb(groups: Groups, others: Groups) -> None:
    for texts, (key, states) in others.items():
        group = groups.get(texts)
        if group is None:
            groups[texts] = key, states
            continue
        groups[texts] = _numbered(group[0], key), group[1]
        for state, other in zip(group[1], states, strict=True):
            state.merge(other)


def _numbered(key: Key, other: Key) -> Key:
    """Return one of two values with the same text: the number, whichever comes first."""
    return tuple(
        one if not isinstance(one, str) else two for one, two in zip(key, other, strict=True)
    )


def keys_of(record: Record, names: tuple[str, ...]) -> list[tuple[tuple[str, ...], Key]]:
    """Return what `record` is grouped by, as texts and as values: one for each combination of a
    field's several values, none where a field is null.
    """
    values = [record.get(name) for name in names]
    simple = tuple(value for value in values if value.__class__ is str)
    if len(simple) == len(names):
        return [(simple, simple)]
    choices = [_choices(value) for value in values]
    return [(tuple(map(text_of, key)), key) for key in product(*choices)]


def _choices(value: Value | None) -> tuple[str | float, ...]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def parse_stats(scan: Scanner) -> Stats:
    """Read what follows `stats`: functions, then `BY` and fields."""
    aggregations: list[Aggregation] = []
    by: list[str] = []
    while not scan.done():
        if aggregations and scan.word("by"):
            by = [token.text for token in scan.names()]
            if not by:
                scan.fail("a field is missing after BY")
            break
        if aggregations:
            scan.take_sign(",")
        if option := scan.at_option():
            scan.fail(f"the option {option.text} is not known here", option)
        aggregations.append(parse_aggregation(scan))
    if not aggregations:
        scan.fail("stats needs a function", known=["count", "avg(field)", "count BY field"])
    check_names(scan, aggregations, by)
    return Stats(tuple(aggregations), tuple(dict.fromkeys(by)))
