"""timechart: a row for each span of time, a column for each series.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Timechart. The chart covers the
query's range where it has one, else its records; times without records have rows too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.search import buckets
from gatewaylog.search.buckets import AUTOMATIC, MOST, Span
from gatewaylog.search.commands.aggregations import Aggregation, check_names, parse_aggregation
from gatewaylog.search.commands.series import (
    DEFAULT_SPLIT,
    SPLIT_OPTIONS,
    Grid,
    Split,
    split_option,
)
from gatewaylog.search.query_error import QueryError
from gatewaylog.search.scanner import Token
from gatewaylog.search.stream import Needed, Setting, Stream
from gatewaylog.search.values import normal, number_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from gatewaylog.search.commands.series import Cells
    from gatewaylog.search.scanner import Scanner
    from gatewaylog.search.values import Record

    Times: TypeAlias = tuple[Span, float, float]

_OPTIONS = ("span", "bins", "cont", "fixedrange")


class TimeRows:
    """Which bucket a record lies in.

    Without a span or a range to choose one for, the smallest is taken and the buckets are put
    together as soon as they are too many, so that nothing has to be kept until the range is known.
    """

    def __init__(
        self,
        grid: Grid,
        span: Span | None,
        most: int,
        setting: Setting,
        key_of: Callable[[float], Hashable] | None = None,
    ) -> None:
        self._grid, self._most, self._zone = grid, most, setting.zone
        self._key_of: Callable[[float], Hashable] = key_of or (lambda start: start)
        self._fixed = span is not None
        bounds = bounds_of(setting)
        if span is None and bounds:
            span, self._fixed = buckets.automatic(*bounds, setting.zone, most), True
        self.span = span or AUTOMATIC[0]
        self.first, self.last = math.inf, -math.inf
        self._start = self._end = 0.0
        self._key: list[Hashable] = []

    def keys(self, record: Record) -> list[Hashable]:
        """Return the record's row: none where it has no time."""
        moment = number_of(record.get("_time"))
        if moment is None:
            return []
        if not self._start <= moment < self._end:
            self._enter(moment)
        return self._key

    def _enter(self, moment: float) -> None:
        self.first, self.last = min(self.first, moment), max(self.last, moment)
        while not self._fixed and not self._fits():
            self._grow()
        self._start = self.span.floor(moment, self._zone)
        self._end = self.span.after(self._start, self._zone)
        self._key = [self._key_of(normal(self._start) or 0)]
        # A later moment of the same bucket does not come here; its bucket is known all the same.
        self.first, self.last = min(self.first, self._start), max(self.last, self._start)

    def _fits(self) -> bool:
        if self.span == AUTOMATIC[-1]:
            return True
        return buckets.count(self.span, self.first, self.last, self._zone, self._most) <= self._most

    def _grow(self) -> None:
        self.span = AUTOMATIC[AUTOMATIC.index(self.span) + 1]
        self._grid.move(self._row_of)

    def _row_of(self, row: Hashable) -> Hashable:
        start = row if isinstance(row, (int, float)) else row[1]  # type: ignore[index]
        return self._key_of(normal(self.span.floor(start, self._zone)) or 0)

    def state(self) -> Times:
        """Return what it has learnt, to be taken by another of the same kind."""
        return self.span, self.first, self.last

    def absorb(self, times: Times, cells: Cells) -> None:
        """Take what another has learnt, and what the grid has taken that it is the rows of."""
        span, first, last = times
        while not self._fixed and AUTOMATIC.index(self.span) < AUTOMATIC.index(span):
            self._grow()
        self._grid.absorb(cells)
        self.first, self.last = min(self.first, first), max(self.last, last)
        if self.first > self.last:
            return
        if span != self.span:
            self._grid.move(self._row_of)
        while not self._fixed and not self._fits():
            self._grow()


def bounds_of(setting: Setting) -> tuple[float, float] | None:
    """Return the first and the last moment of the query's range, None where it is open."""
    if setting.earliest is None:
        return None
    latest = setting.now if setting.latest is None else setting.latest
    return setting.earliest, max(setting.earliest, math.nextafter(latest, -math.inf))


