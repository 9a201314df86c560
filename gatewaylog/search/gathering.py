"""A query over parts of a log, in any order: what each part gives is gathered, then put together.

That is possible where records are looked at one by one and then counted in a way that asks for no
order. Rows of equal values are then made once, and processes can share a log. The result is what
`Plan.run` gives, to the last digit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, runtime_checkable

from gatewaylog.events import LAYOUTS, SEQ, WRITER
from gatewaylog.search.commands.chart import Chart
from gatewaylog.search.commands.computing import Bin, Eval
from gatewaylog.search.commands.extracting import Rex
from gatewaylog.search.commands.filtering import Search, Where
from gatewaylog.search.commands.ordering import Sort
from gatewaylog.search.commands.shaping import Fields, Fillnull, Rename
from gatewaylog.search.commands.statistics import Stats
from gatewaylog.search.commands.timechart import Timechart
from gatewaylog.search.matching import search_test
from gatewaylog.search.measuring import measures_of
from gatewaylog.search.parser import leaves
from gatewaylog.search.plan import Plan, Result
from gatewaylog.search.prefilter import without_words
from gatewaylog.search.query_error import QueryError
from gatewaylog.search.scanner import Token
from gatewaylog.search.stream import Command, Needed, Stream
from gatewaylog.search.together import Together
from gatewaylog.search.tree import All, Words, fields_searched
from gatewaylog.search.views import NUMERIC, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from gatewaylog.events import Layout
    from gatewaylog.search.columns import Taken
    from gatewaylog.search.stream import Setting
    from gatewaylog.search.tree import Search as Searched
    from gatewaylog.search.values import Record

State: TypeAlias = Any  # what a gathering command has of a part; it can be pickled
_DERIVED = frozenset({"_raw", "_time"})


@runtime_checkable
class Gatherer(Protocol):
    """A command that puts records together."""

    @property
    def divisible(self) -> bool:
        """Tell whether parts of the records can be gathered in any order, and put together."""

    def gather(self, rows: Iterable[tuple[Record, int]], setting: Setting) -> State:
        """Return the state of records, each with how often it came."""

    def merged(self, states: Iterable[State], setting: Setting) -> State:
        """Return the one state that several make; they are used up for it."""

    def finish(self, states: Iterable[State], setting: Setting) -> Stream:
        """Return what the states of all parts make."""


class Gathering:
    """A plan that can be run over parts of a log.

    `names` are the fields that it reads, `time` is how much of a row's time its commands look at:
    "" for nothing, "s" for the second it is in, "ms" for all of it. `unread` counts the lines that
    could not be read, as they were gathered here.
    """

    def __init__(self, plan: Plan, singles: tuple[Command, ...], gatherer: Gatherer) -> None:
        self.plan = plan
        self.unread = 0
        self._singles = singles
        self._gatherer = gatherer
        self.time = _time_wanted(plan, singles, gatherer)
        self.names = (plan.reads or frozenset()) - _DERIVED
        search = without_words(plan.first)
        measures, told = measures_of(singles, gatherer, fields_searched(search))
        self.wanted = Wanted(
            names=self.names - measures - told,
            events=_events(search),
            time="" if "_time" in measures else self.time,
            measures=tuple(sorted(measures)),
            told=tuple(sorted(told - {"index"})),
            earliest=-math.inf if plan.earliest is None else plan.earliest,
            latest=math.inf if plan.latest is None else plan.latest,
            highest=_highest(gatherer),
        )
        self._test = search_test(search)
        self._times = 1

    def state(
        self,
        blocks: Iterable[bytes],
        *,
        clean: Callable[[bytes], bytes] = bytes,
        also: Mapping[str, str] | None = None,
    ) -> State:
        """Return what `blocks` of lines give.

        `clean` takes away what may stand before a line; each row has the fields `also`.
        """
        alone = Together([self])
        (state,) = alone.states(blocks, clean=clean, also=also)
        self.unread += alone.unread
        return state

    def state_of(
        self,
        takings: Iterable[Taken],
        *,
        matched: bool = False,
        also: Mapping[str, str] | None = None,
    ) -> State:
        """Return what rows give that another engine has counted: of the plan's range, with the
        fields `names` and so much `time`.

        `matched`: they are known to match the search, of whose fields they need none then.
        """
        return self._gathered(self._records_of(takings, also or {}, matched=matched))

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Tell whether a row with these fields matches the search."""
        return self._test(b"", fields)

    def merged(self, states: Iterable[State]) -> State:
        """Return the one state that several make; they are used up for it."""
        return self._gatherer.merged(states, self.plan.setting)

    def _gathered(self, records: Iterator[Record]) -> State:
        stream = Stream(records)
        for command in self._singles:
            stream = command.run(stream, self.plan.setting)
        # Each record is drawn through the commands by itself, so that it is the last one taken.
        rows = ((record, self._times) for record in stream.rows)
        return self._gatherer.gather(rows, self.plan.setting)

    def result(self, states: Iterable[State]) -> Result:
        """Return what the query gives, from what all parts gave. Raises QueryError."""
        setting = self.plan.setting
        stream = self._gatherer.finish(states, setting)
        for command in self.plan.commands[len(self._singles) + 1 :]:
            stream = command.run(stream, setting)
        return Result(stream.columns, stream.rows, stream.kind, stream.axis)

    def _records_of(
        self, takings: Iterable[Taken], also: Mapping[str, str], *, matched: bool = False
    ) -> Iterator[Record]:
        for taken in takings:
            fields: Record = {**taken.fields, **also}
            if matched or self._test(b"", fields):
                if self.time:
                    moment = taken.time
                    fields["_time"] = moment if moment % 1 else int(moment)
                fields |= cast("Record", taken.beside)
                self._times = taken.times
                yield fields


