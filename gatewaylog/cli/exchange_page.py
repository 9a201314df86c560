"""One exchange on a page: what happened, then the fields of its events and the time between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli.output.cells import stamp
from gatewaylog.cli.terminal import painted, printable
from gatewaylog.events import IncomingRequest, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.cli.terminal import Colour
    from gatewaylog.formats import Line
    from gatewaylog.reader import Exchange

_WIDTH = 18  # of the longest name of a field, and two


def page_of(exchange: Exchange, *, colour: bool) -> Iterator[str]:
    """Yield the lines of the page."""
    yield _painted(_summary(exchange), "bold", colour=colour)
    before: Line | None = None
    for line in exchange.lines:
        between = "" if before is None else f"  +{_milliseconds(before, line)} ms"
        name, mark = _name_and_colour(line)
        yield ""
        yield f"{_painted(name, mark, colour=colour)}  {stamp(line.time.timestamp())}{between}"
        yield from _fields(line, colour=colour)
        before = line
    for missing in _missing(exchange):
        yield ""
        yield _painted(missing, "yellow", colour=colour)


def _painted(text: str, name: Colour, *, colour: bool) -> str:
    return painted(printable(text), name if colour else None)


def _milliseconds(before: Line, line: Line) -> str:
    return f"{(line.time - before.time).total_seconds() * 1000:.3f}".rstrip("0").rstrip(".")


def _summary(exchange: Exchange) -> str:
    """Return what was asked for, where it went, and how it ended."""
    event = exchange.lines[0].call
    parts = [event.request_in_method or "-", event.request_in_url or "-"]
    terminal = exchange.terminal.call if exchange.terminal else None
    if terminal is not None and not isinstance(terminal, IncomingRequest):
        if terminal.request_out_url is not None:
            parts += ["→", terminal.request_out_method or "-", terminal.request_out_url]
        parts += ["→", "-" if terminal.status_code is None else str(terminal.status_code)]
        if isinstance(terminal, RequestError):
            parts.append(f"{terminal.error_code or '-'} {terminal.error_message or '-'}")
        if terminal.outcome is not None:
            parts.append(terminal.outcome)
        if terminal.duration_ms is not None:
            parts.append(f"{terminal.duration_ms:g} ms")
    return " ".join(parts)


def _name_and_colour(line: Line) -> tuple[str, Colour]:
    if isinstance(line.event, IncomingRequest):
        return "INCOMING_REQUEST", "cyan"
    if isinstance(line.event, RequestError):
        return "ERROR", "red"
    return "REQUEST_COMPLETE", "green"


def _fields(line: Line, *, colour: bool) -> Iterator[str]:
    for name, value in line.pairs:
        if name != "Event" and value is not None:
            shown = _painted(f"{name:<{_WIDTH}}", "dim", colour=colour)
            yield f"  {shown}{printable(str(value))}"


def _missing(exchange: Exchange) -> Iterator[str]:
    if exchange.terminal is None:
        yield "no terminal event: not ended yet, or cut off"
    elif exchange.incoming is None:
        event = exchange.terminal.call
        if not isinstance(event, IncomingRequest) and event.response_to is None:
            yield "no INCOMING_REQUEST belongs to it: this event has no ResponseTo"
        else:
            yield "its INCOMING_REQUEST is not in what was read"
