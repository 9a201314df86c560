"""transaction: records that belong together, made one.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Transaction. Records come newest
first, so that a transaction is opened by its last record and closed by its first. One that lacks
the start or the end that is asked for is evicted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.search.buckets import time_span
from gatewaylog.search.expressions import parse_expression
from gatewaylog.search.matching import search_test
from gatewaylog.search.query_error import QueryError
from gatewaylog.search.scanner import Scanner
from gatewaylog.search.stream import Needed, Setting, Stream, also
from gatewaylog.search.terms import parse_search
from gatewaylog.search.tree import (
    Among,
    Binary,
    Call,
    Expression,
    Literal,
    Name,
    Search,
    Unary,
    fields_of,
    fields_searched,
)
from gatewaylog.search.values import normal, number_of, texts_of, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gatewaylog.search.scanner import Token
    from gatewaylog.search.values import Number, Record

    Test: TypeAlias = Callable[[Record], bool]

Mark: TypeAlias = Search | Expression

_MARK = re.compile(r"(?:startswith|endswith)\s*=\s*", re.IGNORECASE)
_EVAL = re.compile(r"eval\s*\(", re.IGNORECASE)
_ADDED = frozenset({"duration", "eventcount", "closed_txn"})
_OPTIONS = ("maxspan", "startswith", "endswith", "keepevicted")


@dataclass(slots=True)
class _Open:
    """A transaction that may go on: its records, newest first, and whether its end was seen."""

    order: int
    ended: bool
    records: list[tuple[Number, Record]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Transaction:
    """`transaction`; `maxspan` in seconds."""

    field: str
    maxspan: float | None = None
    startswith: Mark | None = None
    endswith: Mark | None = None
    keepevicted: bool = False

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed, the field, the time, and what start and end are told by."""
        marks = [_reads(mark) for mark in (self.startswith, self.endswith) if mark]
        own = frozenset({self.field, "_time"}).union(*marks)
        return None if needed is None else also(needed - _ADDED, own)

    def run(self, stream: Stream, setting: Setting) -> Stream:
        """Put together what belongs together."""
        rows = stream.rows
        columns = stream.with_columns("duration", "eventcount", "closed_txn")

        def newest_first() -> Iterator[Record]:
            made = list(self._closed(rows, setting))
            made.sort(key=lambda item: (-item[1], item[0]))
            yield from (record for _, _, record in made)

        return columns.with_rows(newest_first())

    def _closed(
        self, rows: Iterable[Record], setting: Setting
    ) -> Iterator[tuple[int, Number, Record]]:
        starts, ends = _test(self.startswith, setting), _test(self.endswith, setting)
        running: dict[str, _Open] = {}
        for order, record in enumerate(rows):
            moment, key = number_of(record.get("_time")), texts_of(record.get(self.field))
            if moment is None or not key:
                continue
            ended = ends is not None and ends(record)
            known = running.get(key[0])
            over = known is not None and self._over(known, moment)
            if known and (ended or over):
                yield from self._made(known, begun=False, closed=over)
                known = None
            if known is None:
                known = running[key[0]] = _Open(order, ended or ends is None)
            known.records.append((moment, record))
            if starts and starts(record):
                yield from self._made(running.pop(key[0]), begun=True, closed=True)
        for rest in running.values():
            yield from self._made(rest, begun=False, closed=False)

    def _over(self, known: _Open, moment: Number) -> bool:
        return self.maxspan is not None and known.records[0][0] - moment > self.maxspan

    def _made(
        self, done: _Open, *, begun: bool, closed: bool
    ) -> Iterator[tuple[int, Number, Record]]:
        complete = done.ended and (begun or self.startswith is None)
        if complete or self.keepevicted:
            start = min(moment for moment, _ in done.records)
            yield done.order, start, _merged(done, start, closed=closed and complete)


def _merged(done: _Open, start: Number, *, closed: bool) -> Record:
    texts: dict[str, set[str]] = {}
    for _, record in done.records:
        for name, value in record.items():
            texts.setdefault(name, set()).update(texts_of(value))
    merged: Record = {}
    for name, found in texts.items():
        several = value_of(sorted(found))
        if several is not None:
            merged[name] = several
    raw = [str(record["_raw"]) for _, record in reversed(done.records) if "_raw" in record]
    if raw:
        merged["_raw"] = "\n".join(raw)
    length = max(moment for moment, _ in done.records) - start
    merged |= {"_time": start, "duration": normal(round(length, 6)) or 0}
    return merged | {"eventcount": len(done.records), "closed_txn": int(closed)}


def _reads(mark: Mark) -> frozenset[str]:
    if isinstance(mark, (Literal, Name, Call, Binary, Unary, Among)):
        return fields_of(mark)
    return fields_searched(mark)


def _test(mark: Mark | None, setting: Setting) -> Test | None:
    if mark is None:
        return None
    if isinstance(mark, (Literal, Name, Call, Binary, Unary, Among)):
        return setting.evaluation().condition(mark)
    test = search_test(mark)
    return lambda record: test(
        str(record.get("_raw", "")).encode("utf-8", "surrogateescape"), record
    )


def parse_transaction(scan: Scanner) -> Transaction:
    """Read what follows `transaction`: a field and options."""
    found = Transaction("")
    while not scan.done():
        if mark := scan.take(_MARK):
            found = _with_mark(scan, found, mark)
        elif option := scan.option(_OPTIONS):
            found = _with_option(scan, found, *option)
        elif found.field:
            scan.fail("transaction takes one field here", known=[f"{name}=" for name in _OPTIONS])
        else:
            found = replace(found, field=scan.plain_name().text)
    return found if found.field else scan.fail("transaction needs a field")


def _with_mark(scan: Scanner, found: Transaction, mark: Token) -> Transaction:
    if mark.text.lower().startswith("starts"):
        return replace(found, startswith=_mark(scan))
    return replace(found, endswith=_mark(scan))


def _with_option(scan: Scanner, found: Transaction, name: Token, value: Token) -> Transaction:
    if name.text == "keepevicted":
        return replace(found, keepevicted=scan.truth(value))
    endless = value.text == "-1"
    return replace(found, maxspan=None if endless else time_span(scan, value).seconds())


def _mark(scan: Scanner) -> Mark:
    if scan.take(_EVAL):
        condition = parse_expression(scan, "boolean")
        scan.expect(")")
        return condition
    if opened := scan.take_sign("("):
        search = parse_search(scan)
        return search if scan.take_sign(")") else scan.fail("this bracket is not closed", opened)
    written = scan.text()
    inner = Scanner(written.text)
    try:
        search = parse_search(inner)
        inner.end_command()
    except QueryError as problem:
        scan.fail(problem.message, written, problem.known)
    return search
