"""Exchanges one by one, each when its end is known: as lines come, and the last that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.events import IncomingRequest, RequestComplete, RequestError
from gatewaylog.reader.exchanges import Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.events import Event
    from gatewaylog.formats import Line

PATIENCE = 1.0  # seconds that a request waits for its end before it is told by itself
_MOST_OPEN = 100_000  # requests whose end is waited for: about 100 MB
_MORE = 2000  # lines that are read beyond the last exchanges for how these began


class Arriving:
    """Gives exchanges as they end, and those that stay open by themselves.

    An exchange is given where one of its events is wanted. One without its INCOMING_REQUEST is
    given as it is. Of more than 100,000 open ones the oldest are forgotten once they were given.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._open: dict[str, Line] = {}  # those that were wanted
        self._since: dict[str, float] = {}  # when each came that was not given yet

    def take(self, line: Line, now: float, *, wanted: bool = True) -> Iterator[Exchange]:
        """Take the next line; yield what it makes known. `now` is the clock's, in seconds."""
        event = line.event
        if isinstance(event, IncomingRequest):
            if not wanted:
                return
            if event.message_id is None or event.message_id in self._open:
                yield Exchange(incoming=line)
                return
            self._open[event.message_id] = line
            self._since[event.message_id] = now
            if len(self._open) > _MOST_OPEN:
                yield from self._forgotten()
            return
        linked = _linked(event)
        incoming = None if linked is None else self._open.pop(linked, None)
        if incoming is not None and linked is not None:
            self._since.pop(linked, None)
        if wanted or incoming is not None:
            yield Exchange(incoming=incoming, terminal=line)

    def _forgotten(self) -> Iterator[Exchange]:
        oldest = next(iter(self._open))
        line = self._open.pop(oldest)
        if self._since.pop(oldest, None) is not None:
            yield Exchange(incoming=line)

    def waiting(self, now: float) -> Iterator[Exchange]:
        """Yield the exchanges that have been open for too long and were not given yet."""
        while self._since:
            identity, since = next(iter(self._since.items()))
            if now - since < self._patience:
                return
            del self._since[identity]
            yield Exchange(incoming=self._open[identity])

    def rest(self) -> Iterator[Exchange]:
        """Yield all that are open and were not given yet."""
        return self.waiting(float("inf"))


class Last:
    """The last exchanges of logs that are read newest first.

    They are those whose last wanted line stands last. `is_enough` tells when no further line has
    to be read for them.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._found: list[Exchange] = []
        self._place: dict[str, int] = {}
        self._more = _MORE

    def take(self, line: Line, *, wanted: bool = True) -> None:
        """Take the line before the one that was taken last."""
        event = line.event
        if self.is_full:
            self._more -= 1
        if isinstance(event, IncomingRequest):
            place = self._place.pop(event.message_id or "", None)
            if place is not None:
                terminal = self._found[place].terminal
                self._found[place] = Exchange(incoming=line, terminal=terminal)
            elif wanted:
                self._add(Exchange(incoming=line), None)
        elif wanted:
            linked = _linked(event)
            self._add(Exchange(terminal=line), linked)

    def _add(self, exchange: Exchange, identity: str | None) -> None:
        if self.is_full:
            return
        if identity is not None:
            self._place.setdefault(identity, len(self._found))
        self._found.append(exchange)

    @property
    def is_full(self) -> bool:
        """Tell whether there are as many as were wanted; only how they began may be missing."""
        return len(self._found) >= self._count

    def is_enough(self) -> bool:
        """Tell whether no more lines are needed."""
        if not self.is_full:
            return False
        return self._more <= 0 or not any(map(_lacks_its_duration, self._found))

    def exchanges(self) -> list[Exchange]:
        """Return them, oldest first."""
        return self._found[::-1]


def _linked(event: Event) -> str | None:
    return event.response_to if isinstance(event, (RequestComplete, RequestError)) else None


def _lacks_its_duration(exchange: Exchange) -> bool:
    event = exchange.terminal.event if exchange.terminal and not exchange.incoming else None
    if not isinstance(event, (RequestComplete, RequestError)):
        return False
    return event.duration_ms is None and event.response_to is not None