def gathering_of(plan: Plan) -> Gathering | None:
    """Return how `plan` can be run over parts of a log, None where it can't: `hindrance`."""
    at = next((at for at, each in enumerate(plan.commands) if isinstance(each, Gatherer)), None)
    if at is None or hindrance(plan):
        return None
    return Gathering(plan, plan.commands[:at], cast("Gatherer", plan.commands[at]))


def hindrance(plan: Plan) -> QueryError | None:
    """Return why `plan` can't be run over parts of a log, with the place, None where it can."""
    found = _hindering_command(plan) or _hindering_term(plan)
    if found is None:
        return None
    place, message = found
    return QueryError(plan.query, place.start, place.end - place.start, message)


def _hindering_command(plan: Plan) -> tuple[Token, str] | None:
    for at, (command, name) in enumerate(zip(plan.commands, plan.names, strict=True)):
        if isinstance(command, Sort) and (at or not command.decides(_needed(plan, at))):
            return name, "this asks for events in an order"
        if isinstance(command, Gatherer):
            return None if command.divisible else _hindering_part(command, name)
        if not _is_single(command):
            return name, "this asks for events in an order, or for all of them"
        if not _is_told(plan.reads) and not _is_told(command.reads(frozenset())):
            return name, "this asks for the line itself, or for fields that it does not name"
    return Token("", len(plan.query), len(plan.query)), "a command that counts is missing here"


def _hindering_part(command: Gatherer, name: Token) -> tuple[Token, str]:
    if isinstance(command, (Stats, Chart, Timechart)):
        for part in command.aggregations:
            if not part.divisible:
                return part.place, "this asks for events in an order"
    return name, "this asks for all events"


def _hindering_term(plan: Plan) -> tuple[Token, str] | None:
    for part in leaves(without_words(plan.first)):
        if isinstance(part, Words):
            return part.place, "a word beside fields, under one OR or NOT, asks for the line itself"
        if part.name in _DERIVED:
            return part.place, f"{part.name} can't be searched for here"
    if not _is_told(plan.reads):
        return Token("", len(plan.query), len(plan.query)), "this asks for the line itself"
    return None


def _is_told(needed: Needed) -> bool:
    """Tell whether fields are needed whose names are known, and not the line itself."""
    return needed is not None and "_raw" not in needed


def _needed(plan: Plan, at: int) -> Needed:
    """Return the fields that are needed of what the command at a place gives."""
    needed: Needed = None
    for command in reversed(plan.commands[at + 1 :]):
        needed = command.reads(needed)
    return needed


def _is_single(command: Command) -> bool:
    """Tell whether a command makes one record or none of each, whatever came before."""
    if isinstance(command, Fillnull):
        return bool(command.fields)
    if isinstance(command, Bin):
        return command.span is not None
    return isinstance(command, (Eval, Fields, Rename, Rex, Search, Where))


def _highest(gatherer: Gatherer) -> tuple[str, int] | None:
    """Return which field's highest numbers are wanted, and how many of them, if that is all."""
    if not isinstance(gatherer, Sort):
        return None
    key = gatherer.keys[0]
    ranked = key.descending and key.kind in {"auto", "num"} and key.field in NUMERIC
    return (key.field, gatherer.limit) if ranked else None


def _events(search: Searched) -> frozenset[str]:
    """Return the names of the events of which lines may match, written with no more fields than
    their layout has.
    """
    parts = search.parts if isinstance(search, All) else (search,)
    return frozenset(
        layout.name for layout in LAYOUTS if all(_may_match(part, layout) for part in parts)
    )


def _may_match(part: Searched, layout: Layout) -> bool:
    """Tell whether lines of a layout may match, told by the event's name where that decides."""
    held = {field.key for field in (*layout.fields, WRITER, SEQ)}
    return bool(fields_searched(part) & held) or search_test(part)(b"", {"Event": layout.name})


def _time_wanted(plan: Plan, singles: tuple[Command, ...], gatherer: Gatherer) -> str:
    """Return how much of a row's time the commands look at: "", "s" for its second, or "ms"."""
    if "_time" not in (plan.reads or ()):
        return ""
    read = any("_time" in (command.reads(frozenset()) or ()) for command in singles)
    charted = isinstance(gatherer, Timechart) and gatherer.by_seconds
    return "ms" if read or not charted else "s"
