"""From a query's text to a plan, and from rows to the result."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.search import timespan
from gatewaylog.search.matching import search_test
from gatewaylog.search.parser import leaves, parse
from gatewaylog.search.prefilter import Prefilter, prefilter_of, without_words
from gatewaylog.search.query_error import QueryError
from gatewaylog.search.rows import Row, row_reader
from gatewaylog.search.stream import Command, Needed, Setting, Stream
from gatewaylog.search.tree import All, Any, Match, Not, OneOf, Search, fields_searched

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from datetime import tzinfo

    from gatewaylog.search.scanner import Token
    from gatewaylog.search.values import Record

_DERIVED = frozenset({"_time", "_raw"})


@dataclass(frozen=True, slots=True)
class Result:
    """What a query gives.

    `kind` is "events", "table", "chart" or "timechart"; `columns` are in order, None for events,
    each of which has its own fields and `_time` and `_raw`; a column that a row lacks is null in
    it. `axis` is the column that a chart is drawn over. `rows` come as they are made.
    """

    columns: tuple[str, ...] | None
    rows: Iterator[Record]
    kind: str
    axis: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A query that can be run.

    `indexes` are the names asked for, `unknown_indexes` those of them that were not given. Rows are
    wanted newest first, later lines first where times are the same; `reads` are the fields they
    need, None for all, and `prefilter` refuses lines that can't match. `first` is the search,
    `commands` what follows, whose `names` stand in the query; other engines translate these.
    """

    setting: Setting
    first: Search
    commands: tuple[Command, ...]
    prefilter: Prefilter
    reads: Needed
    names: tuple[Token, ...] = ()
    indexes: tuple[str, ...] = ()
    unknown_indexes: tuple[str, ...] = ()

    @property
    def query(self) -> str:
        """The text it was made from."""
        return self.setting.query

    @property
    def earliest(self) -> float | None:
        """The first moment looked at, None where it is open."""
        return self.setting.earliest

    @property
    def latest(self) -> float | None:
        """The first moment after those looked at, None where it is open."""
        return self.setting.latest

    def rows(self, lines: Iterable[bytes]) -> Iterator[Row]:
        """Yield the rows of the lines that may match; what can't be read is left out."""
        passes, read = self.prefilter.passes, row_reader(self.reads)
        for line in lines:
            if passes(line):
                row = read(line)
                if row is not None:
                    yield row

    def run(self, rows: Iterable[Row], *, prefiltered: bool = False) -> Result:
        """Return what the query gives for `rows`; `prefiltered`: they are from `self.rows`, or
        their lines have passed the prefilter.

        Raises QueryError, here or while rows are made, where only they show what is wrong.
        """
        search = without_words(self.first) if prefiltered else self.first
        stream = Stream(self._matching(rows, search))
        for command in self.commands:
            stream = command.run(stream, self.setting)
        return Result(stream.columns, stream.rows, stream.kind, stream.axis)

    def _matching(self, rows: Iterable[Row], search: Search) -> Iterator[Record]:
        earliest = -math.inf if self.earliest is None else self.earliest
        latest = math.inf if self.latest is None else self.latest
        test, of_record = search_test(search), _tests_record(search)
        complete = _completion(self.reads)
        for row in rows:
            if not earliest <= row.time < latest:
                continue
            if of_record:
                record = _whole(row)
                if test(row.raw, record):
                    yield record
            elif test(row.raw, row.fields):
                yield complete(row)


def _tests_record(search: Search) -> bool:
    return any(
        isinstance(part, (Match, OneOf)) and part.name in _DERIVED for part in leaves(search)
    )


def _completion(reads: Needed) -> Callable[[Row], Record]:
    """Return what makes a record of a row, with as much of it as is read."""
    if reads is None or "_raw" in reads:
        return _whole
    if "_time" in reads:
        return lambda row: {**row.fields, "_time": _time(row.time)}
    return lambda row: {**row.fields}


def _whole(row: Row) -> Record:
    raw = row.raw.decode("utf-8", "surrogateescape")
    return {"_time": _time(row.time), "_raw": raw, **row.fields}


