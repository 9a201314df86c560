"""An exchange or an event as one line that a person can read.

What tells most comes first, so that it is seen on a narrow terminal: time, how it ended, how long
it took, what was asked for; then the backend, what went wrong, the client, and the id for `show`.

What stands in a log was sent by anyone: no character of it reaches the terminal that could do
anything there but be seen.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.cli.output.widths import cut, width_of
from gatewaylog.cli.terminal import painted, printable
from gatewaylog.events import IncomingRequest, LogLoss, RequestComplete, RequestError
from gatewaylog.formats import Unparsed, parse_line
from gatewaylog.reader.exchanges import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.cli.terminal import Colour
    from gatewaylog.events import CallEvent
    from gatewaylog.formats import Line

_WIDEST_API = 32
_LONGEST_UNREAD = 200  # characters that are shown of a line that can't be read
_URN = "urn:uuid:"


class _Cell(NamedTuple):
    """A part of a line: padded to `width`, on its left where `right`."""

    text: str
    width: int = 0
    colour: Colour | None = None
    right: bool = False

    def shown(self, *, colour: bool, shortened: Callable[[str], str]) -> str:
        text = shortened(printable(self.text))
        padded = text.rjust(self.width) if self.right else text.ljust(self.width)
        return painted(padded, self.colour if colour else None)


class EventLines:
    """Makes lines readable; counts in `unread` those that can't be.

    Texts that take more than `longest` columns are cut in their middle; 0: none is.
    """

    def __init__(self, *, colour: bool, encoding: str = "utf-8", longest: int = 0) -> None:
        self.unread = 0
        self._colour = colour
        self._marks = _marks(encoding)
        self._arrow = "→" if self._marks[IncomingRequest][0] == "▸" else "->"
        self._api_width = 0
        self._longest = longest
        self._gap = "…" if self._arrow == "→" else "..."

    def readable(self, raw: bytes) -> str:
        """Return a log's line, in whatever format it is, as a line for a person."""
        line = parse_line(raw.rstrip(b"\r\n"))
        return self._joined(self._unread(line)) if isinstance(line, Unparsed) else self.shown(line)

    def shown(self, line: Line) -> str:
        """Return a line that was read as one for a person."""
        return self.exchange(Exchange(terminal=line))

    def exchange(self, exchange: Exchange) -> str:
        """Return how an exchange ended, or that it began, as one line."""
        return self._joined(self._cells(exchange))

    def _joined(self, cells: list[_Cell]) -> str:
        shown = (cell.shown(colour=self._colour, shortened=self.shortened) for cell in cells)
        return " ".join(shown).rstrip()

    def shortened(self, text: str) -> str:
        """Return a printable text, without its middle where it is too long."""
        if not self._longest or width_of(text) <= self._longest:
            return text
        room = self._longest - len(self._gap)
        end = cut(text[::-1], room // 2)[::-1]
        return cut(text, room - width_of(end)) + self._gap + end

    def _unread(self, line: Unparsed) -> list[_Cell]:
        self.unread += 1
        text = line.raw.decode("utf-8", "surrogateescape")
        if len(text) > _LONGEST_UNREAD:
            text = text[:_LONGEST_UNREAD] + "…"
        return [_Cell(f"? can't be read ({line.reason}):", colour="yellow"), _Cell(text)]

    def _cells(self, exchange: Exchange) -> list[_Cell]:
        line = exchange.lines[-1]
        event = line.event
        if isinstance(event, LogLoss):
            return _loss(line.time, event)
        api = event.api or "-"
        self._api_width = max(self._api_width, min(len(api), _WIDEST_API))
        mark, colour = self._marks[type(event)]
        return [
            _Cell(_clock(line.time), colour="dim"),
            _Cell(mark, colour=colour),
            *_status_and_duration(exchange, event),
            _Cell(api, self._api_width, "bold"),
            _Cell(event.request_in_method or "-"),
            _Cell(event.request_in_url or "-"),
            *self._backend(event),
            *_remarks(event),
            _Cell(event.remote_ip or "-", colour="dim"),
            _Cell(_short_id(event), colour="dim"),
        ]

    def _backend(self, event: CallEvent) -> list[_Cell]:
        """Return where the gateway sent it."""
        if isinstance(event, IncomingRequest) or event.request_out_url is None:
            return []
        return [_Cell(self._arrow, colour="dim"), _Cell(event.request_out_url)]


def _loss(time: datetime, event: LogLoss) -> list[_Cell]:
    """Return what is shown in place of events that could not be written."""
    return [
        _Cell(_clock(time), colour="dim"),
        _Cell("!", colour="red"),
        _Cell(f"LOG_LOSS: {event.lost} events were not written: {event.reason}", colour="red"),
    ]


def _marks(encoding: str) -> dict[type, tuple[str, Colour]]:
    marks = "▸✓✗"
    try:
        marks.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        marks = ">+x"
    return {
        IncomingRequest: (marks[0], "cyan"),
        RequestComplete: (marks[1], "green"),
        RequestError: (marks[2], "red"),
    }


def _clock(time: datetime) -> str:
    """Return the time of day here, with the date where that is not today's."""
    try:
        local = time.astimezone()
    except (OverflowError, ValueError, OSError):
        return time.isoformat(sep=" ", timespec="milliseconds")
    text = local.isoformat(sep=" ", timespec="milliseconds")[:23]
    return text[11:] if local.date() == datetime.now().astimezone().date() else text


def _short_id(event: CallEvent) -> str:
    """Return the beginning of the id that the events of a call have in common."""
    linked = None if isinstance(event, IncomingRequest) else event.response_to
    return (linked or event.message_id or "-").removeprefix(_URN)[:8]


def _status_and_duration(exchange: Exchange, event: CallEvent) -> tuple[_Cell, _Cell]:
    if isinstance(event, IncomingRequest):
        return _Cell("", 3), _Cell("", 9)
    status = event.status_code
    shown = _Cell("-" if status is None else str(status), 3, _colour_of(status))
    return shown, _duration(_milliseconds(exchange, event))


def _colour_of(status: int | None) -> Colour:
    if status is None:
        return "dim"
    if status < 400:
        return "green"
    return "red" if status > 499 else "yellow"


def _milliseconds(exchange: Exchange, event: RequestComplete | RequestError) -> float | None:
    """Return how long it took, where the log does not tell, as WSO2's own, from its two lines."""
    if event.duration_ms is not None or exchange.incoming is None or exchange.terminal is None:
        return event.duration_ms
    return (exchange.terminal.time - exchange.incoming.time).total_seconds() * 1000


def _duration(milliseconds: float | None) -> _Cell:
    if milliseconds is None:
        return _Cell("", 9)
    seconds = milliseconds / 1000
    text = f"{seconds:.1f} s" if seconds >= 1 else f"{milliseconds:.1f} ms"
    return _Cell(text, 9, right=True)


def _remarks(event: CallEvent) -> list[_Cell]:
    """Return why the gateway answered itself, and how the exchange ended if not as usual."""
    cells = []
    if isinstance(event, RequestError):
        reason = f"{event.error_code or '-'} {event.error_message or '-'} ({event.error_source})"
        cells.append(_Cell(reason, colour="red"))
    if not isinstance(event, IncomingRequest) and event.outcome not in {None, "complete"}:
        cells.append(_Cell(event.outcome or "", colour="yellow"))
    return cells
