"""What a segment of the cache gives to queries: what its lines would give, counted by DuckDB."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from gatewaylog.analytics import contents
from gatewaylog.analytics.conditions import words_of
from gatewaylog.analytics.parts import FilePart, Given, gathered
from gatewaylog.analytics.selecting import Counted, Selection, Where
from gatewaylog.analytics.words import OutOfReach
from gatewaylog.reader import Block
from gatewaylog.search.columns import Taken
from gatewaylog.search.commands.aggregators import Numbers, Texts
from gatewaylog.search.plan import reads_of
from gatewaylog.search.views import numbers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gatewaylog.analytics.segments import Segment
    from gatewaylog.reader import Source
    from gatewaylog.search import Gathering, Together
    from gatewaylog.search.gathering import State
    from gatewaylog.search.values import Number

Counts: TypeAlias = tuple[Any, ...]  # a row of a selection's columns
_LINES = 256  # lines that are read at once


class CachedPart(NamedTuple):
    """The bytes `begin` to `end` of a log, which a segment holds, and perhaps more."""

    source: Source
    inside: str  # the index
    segment: Segment
    begin: int
    end: int

    def given(self, together: Together) -> Given:
        """Return what its lines give; from the log itself where the segment turns out unusable."""
        import duckdb

        try:
            if contents.checksum(self.segment.path) == self.segment.checksum:
                return self._asked(together)
            self.segment.path.unlink(missing_ok=True)
        except (OutOfReach, OSError, duckdb.Error):
            return self._read(together, self.begin, self.end)
        return self._read(together, self.begin, self.end)

    def _read(self, together: Together, begin: int, end: int) -> Given:
        return FilePart(self.source, self.inside, begin, end).given(together)

    def _asked(self, together: Together) -> Given:
        """Ask the segment for its whole blocks, and read what else is wanted at both ends."""
        selection = Selection(str(self.segment.path))
        begin, end = self.begin, self.end
        if (begin, end) != (self.segment.begin, self.segment.end):
            places = [*selection.blocks(), self.segment.end]
            begin = next(at for at in places if at >= begin)
            end = next((at for at in reversed(places) if at <= end), 0)
            if begin >= end:
                return self._read(together, self.begin, self.end)
            selection.within(begin, end)
        found = [self._counted(together, selection)]
        edges = (self.begin, begin), (end, self.end)
        found += [self._read(together, *edge) for edge in edges if edge[0] < edge[1]]
        states = [state for given in found for state in given.states]
        return Given(states, sum(given.unread for given in found))

    def _counted(self, together: Together, selection: Selection) -> Given:
        has_words = any(words_of(gathering.plan) for gathering in together.gatherings)
        lines = gathered(together, self._lines(selection, has_words=has_words), self.inside)
        counted = [self._state(gathering, selection) for gathering in together.gatherings]
        return Given([*lines.states, *map(list, zip(*counted, strict=True))], lines.unread)

    def _lines(self, selection: Selection, *, has_words: bool) -> Iterator[Block]:
        """Yield the lines that are not taken apart, as far as the queries need them themselves."""
        for lines in selection.lines(_LINES, all_of_them=has_words):
            raw = b"\n".join(lines)
            yield Block(self.source, self.begin, raw, 0, len(raw))

    def _state(self, gathering: Gathering, selection: Selection) -> list[State]:
        """Return what lines give to a query that were taken apart, then the other ones."""
        also = {"index": self.inside} if self.inside else {}
        plan, wanted = gathering.plan, gathering.wanted
        where = Where(gathering, selection, apart=True)
        names = wanted.names & (reads_of(plan.commands) or wanted.names)
        if not where.exact:
            names = wanted.names
        counted = Counted(names, wanted.time, wanted.measures, wanted.told)
        takings = _takings(counted, selection.counted(counted, where))
        states = [gathering.state_of(takings, also=also, matched=where.exact)]
        if not words_of(plan):
            counted = Counted(gathering.names, gathering.time)
            where = Where(gathering, selection, apart=False)
            takings = _takings(counted, selection.counted(counted, where))
            states.append(gathering.state_of(takings, also=also))
        return states


def _takings(counted: Counted, chunks: Iterable[list[Counts]]) -> Iterator[Taken]:
    """Yield what equal lines are."""
    names, keys = counted.fields, counted.keys
    width, beside = len(names), bool(counted.others or counted.measures or counted.told)
    for rows in chunks:
        for row in rows:
            fields = dict(zip(names, row[:width], strict=True))
            if None in row[:width]:
                fields = {name: text for name, text in fields.items() if text is not None}
            moment = row[keys - 1] if counted.time else 0
            if row[keys]:  # none is the count of no lines at all
                taken = Taken(fields, moment, row[keys])
                yield _with_others(taken, counted, row) if beside else taken


def _with_others(taken: Taken, counted: Counted, row: Counts) -> Taken:
    """Add the fields that are none of the log's own, and what is measured."""
    found = dict(zip(counted.columns, row, strict=True))
    fields = taken.fields
    if extra := found.get("_extra"):
        others: dict[str, str] = json.loads(extra)
        fields |= {name: text for name, text in others.items() if name in counted.names}
    beside: dict[str, Numbers | Texts] = {}
    for name in counted.measures:
        if numbers := _numbers(name, found):
            beside[name] = Numbers(numbers)
    for name in counted.told:
        beside[name] = Texts(found[f"told {name}"] or ())
    return taken._replace(fields=fields, beside=beside)


def _numbers(name: str, found: Mapping[str, Any]) -> Sequence[Number]:
    values = found[f"measured {name}"]
    if name == "_time":
        return [moment if moment % 1 else int(moment) for moment in values]
    return numbers_of([text.encode() for text in values or ()])