def _time(moment: float) -> int | float:
    return moment if moment % 1 else int(moment)


def compile_query(
    text: str,
    *,
    now: float,
    earliest: float | None = None,
    latest: float | None = None,
    zone: tzinfo | None = None,
    indexes: Collection[str] | None = None,
) -> Plan:
    """Return the plan of the query `text`. Raises QueryError.

    `earliest` and `latest` (not itself in it) bound the time, unless the query says `earliest=` and
    `latest=` itself; moments are seconds since the epoch. `zone` is local time's, None the
    system's. `indexes` are the names that are known, None: not checked.
    """
    search, commands, names = parse(text)
    search, times = _without_times(text, search)
    bounds = {name: timespan_of(text, part, now, zone) for name, part in times.items()}
    setting = Setting(
        query=text,
        now=now,
        earliest=bounds.get("earliest", earliest),
        latest=bounds.get("latest", latest),
        zone=zone,
    )
    asked = _indexes(text, search)
    first = _with_index(search)
    reads = None if not commands else reads_of(commands)
    return Plan(
        setting=setting,
        first=first,
        commands=commands,
        names=names,
        prefilter=prefilter_of(first),
        reads=None if reads is None else reads | (fields_searched(first) - _DERIVED),
        indexes=asked,
        unknown_indexes=tuple(
            name for name in asked if indexes is not None and name not in indexes
        ),
    )


def reads_of(commands: tuple[Command, ...]) -> Needed:
    """Return the fields that commands read of what they are given, None for all."""
    needed: Needed = None
    for command in reversed(commands):
        needed = command.reads(needed)
    return needed


def timespan_of(text: str, part: Match, now: float, zone: tzinfo | None) -> float:
    """Return the moment that `earliest=` or `latest=` means in the query `text`."""
    try:
        return timespan.moment(part.text, now, zone)
    except QueryError as problem:
        place = part.place
        raise QueryError(
            text, place.start, place.end - place.start, problem.message, problem.known
        ) from None


def _without_times(text: str, search: Search) -> tuple[Search, dict[str, Match]]:
    """Return the search without `earliest=` and `latest=`, and these."""
    parts = search.parts if isinstance(search, All) else (search,)
    times: dict[str, Match] = {}
    rest: list[Search] = []
    for part in parts:
        if isinstance(part, Match) and part.name in {"earliest", "latest"} and part.operator == "=":
            if part.name in times:
                raise _error(text, part, f"{part.name}= stands twice")
            times[part.name] = part
        else:
            rest.append(part)
    for leaf in leaves(All(tuple(rest))):
        if isinstance(leaf, (Match, OneOf)) and leaf.name in {"earliest", "latest"}:
            message = f"{leaf.name}= holds for the whole search: not inside brackets, NOT or OR"
            raise _error(text, leaf, message)
    return (rest[0] if len(rest) == 1 else All(tuple(rest))), times


def _error(text: str, leaf: Match | OneOf, message: str) -> QueryError:
    return QueryError(text, leaf.place.start, leaf.place.end - leaf.place.start, message)


def _indexes(text: str, search: Search, *, negated: bool = False) -> tuple[str, ...]:
    match search:
        case Not(part):
            return _indexes(text, part, negated=True)
        case All(parts) | Any(parts):
            found = [name for part in parts for name in _indexes(text, part, negated=negated)]
            return tuple(dict.fromkeys(found))
        case Match("index", operator, name):
            if negated or operator != "=":
                raise _error(text, search, "an index is chosen by index=NAME, not excluded")
            return (name,)
        case OneOf("index", names):
            if negated:
                raise _error(text, search, "an index is chosen by index=NAME, not excluded")
            return names
        case _:
            return ()


def _with_index(search: Search) -> Search:
    """Return the search as it is tried on rows: those that do not tell their index are in all."""
    match search:
        case Not(part):
            return Not(_with_index(part))
        case All(parts):
            return All(tuple(map(_with_index, parts)))
        case Any(parts):
            return Any(tuple(map(_with_index, parts)))
        case Match("index") | OneOf("index"):
            return Any((Not(Match("index", "=", "*")), search))
        case _:
            return search
