"""eval, bin: fields computed from fields.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Eval and …/Bin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gatewaylog.search import buckets
from gatewaylog.search.buckets import NumberSpan, Span
from gatewaylog.search.expressions import parse_expression
from gatewaylog.search.tree import Expression, fields_of
from gatewaylog.search.values import normal, number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gatewaylog.search.scanner import Scanner, Token
    from gatewaylog.search.stream import Needed, Setting, Stream
    from gatewaylog.search.values import Record, Value

_TARGET = re.compile(r"'[^']+'|[A-Za-z_][A-Za-z0-9_.:@-]*")


@dataclass(frozen=True, slots=True)
class Eval:
    """`eval`: fields computed, each seeing those before it; null takes a field away."""

    assignments: tuple[tuple[str, Expression], ...]

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed less what is made, and what that is made from."""
        for name, expression in reversed(self.assignments):
            if needed is not None:
                needed = (needed - {name}) | fields_of(expression)
        return needed

    def run(self, stream: Stream, setting: Setting) -> Stream:
        """Compute the fields."""
        evaluation = setting.evaluation()
        steps = [(name, evaluation.function(part)) for name, part in self.assignments]

        def computed(record: Record) -> Record:
            for name, compute in steps:
                value = compute(record)
                if value is None or isinstance(value, bool):
                    record.pop(name, None)
                else:
                    record[name] = value
            return record

        names = [name for name, _ in self.assignments]
        return stream.with_columns(*names).with_rows(map(computed, stream.rows))


def parse_eval(scan: Scanner) -> Eval:
    """Read what follows `eval`: `name=expression`, with commas between."""
    assignments: list[tuple[str, Expression]] = []
    while not assignments or scan.take_sign(","):
        name = scan.quoted() or scan.take(_TARGET)
        if name is None or not name.text.strip("'"):
            scan.fail("the name of the new field is missing here", known=["name=expression"])
        if not scan.take_sign("="):
            scan.fail("= is missing here", known=["name=expression"])
        assignments.append((name.text.strip("'"), parse_expression(scan)))
    return Eval(tuple(assignments))


@dataclass(frozen=True, slots=True)
class Bin:
    """`bin`: a time or a number as the bucket it lies in."""

    field: str
    name: str
    span: Span | NumberSpan | None = None  # None: of time, chosen
    most: int = 100

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed, with the field that is put into buckets."""
        return None if needed is None else (needed - {self.name}) | {self.field}

    def run(self, stream: Stream, setting: Setting) -> Stream:
        """Put the field's values into buckets."""
        rows = stream.with_columns(self.name)
        if isinstance(self.span, NumberSpan):
            return rows.with_rows(map(self._binned(_numbers(self.span)), stream.rows))
        if self.span:
            return rows.with_rows(map(self._binned(_times(self.span, setting)), stream.rows))
        return rows.with_rows(self._chosen(stream.rows, setting))

    def _binned(self, bucket: Callable[[Value], Value | None]) -> Callable[[Record], Record]:
        def binned(record: Record) -> Record:
            value = record.get(self.field)
            found = None if value is None else bucket(value)
            if found is not None:
                record[self.name] = found
            elif self.name != self.field:
                record.pop(self.name, None)
            return record

        return binned

    def _chosen(self, rows: Iterator[Record], setting: Setting) -> Iterator[Record]:
        kept = list(rows)
        numbers = [number_of(record.get(self.field)) for record in kept]
        known = [number for number in numbers if number is not None]
        first = min(known, default=0) if setting.earliest is None else setting.earliest
        last = max(known, default=0) if setting.latest is None else setting.latest
        span = buckets.automatic(first, last, setting.zone, self.most)
        yield from map(self._binned(_times(span, setting)), kept)


def _numbers(span: NumberSpan) -> Callable[[Value], Value | None]:
    def bucket(value: Value) -> Value | None:
        number = number_of(value)
        return value if number is None else span.label(number)

    return bucket


def _times(span: Span, setting: Setting) -> Callable[[Value], Value | None]:
    def bucket(value: Value) -> Value | None:
        number = number_of(value)
        return value if number is None else normal(span.floor(number, setting.zone))

    return bucket


def parse_bin(scan: Scanner) -> Bin:
    """Read what follows `bin`: `span=`, `bins=`, a field, `AS` and a name."""
    field: Token | None = None
    name, span, most = "", None, 100
    while not scan.done():
        if option := scan.option(("span", "bins")):
            span = option[1] if option[0].text == "span" else span
            most = scan.count(option[1], 2) if option[0].text == "bins" else most
        elif field is None:
            field = scan.plain_name()
        elif not name and scan.word("as"):
            name = scan.plain_name().text
        else:
            scan.end_command()
    if field is None:
        scan.fail("bin needs a field")
    found = Bin(field.text, name or field.text, most=most)
    if field.text == "_time":
        return replace(found, span=buckets.time_span(scan, span) if span else None)
    if span is None:
        scan.fail("a field of numbers needs span=", field, ["span=100"])
    return replace(found, span=buckets.number_span(scan, span))
