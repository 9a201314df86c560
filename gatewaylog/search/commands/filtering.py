"""search, where, head, tail, dedup: which records go on.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Search, …/Where, …/Head, …/Tail,
…/Dedup.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from gatewaylog.search.expressions import parse_expression
from gatewaylog.search.matching import search_test
from gatewaylog.search.stream import Needed, Setting, Stream, also
from gatewaylog.search.terms import parse_search
from gatewaylog.search.tree import Expression, fields_of, fields_searched
from gatewaylog.search.values import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.search.scanner import Scanner, Token
    from gatewaylog.search.tree import Search as Searched
    from gatewaylog.search.values import Record

_COUNT = re.compile(r"-?[0-9]+(?=[\s,|]|\Z)")


@dataclass(frozen=True, slots=True)
class Search:
    """`search`: records that match."""

    search: Searched

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed and what is searched."""
        return also(needed, fields_searched(self.search))

    def run(self, stream: Stream, _setting: Setting) -> Stream:
        """Let through what matches."""
        test = search_test(self.search)
        words = "_raw" in fields_searched(self.search)

        def matches(record: Record) -> bool:
            raw = str(record.get("_raw", "")).encode("utf-8", "surrogateescape") if words else b""
            return test(raw, record)

        return stream.with_rows(filter(matches, stream.rows))


def parse_search_command(scan: Scanner) -> Search:
    """Read what follows `search`."""
    return Search(parse_search(scan))


@dataclass(frozen=True, slots=True)
class Where:
    """`where`: records for which a condition is true."""

    condition: Expression

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed and what the condition reads."""
        return also(needed, fields_of(self.condition))

    def run(self, stream: Stream, setting: Setting) -> Stream:
        """Let through what fulfils the condition."""
        return stream.with_rows(filter(setting.evaluation().condition(self.condition), stream.rows))


def parse_where(scan: Scanner) -> Where:
    """Read what follows `where`."""
    return Where(parse_expression(scan, "boolean"))


@dataclass(frozen=True, slots=True)
class Head:
    """`head`: the first records, or those before a condition is no longer true."""

    count: int | None = 10
    condition: Expression | None = None
    null: bool = False
    keeplast: bool = False

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed and what the condition reads."""
        return also(needed, fields_of(self.condition)) if self.condition else needed

    def run(self, stream: Stream, setting: Setting) -> Stream:
        """Let through the first."""
        rows = stream.rows
        if self.condition:
            rows = self._while(self.condition, rows, setting)
        return stream.with_rows(rows if self.count is None else islice(rows, self.count))

    def _while(
        self, condition: Expression, rows: Iterator[Record], setting: Setting
    ) -> Iterator[Record]:
        compute = setting.evaluation().function(condition)
        for record in rows:
            found = compute(record)
            if not (self.null if found is None else found):
                if self.keeplast:
                    yield record
                return
            yield record


def parse_head(scan: Scanner) -> Head:
    """Read what follows `head`: a number, `limit=`, a condition, `null=`, `keeplast=`."""
    head = Head()
    given = False
    while not scan.done():
        if option := scan.option(("limit", "null", "keeplast")):
            if given and option[0].text == "limit":
                scan.fail("the number stands twice", option[0])
            head = _head_option(scan, head, *option)
            given = given or option[0].text == "limit"
        elif number := scan.take(_COUNT):
            if given:
                scan.fail("the number stands twice", number)
            head, given = replace(head, count=scan.count(number)), True
        elif head.condition:
            scan.end_command()
        else:
            head = replace(head, condition=parse_expression(scan, "boolean"))
    return head if given or not head.condition else replace(head, count=None)


def _head_option(scan: Scanner, head: Head, name: Token, value: Token) -> Head:
    if name.text == "limit":
        return replace(head, count=scan.count(value))
    if name.text == "null":
        return replace(head, null=scan.truth(value))
    return replace(head, keeplast=scan.truth(value))


@dataclass(frozen=True, slots=True)
class Tail:
    """`tail`: the last records, the very last first."""

    count: int = 10

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed."""
        return needed

    def run(self, stream: Stream, _setting: Setting) -> Stream:
        """Let through the last."""
        count, rows = self.count, stream.rows

        def last() -> Iterator[Record]:
            yield from reversed(deque(rows, maxlen=count))

        return stream.with_rows(last())


def parse_tail(scan: Scanner) -> Tail:
    """Read what follows `tail`: a number."""
    if scan.done():
        return Tail()
    return Tail(scan.count(scan.text()))


@dataclass(frozen=True, slots=True)
class Dedup:
    """`dedup`: the first records of each combination of values."""

    fields: tuple[str, ...]
    count: int = 1
    keepevents: bool = False
    keepempty: bool = False
    consecutive: bool = False

    def reads(self, needed: Needed) -> Needed:
        """Return what is needed and the fields compared."""
        return also(needed, self.fields)

    def run(self, stream: Stream, _setting: Setting) -> Stream:
        """Let through the first of each combination."""
        return stream.with_rows(self._first(stream.rows))

    def _first(self, rows: Iterator[Record]) -> Iterator[Record]:
        seen: dict[tuple[tuple[str, ...], ...], int] = {}
        for record in rows:
            key = tuple(texts_of(record.get(field)) for field in self.fields)
            if not all(key):
                if self.keepempty:
                    yield record
                continue
            before = seen.get(key, 0)
            if self.consecutive and not before:
                seen.clear()
            seen[key] = before + 1
            if before < self.count:
                yield record
            elif self.keepevents:
                yield {name: value for name, value in record.items() if name not in self.fields}


def parse_dedup(scan: Scanner) -> Dedup:
    """Read what follows `dedup`: a number, fields, options."""
    number = scan.take(_COUNT)
    count = scan.count(number, 1) if number else 1
    options = {"keepevents": False, "keepempty": False, "consecutive": False}
    fields: list[str] = []
    while not scan.done():
        if option := scan.option(options):
            options[option[0].text] = scan.truth(option[1])
            continue
        if fields:
            scan.take_sign(",")
        if scan.word("sortby"):
            scan.fail("sortby is not known here; sort before or after", known=["| sort"])
        fields.append(scan.plain_name().text)
    if not fields:
        scan.fail("dedup needs a field")
    return Dedup(tuple(fields), count, **options)
