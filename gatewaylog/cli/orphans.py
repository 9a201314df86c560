"""`gatewaylog orphans [FILE…]`: requests without an end, and ends without a request."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from gatewaylog.cli import logs, span
from gatewaylog.cli.verbs import WrongCall
from gatewaylog.events import LAYOUT_OF, IncomingRequest
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from gatewaylog.cli.output import Screen
    from gatewaylog.cli.terminal import Colour
    from gatewaylog.cli.verbs import Parser
    from gatewaylog.formats import Line
    from gatewaylog.reader import Orphan, Watch
    from gatewaylog.search.values import Record

EXAMPLE = """\
  gatewaylog orphans logs/ --grace 5m
  gatewaylog orphans -f

An INCOMING_REQUEST is an orphan when it has no terminal event and is --grace old
or older at the newest event read, with -f at present; with -f each is named once,
when it is so old, and again where it ends late. --grace 0s names all, which is
what a log needs whose writer was killed. A terminal event is one when its
INCOMING_REQUEST is missing, unless it began before the log. The exit status is 1
where there are any."""

OUTPUTS = ("auto", "table", "json", "ndjson", "csv", "raw")
_GRACE = 60.0  # seconds
_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d|)")
_COLUMNS = (
    "orphan",
    "_time",
    "API",
    "RequestInMethod",
    "RequestInURL",
    "RemoteIP",
    "Event",
    "MessageID",
    "ResponseTo",
)


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    logs.configure(parser)
    parser.add_argument(
        "--grace",
        metavar="DURATION",
        type=_seconds,
        default=_GRACE,
        help="how long a request may run: 500ms, 60s, 5m, 1h (60s)",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    parser.add_argument(
        "--output",
        choices=OUTPUTS,
        default="auto",
        help="auto: lines on a terminal, ndjson elsewhere; raw: the log's lines",
    )
    span.configure(parser)
    parser.add_argument(
        "--unread", action="store_true", help="show the lines that can't be read, on standard error"
    )


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ArgumentTypeError("must be a time such as 500ms, 60s, 5m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def run(options: Namespace) -> int:
    """Name the orphans, oldest first; return 1 where there are any."""
    from gatewaylog.cli.feed import Feed
    from gatewaylog.cli.output import Screen
    from gatewaylog.cli.unread import Unread
    from gatewaylog.cli.watched import Watched
    from gatewaylog.reader import Watch

    _check(options)
    unread, watch = Unread(shown=options.unread), Watch(options.grace)
    between = span.span_of(options)
    named = {"": logs.named(options, "orphans")}
    with Feed(named, between, follow=options.follow) as feed:
        watched = Watched(feed, between, watch, unread, raw=options.output == "raw")
        found = _flushed(watched.orphans(follow=options.follow))
        screen = Screen.of_output()
        try:
            _show(found, options, screen)
            if options.output == "auto" and screen.terminal and not watch.orphans:
                print("no orphans")
        except KeyboardInterrupt:
            if not options.follow:
                raise
        finally:
            _remark(watch)
            if not options.follow:
                _tell_young(watch.young, options.grace)
            unread.tell()
    return 1 if watch.orphans else 0


def _check(options: Namespace) -> None:
    if options.follow and options.until is not None:
        raise WrongCall("orphans: -f has no end: --until goes without it")
    if options.follow and options.output == "table":
        raise WrongCall("orphans: a table has an end: --output table goes without -f")


def _flushed(found: Iterable[Orphan | None]) -> Iterator[Orphan]:
    for orphan in found:
        if orphan is None:
            sys.stdout.flush()
        else:
            yield orphan


def _show(found: Iterator[Orphan], options: Namespace, screen: Screen) -> None:
    from gatewaylog.cli.line_records import raw_of
    from gatewaylog.cli.output import show
    from gatewaylog.cli.terminal import put_raw
    from gatewaylog.search import Result

    if options.output == "raw":
        for orphan in found:
            put_raw(raw_of(_line_of(orphan)))
    elif options.output == "auto" and screen.terminal:
        _print(found, screen)
    else:
        show(Result(_COLUMNS, map(_row, found), "table"), options.output, verb="orphans")


def _print(found: Iterable[Orphan], screen: Screen) -> None:
    """Print a line for each, as `tail` does; its short id is one that `show` takes."""
    from gatewaylog.cli.event_lines import EventLines
    from gatewaylog.cli.terminal import painted

    lines = EventLines(colour=screen.colour, encoding=screen.encoding, longest=screen.longest)
    for orphan in found:
        fault = f"{orphan.fault:<{len('no beginning')}}"
        colour: Colour = "green" if orphan.fault == "ended late" else "yellow"
        shown = painted(fault, colour if screen.colour else None)
        print(f"{shown}  {lines.shown(_line_of(orphan))}")


def _line_of(orphan: Orphan) -> Line:
    """Return the line that names it; that which ended it where it did, late."""
    return orphan.exchange.lines[-1 if orphan.fault == "ended late" else 0]


def _row(orphan: Orphan) -> Record:
    line = _line_of(orphan)
    event = line.call
    cells: dict[str, str | None] = {
        "orphan": orphan.fault,
        "API": event.api,
        "RequestInMethod": event.request_in_method,
        "RequestInURL": event.request_in_url,
        "RemoteIP": event.remote_ip,
        "Event": LAYOUT_OF[type(event)].name,
        "MessageID": event.message_id,
        "ResponseTo": None if isinstance(event, IncomingRequest) else event.response_to,
    }
    known: Record = {name: text for name, text in cells.items() if text is not None}
    return {"_time": line.time.timestamp(), **known}


def _tell_young(count: int, grace: float) -> None:
    """Say how many requests without an end were not named: in a log that was cut off, its last."""
    if count == 1:
        notice(f"1 request without an end is younger than --grace {grace:g}s: --grace 0s names it")
    elif count:
        notice(
            f"{count} requests without an end are younger than --grace {grace:g}s:"
            " --grace 0s names them"
        )


def _remark(watch: Watch) -> None:
    """Say what bounds the answer."""
    pairing = watch.pairing
    if pairing.unpaired_errors:
        told = f"ERRORs without ResponseTo, which can't be paired: {pairing.unpaired_errors}"
        also = "; each may be the end of a request that seems to have none"
        notice(told + also * watch.lacks_ends)
    if pairing.begun_before:
        notice(f"begun before the log, no orphans: {pairing.begun_before}")
