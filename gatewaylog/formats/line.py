"""What all formats share: options, the parsed line, and how long values are cut."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, cast

from gatewaylog.events import (
    CHAIN,
    LAYOUT_NAMED,
    LAYOUT_OF,
    SEQ,
    TRUNCATED,
    WRITER,
    CallEvent,
    Event,
    LogLoss,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Value: TypeAlias = str | int | float | None
Pair: TypeAlias = tuple[str, Value]

_WHOLE = frozenset({"Event", WRITER.key})  # values that are never cut
_NUMBERS = {
    int: re.compile(r"-?[0-9]+"),
    float: re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]{1,2})?"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOptions:
    """What a line looks like.

    `fields` is "full" or "seed". `max_value_length` counts characters of a value, `max_line`
    bytes of a whole line.
    """

    fields: str = "full"
    node: str = "AM"
    logger: str = "gatewaylog.AccessLogWriter"
    max_value_length: int = 4096
    max_line: int = 9500


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that was read. What its format does not carry is None.

    `writer` is the run of a process that wrote it, and `seq` its number among the lines of that.
    `chain` is of the line as it was written: no format writes it again.
    """

    time: datetime
    event: Event
    writer: str | None = None
    seq: int | None = None
    chain: str | None = None
    node: str | None = None
    thread: str | None = None
    logger: str | None = None
    level: str | None = None

    @property
    def call(self) -> CallEvent:
        """The event, where it tells of a call. Raises TypeError for a LOG_LOSS, which does not."""
        if isinstance(self.event, LogLoss):
            raise TypeError("a LOG_LOSS tells of no call")
        return self.event

    @property
    def pairs(self) -> list[Pair]:
        """All keys and values, in the order in which they stand on the line."""
        pairs = _numbered(pairs_of(self.event, "full"), self.writer, self.seq)
        return pairs if self.chain is None else [*pairs, (CHAIN.key, self.chain)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unparsed:
    """A line that can't be read: where it stands, what it holds, and why."""

    number: int
    raw: bytes = field(repr=False)
    reason: str


class Format(Protocol):
    """One way to write events."""

    def encode(
        self, event: Event, now: float, thread: str, writer: str = "", seq: int = 0
    ) -> bytes:
        """Return the event's line, written at `now` (seconds since the epoch) by `thread`.

        It is the line `seq` of `writer`; without a writer neither stands on it.
        """


class Stamped(ABC):
    """A format whose lines begin with a time in UTC; node, thread and logger have no place."""

    def __init__(self, options: LineOptions) -> None:
        self._options = options

    def encode(
        self, event: Event, now: float, thread: str, writer: str = "", seq: int = 0
    ) -> bytes:
        """Return the event's line; `thread` has no place in it."""
        pairs = numbered_pairs(event, self._options.fields, writer, seq)
        return self._render(pairs, _stamp(datetime.fromtimestamp(now, UTC)))

    def write(self, line: Line) -> bytes:
        """Return a parsed line with its own time."""
        pairs = numbered_pairs(line.event, self._options.fields, line.writer, line.seq)
        return self._render(pairs, _stamp(line.time.astimezone(UTC)))

    @abstractmethod
    def _render(self, pairs: list[Pair], stamp: str) -> bytes:
        """Return the line of these pairs, written at `stamp` (RFC 3339)."""


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class Unreadable(ValueError):
    """Inside a parser: why this line can't be read."""


def pairs_of(event: Event, fields: str) -> list[Pair]:
    """Return the event's keys and values in the order of the line, `Event` among them."""
    layout = LAYOUT_OF[type(event)]
    full = fields == "full"
    pairs: list[Pair] = [
        (field.key, value)
        for field, value in zip(layout.fields, event[:-1], strict=True)
        if (full or field.seed) and (value is not None or field.always)
    ]
    pairs.insert(layout.before_name, ("Event", layout.name))
    if full:
        pairs.extend(event.extra)
    return pairs


def numbered_pairs(event: Event, fields: str, writer: str | None, seq: int | None) -> list[Pair]:
    """Return the event's pairs, with `"full"` also whose line it is, where that is known."""
    pairs = pairs_of(event, fields)
    return _numbered(pairs, writer, seq) if fields == "full" else pairs


def _numbered(pairs: list[Pair], writer: str | None, seq: int | None) -> list[Pair]:
    added: list[Pair] = [
        (field.key, value)
        for field, value in ((WRITER, writer or None), (SEQ, seq if writer else None))
        if value is not None
    ]
    at = len(pairs) - (pairs[-1][0] == TRUNCATED)
    return [*pairs[:at], *added, *pairs[at:]] if added else pairs


class Told(NamedTuple):
    """What the pairs of a line tell."""

    event: Event
    writer: str | None
    seq: int | None
    chain: str | None


def told_by(pairs: Iterable[Pair]) -> Told:
    """Make of `pairs` what `numbered_pairs` took, and Chain. Raises Unreadable."""
    found: dict[str, Value] = {}
    for key, value in pairs:
        if key in found:
            raise Unreadable(f"{key} stands twice")
        found[key] = value
    name = found.pop("Event", None)
    layout = LAYOUT_NAMED.get(name) if isinstance(name, str) else None
    if layout is None:
        raise Unreadable("no Event" if name is None else "unknown Event")
    *known, writer, seq, chain = (
        _typed(found.pop(field.key, None), field.kind, field.key)
        for field in (*layout.fields, WRITER, SEQ, CHAIN)
    )
    extra = tuple((key, _typed(value, str, key)) for key, value in found.items())
    event = layout.kind._make([*known, extra])
    return Told(
        event, cast("str | None", writer), cast("int | None", seq), cast("str | None", chain)
    )


def _typed(value: object, kind: type[str | int | float], key: str) -> Value:
    if value is None:
        return None
    if not isinstance(value, (str, int, float)):
        raise Unreadable(f"{key} holds no single value")
    text = str(value)
    if kind is str:
        return text
    if not _NUMBERS[kind].fullmatch(text):
        raise Unreadable(f"{key} is no number")
    return kind(text)


def moment_of(text: str) -> datetime:
    """Return the moment that RFC 3339 `text` tells, in UTC. Raises Unreadable."""
    try:
        moment = datetime.fromisoformat(text)
        utc = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable(f"{text!r} is no time") from None
    if moment.tzinfo is None:
        raise Unreadable(f"{text!r} has no offset from UTC")
    return utc


def fitted(
    pairs: list[Pair],
    options: LineOptions,
    render: Callable[[list[Pair]], str],
    escape: Callable[[str], str],
) -> str:
    """Render `pairs`, their values cut as far as the limits want it.

    Values over `max_value_length` characters are cut there, but for Event and Writer. A line still
    over `max_line` bytes has its values cut to a quarter of that limit, then to a sixteenth, as
    `escape` writes them.
    What was cut is told by the last pair, Truncated.
    """
    line = render(_marked(pairs, _cut_to_length(pairs, options.max_value_length), options.fields))
    for share in (4, 16):
        if len(line.encode("utf-8", "surrogatepass")) <= options.max_line:
            break
        cut = _cut_to_length(pairs, options.max_value_length)
        room = options.max_line // share
        cut = [
            (key, value if key in _WHOLE else _cut_to_room(value, room, escape))
            for key, value in cut
        ]
        line = render(_marked(pairs, cut, options.fields))
    return line


def _cut_to_length(pairs: list[Pair], limit: int) -> list[Pair]:
    return [
        (key, value[:limit] if isinstance(value, str) and key not in _WHOLE else value)
        for key, value in pairs
    ]


def _cut_to_room(value: Value, room: int, escape: Callable[[str], str]) -> Value:
    if not isinstance(value, str):
        return value

    def written(length: int) -> int:
        return len(escape(value[:length]).encode())

    if written(len(value)) <= room:
        return value
    return value[: bisect_right(range(room + 1), room, key=written) - 1]


def _marked(whole: list[Pair], cut: list[Pair], fields: str) -> list[Pair]:
    lengths = [
        f"{key}:{len(str(before))}"
        for (key, before), (_, after) in zip(whole, cut, strict=True)
        if before != after
    ]
    return [*cut, (TRUNCATED, ";".join(lengths))] if lengths and fields == "full" else cut


def number_text(value: float) -> str:
    """Return a count as it is, milliseconds with three decimals."""
    return str(value) if isinstance(value, int) else f"{value:.3f}"