@dataclass(frozen=True, slots=True)
class Timechart:
    """`timechart`."""

    aggregations: tuple[Aggregation, ...]
    by: str = ""
    span: Span | None = None
    bins: int = 100
    cont: bool = True
    fixedrange: bool = True
    split: Split = DEFAULT_SPLIT
    place: Token = field(default=Token("", 0, 0), compare=False)

    def reads(self, _needed: Needed) -> Needed:
        """Return the time, the field of the series, and what the functions look at."""
        names = {"_time", self.by} if self.by else {"_time"}
        return frozenset(names).union(*(part.reads() for part in self.aggregations))

    def run(self, stream: Stream, setting: Setting) -> Stream:
        """Count."""
        return self._finished(*self._grid(zip(stream.rows, repeat(1)), setting), setting)

    @property
    def divisible(self) -> bool:
        """Tell whether parts of the records can be gathered in any order, and put together."""
        return all(part.divisible for part in self.aggregations)

    @property
    def by_seconds(self) -> bool:
        """Tell whether it looks at no more of the time than the second."""
        whole = self.span is None or self.span.in_seconds
        return whole and not any("_time" in part.reads() for part in self.aggregations)

    def gather(self, rows: Iterable[tuple[Record, int]], setting: Setting) -> tuple[Times, Cells]:
        """Return the cells of records, each with how often it came, and which times they are of."""
        grid, times = self._grid(rows, setting)
        return times.state(), grid.state()

    def finish(self, states: Iterable[tuple[Times, Cells]], setting: Setting) -> Stream:
        """Return the chart that the cells of all parts make."""
        return self._finished(*self._together(states, setting), setting)

    def merged(
        self, states: Iterable[tuple[Times, Cells]], setting: Setting
    ) -> tuple[Times, Cells]:
        """Return the one state that several make; they are used up for it."""
        grid, times = self._together(states, setting)
        return times.state(), grid.state()

    def _together(
        self, states: Iterable[tuple[Times, Cells]], setting: Setting
    ) -> tuple[Grid, TimeRows]:
        grid = Grid(self.aggregations, setting)
        times = TimeRows(grid, self.span, self.bins, setting)
        for state in states:
            times.absorb(*state)
        return grid, times

    def _grid(self, rows: Iterable[tuple[Record, int]], setting: Setting) -> tuple[Grid, TimeRows]:
        grid = Grid(self.aggregations, setting)
        times = TimeRows(grid, self.span, self.bins, setting)
        for at, (record, often) in enumerate(rows):
            for key in times.keys(record):
                grid.add(key, self._labels(record), record, at, often)
        return grid, times

    def _finished(self, grid: Grid, times: TimeRows, setting: Setting) -> Stream:
        series = grid.fold(self.split) if self.by else [""]
        columns = grid.columns(series, "_time")
        starts = self._starts(grid, times, setting)
        rows = ({"_time": start} | grid.record(start, columns) for start in starts)
        names = tuple(dict.fromkeys(columns.values()))
        return Stream(rows, ("_time", *names), "timechart", "_time")

    def _labels(self, record: Record) -> list[str]:
        if not self.by:
            return [""]
        texts = [text for text in texts_of(record.get(self.by)) if text]
        return texts or ([self.split.nullstr] if self.split.usenull else [])

    def _starts(self, grid: Grid, times: TimeRows, setting: Setting) -> Iterator[int | float]:
        bounds = bounds_of(setting) if self.fixedrange else None
        first, last = times.first, times.last
        if bounds:
            first, last = min(first, bounds[0]), max(last, bounds[1])
        if first > last:
            return iter(())
        if not self.cont:
            return iter(sorted(grid.rows))  # type: ignore[type-var,arg-type]
        if buckets.count(times.span, first, last, setting.zone) > MOST:
            message = f"this span makes more than {MOST} rows"
            place = self.place
            raise QueryError(
                setting.query, place.start, place.end - place.start, message, ["span=1d"]
            )
        return (normal(start) or 0 for start in times.span.starts(first, last, setting.zone))


def parse_timechart(scan: Scanner) -> Timechart:
    """Read what follows `timechart`: options, functions, `BY` and a field."""
    scan.space()
    chart = Timechart((), place=Token("", scan.at, scan.at))
    aggregations: list[Aggregation] = []
    while not scan.done():
        if option := scan.option((*SPLIT_OPTIONS, *_OPTIONS)):
            chart = _with_option(scan, chart, *option)
        elif chart.by:
            scan.fail("timechart is split by one field")
        elif aggregations and scan.word("by"):
            chart = replace(chart, by=scan.plain_name().text)
        else:
            if aggregations:
                scan.take_sign(",")
            aggregations.append(parse_aggregation(scan))
    if not aggregations:
        scan.fail("timechart needs a function", known=["count", "count BY field"])
    check_names(scan, aggregations, ["_time"])
    return replace(chart, aggregations=tuple(aggregations))


def _with_option(scan: Scanner, chart: Timechart, name: Token, value: Token) -> Timechart:
    match name.text:
        case "span":
            return replace(chart, span=buckets.time_span(scan, value), place=value)
        case "bins":
            return replace(chart, bins=scan.count(value, 2))
        case "cont":
            return replace(chart, cont=scan.truth(value))
        case "fixedrange":
            return replace(chart, fixedrange=scan.truth(value))
        case _:
            return replace(chart, split=split_option(scan, chart.split, name, value))
