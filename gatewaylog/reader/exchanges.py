"""The two events of an exchange, put together again by ResponseTo; and those that stay alone."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from gatewaylog.events import IncomingRequest, RequestComplete, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from gatewaylog.formats import Line

GRACE = 60.0  # seconds
_TICK = timedelta(milliseconds=1)  # what a line's time is cut to
_REMEMBERED = 100_000  # ids of ended exchanges by which a double is known: about 20 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and how it ended, as far as the log tells: at least one line is there."""

    incoming: Line | None = None
    terminal: Line | None = None

    @property
    def id(self) -> str | None:
        """The MessageID of the INCOMING_REQUEST, which the terminal event's ResponseTo repeats."""
        if self.incoming is not None:
            return self.incoming.event.message_id
        return _response_to(self.terminal) if self.terminal is not None else None

    @property
    def begun(self) -> datetime | None:
        """When it came in; without that line, when it ended less DurationMs; None: not known."""
        if self.incoming is not None:
            return self.incoming.time
        return _begun(self.terminal) if self.terminal is not None else None

    @property
    def ended(self) -> datetime | None:
        """When its terminal event was written."""
        return self.terminal.time if self.terminal is not None else None

    @property
    def lines(self) -> tuple[Line, ...]:
        """Its lines, in their order."""
        return tuple(line for line in (self.incoming, self.terminal) if line is not None)


Fault = Literal["no end", "no beginning", "double", "ended late"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """An exchange that is not whole, and what is wrong with it; or that ended after all, late."""

    exchange: Exchange
    fault: Fault


class Pairing:
    """Puts exchanges together from lines as they come.

    Only open exchanges are held, about 1 kB each, the terminal events that have no beginning, and
    the ids of the last 100,000 that ended: the worst is a log in which nothing ends, such as one
    whose ERRORs all carry no ResponseTo. A double behind more than that is told as one without a
    beginning.
    """

    def __init__(self) -> None:
        self.first: datetime | None = None
        """The earliest time of a line."""
        self.newest: datetime | None = None
        """The latest time of a line."""
        self.unpaired_errors = 0
        """ERRORs of a known API without a ResponseTo, as the seed's own: any of them may be the
        end of an exchange that seems to have none."""
        self.begun_before = 0
        """Terminal events whose exchange began before the log does; counted by `orphans`."""
        self._open: dict[str, Line] = {}
        self._alone: dict[str, Line] = {}  # terminal events, by ResponseTo
        self._doubles: list[Exchange] = []
        self._ended: OrderedDict[str, None] = OrderedDict()

    @property
    def open(self) -> int:
        """How many exchanges have not ended yet."""
        return len(self._open)

    def add(self, line: Line) -> Exchange | None:
        """Take the next line; return the exchange that it makes whole, or that has no more to it.

        That is None for an INCOMING_REQUEST, whose end is to come, for a double, and for what is
        neither. An exchange without its INCOMING_REQUEST is returned with that missing.
        """
        if self.first is None or line.time < self.first:
            self.first = line.time
        if self.newest is None or line.time > self.newest:
            self.newest = line.time
        if isinstance(line.event, IncomingRequest):
            return self._begin(line, line.event.message_id)
        if isinstance(line.event, (RequestComplete, RequestError)):
            return self._end(line, line.event.response_to)
        return None

    def _begin(self, line: Line, identity: str | None) -> Exchange | None:
        if identity is None:
            return None  # nothing can refer to it
        if identity in self._open or identity in self._ended:
            self._doubles.append(Exchange(incoming=line))
            return None
        terminal = self._alone.pop(identity, None)  # of a file that was read before
        if terminal is None:
            self._open[identity] = line
            return None
        self._remember(identity)
        return Exchange(incoming=line, terminal=terminal)

    def _end(self, line: Line, identity: str | None) -> Exchange | None:
        if identity is None:
            if isinstance(line.event, RequestError) and line.event.api is not None:
                self.unpaired_errors += 1
            return Exchange(terminal=line)
        incoming = self._open.pop(identity, None)
        if incoming is not None:
            self._remember(identity)
        elif identity in self._ended or identity in self._alone:
            self._doubles.append(Exchange(terminal=line))
            return None
        else:
            self._alone[identity] = line
        return Exchange(incoming=incoming, terminal=line)

    def _remember(self, identity: str) -> None:
        self._ended[identity] = None
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)

    def unended(self) -> Iterator[Exchange]:
        """Yield the exchanges that have not ended, in the order of their lines."""
        return (Exchange(incoming=line) for line in self._open.values())

    def orphans(self, *, grace: float = GRACE, now: datetime | None = None) -> list[Orphan]:
        """Return what is not whole, by time: exchanges without an end that are `grace` seconds old
        or older at `now` (None: at the newest line; with 0 that is all), without a beginning, and
        doubles.

        A terminal event whose time less DurationMs lies before the first line is no orphan, nor
        is one without DurationMs within `grace` of the first line.
        """
        last, allowed = now or self.newest, timedelta(seconds=grace)
        found = [Orphan(exchange=exchange, fault="double") for exchange in self._doubles]
        found += [
            Orphan(exchange=exchange, fault="no end")
            for exchange in self.unended()
            if last is not None and last - exchange.lines[0].time >= allowed
        ]
        alone = [line for line in self._alone.values() if not self._is_before(line, allowed)]
        self.begun_before = len(self._alone) - len(alone)
        found += [Orphan(exchange=Exchange(terminal=line), fault="no beginning") for line in alone]
        return sorted(found, key=lambda orphan: orphan.exchange.lines[0].time)

    def _is_before(self, line: Line, grace: timedelta) -> bool:
        begun = _begun(line) or line.time - grace
        return self.first is not None and begun < self.first + _TICK


def paired(lines: Iterable[Line]) -> Iterator[Exchange]:
    """Yield each exchange as it ends, then those that did not; doubles are left out."""
    pairing = Pairing()
    for line in lines:
        exchange = pairing.add(line)
        if exchange is not None:
            yield exchange
    yield from pairing.unended()


def _response_to(line: Line) -> str | None:
    event = line.event
    return event.response_to if isinstance(event, (RequestComplete, RequestError)) else None


def _begun(line: Line) -> datetime | None:
    event = line.event
    duration = event.duration_ms if isinstance(event, (RequestComplete, RequestError)) else None
    if duration is None:
        return None
    try:
        return line.time - timedelta(milliseconds=duration)
    except OverflowError:
        return None  # a line may say anything
