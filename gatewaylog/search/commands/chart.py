"""chart: a table of one field, or of one against another.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Chart. Rows come numbers by
size, then texts by code point. A record without the row's field is not counted, one without the
column's is NULL.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.search import buckets
from gatewaylog.search.buckets import NumberSpan, Span
from gatewaylog.search.commands.aggregations import Aggregation, check_names, parse_aggregation
from gatewaylog.search.commands.series import (
    DEFAULT_SPLIT,
    SPLIT_OPTIONS,
    Grid,
    Split,
    split_option,
)
from gatewaylog.search.commands.timechart import TimeRows
from gatewaylog.search.stream import Needed, Setting, Stream
from gatewaylog.search.values import normal, number_of, order_of, text_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from gatewaylog.search.commands.series import Cells
    from gatewaylog.search.scanner import Scanner, Token
    from gatewaylog.search.values import Number, Record, Value

    RowKey: TypeAlias = tuple[tuple[int, Number, str], Value]


@dataclass(frozen=True, slots=True)
class By:
    """A field of a chart, and the span of the buckets that its values are put into."""

    name: str
    span: Span | NumberSpan | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """`chart`."""

    aggregations: tuple[Aggregation, ...]
    row: By | None = None
    column: By | None = None
    split: Split = DEFAULT_SPLIT

    def reads(self, _needed: Needed) -> Needed:
        """Return both fields and what the functions look at."""
        names = frozenset(by.name for by in (self.row, self.column) if by)
        return names.union(*(part.reads() for part in self.aggregations))

    def run(self, stream: Stream, setting: Setting) -> Stream:
        """Count."""
        return self._finished(self._grid(zip(stream.rows, repeat(1)), setting))

    @property
    def divisible(self) -> bool:
        """Tell whether parts of the records can be gathered in any order, and put together.

        Rows of time whose span is not known yet are told apart by what came before.
        """
        times = self.row is not None and self.row.name == "_time"
        return not times and all(part.divisible for part in self.aggregations)

    def gather(self, rows: Iterable[tuple[Record, int]], setting: Setting) -> Cells:
        """Return the cells of records, each with how often it came."""
        return self._grid(rows, setting).state()

    def finish(self, states: Iterable[Cells], setting: Setting) -> Stream:
        """Return the chart that the cells of all parts make."""
        return self._finished(self._together(states, setting))

    def merged(self, states: Iterable[Cells], setting: Setting) -> Cells:
        """Return the one state that several make; they are used up for it."""
        return self._together(states, setting).state()

    def _together(self, states: Iterable[Cells], setting: Setting) -> Grid:
        grid = Grid(self.aggregations, setting)
        for state in states:
            grid.absorb(state)
        return grid

    def _grid(self, rows: Iterable[tuple[Record, int]], setting: Setting) -> Grid:
        grid = Grid(self.aggregations, setting)
        keys = _row_keys(self.row, grid, setting)
        labels = labels_of(self.column, self.split, setting)
        for at, (record, times) in enumerate(rows):
            for key in keys(record):
                grid.add(key, labels(record), record, at, times)
        return grid

    def _finished(self, grid: Grid) -> Stream:
        series = grid.fold(self.split) if self.column else [""]
        axis = self.row.name if self.row else ""
        columns = grid.columns(series, axis)
        names = tuple(dict.fromkeys(columns.values()))
        rows = self._rows(grid, columns)
        return Stream(rows, (axis, *names) if axis else names, "chart", axis)

    def _rows(self, grid: Grid, columns: dict[tuple[int, str], str]) -> Iterator[Record]:
        if self.row is None:
            yield grid.record((), columns)
            return
        keys: list[RowKey] = list(grid.rows)  # type: ignore[arg-type]
        for key in sorted(keys, key=lambda key: key[0]):
            yield {self.row.name: key[1]} | grid.record(key, columns)


def _row_keys(row: By | None, grid: Grid, setting: Setting) -> Callable[[Record], list[Hashable]]:
    if row is None:
        return lambda _record: [()]
    name, span = row.name, row.span
    if name == "_time":
        times = TimeRows(grid, span if isinstance(span, Span) else None, 100, setting, _time_key)
        return times.keys

    def keys(record: Record) -> list[Hashable]:
        return [_row_key(text, span) for text in texts_of(record.get(name))]

    return keys


def _time_key(moment: float) -> RowKey:
    return (0, moment, ""), moment


def _row_key(text: str, span: Span | NumberSpan | None) -> RowKey:
    order = order_of(text)
    if isinstance(span, NumberSpan) and not order[0]:
        label = span.label(order[1])
        if label is not None:
            return (0, order[1] // span.size, ""), label
    return order, text


def labels_of(column: By | None, split: Split, setting: Setting) -> Callable[[Record], list[str]]:
    """Return the function that tells a record's series."""
    if column is None:
        return lambda _record: [""]
    name, span = column.name, column.span
    null = [split.nullstr] if split.usenull else []

    def labels(record: Record) -> list[str]:
        value = record.get(name)
        if value.__class__ is str and span is None:
            return [value] if value else null
        texts = [_label(text, span, setting) for text in texts_of(value) if text]
        return texts or null

    return labels


def _label(text: str, span: Span | NumberSpan | None, setting: Setting) -> str:
    number = number_of(text)
    if number is None or span is None:
        return text
    if isinstance(span, NumberSpan):
        return span.label(number) or text
    return text_of(normal(span.floor(number, setting.zone)) or 0)


def parse_chart(scan: Scanner) -> Chart:
    """Read what follows `chart`: options, functions, `OVER field BY field` or `BY field, field`."""
    aggregations: list[Aggregation] = []
    chart = Chart(())
    while not scan.done():
        if option := scan.option(SPLIT_OPTIONS):
            chart = replace(chart, split=split_option(scan, chart.split, *option))
        elif aggregations and (word := scan.word("over", "by")):
            chart = _fields(scan, chart, over=word.text.lower() == "over")
            scan.end_command()
        else:
            if aggregations:
                scan.take_sign(",")
            aggregations.append(parse_aggregation(scan))
    if not aggregations:
        scan.fail("chart needs a function", known=["count BY field", "count BY field, field"])
    check_names(scan, aggregations, [by.name for by in (chart.row, chart.column) if by])
    return replace(chart, aggregations=tuple(aggregations))


def _fields(scan: Scanner, chart: Chart, *, over: bool) -> Chart:
    row, split = _field(scan, chart.split)
    column: By | None = None
    joined = scan.word("by") if over else scan.take_sign(",")
    if joined or not (over or scan.done()):
        column, split = _field(scan, split)
    return replace(chart, row=row, column=column, split=split)


def _field(scan: Scanner, split: Split) -> tuple[By, Split]:
    """Read a field, and the options behind it."""
    by = By(scan.plain_name().text)
    scan.forget_option("span")
    while option := scan.option((*SPLIT_OPTIONS, "span")):
        if option[0].text == "span":
            by = replace(by, span=_by_span(scan, by.name, option[1]))
        else:
            split = split_option(scan, split, *option)
    return by, split


def _by_span(scan: Scanner, name: str, token: Token) -> Span | NumberSpan:
    if name == "_time":
        return buckets.time_span(scan, token)
    return buckets.number_span(scan, token)
