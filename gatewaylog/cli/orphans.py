"""`gatewaylog orphans [FILE…]`: requests without an end, and ends without a request."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.output.choosing import TABLES, refuse_parquet
from gatewaylog.events import LAYOUT_OF, IncomingRequest
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.output import Screen
    from gatewaylog.cli.verbs import Parser
    from gatewaylog.reader import Orphan, Pairing
    from gatewaylog.search.values import Record

EXAMPLE = """\
  gatewaylog orphans logs/ --grace 5m

An INCOMING_REQUEST is an orphan when it has no terminal event and is older than
--grace at the newest event read. The exit status is 1 where there are any."""

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
    parser.add_argument("--output", choices=TABLES, default="auto", help="as of search")


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ArgumentTypeError("must be a time such as 500ms, 60s, 5m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def run(options: Namespace) -> int:
    """Name the orphans, oldest first; return 1 where there are any."""
    from gatewaylog.cli.output import Screen, show
    from gatewaylog.cli.unread import SHOWN_BY_SEARCH, tell_unread
    from gatewaylog.formats import Line
    from gatewaylog.reader import Pairing, lines_of
    from gatewaylog.search import Result

    refuse_parquet(options.output, "orphans")
    pairing, unread = Pairing(), 0
    for entry in lines_of(logs.sources_of(options, "orphans")):
        if isinstance(entry.line, Line):
            pairing.add(entry.line)
        else:
            unread += 1
    found = pairing.orphans(grace=options.grace)
    screen = Screen.of_output()
    if options.output == "auto" and screen.terminal:
        _print(found, screen)
    else:
        show(Result(_COLUMNS, map(_row, found), "table"), options.output, verb="orphans")
    _remark(pairing, found)
    tell_unread(unread, SHOWN_BY_SEARCH)
    return 1 if found else 0


def _print(found: list[Orphan], screen: Screen) -> None:
    """Print a line for each, as `tail` does; its short id is one that `show` takes."""
    from gatewaylog.cli.event_lines import EventLines

    lines = EventLines(colour=screen.colour, encoding=screen.encoding)
    for orphan in found:
        print(f"{orphan.fault:<{len('no beginning')}}  {lines.shown(orphan.exchange.lines[0])}")
    if not found:
        print("no orphans")
    sys.stdout.flush()


def _row(orphan: Orphan) -> Record:
    line = orphan.exchange.lines[0]
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


def _remark(pairing: Pairing, found: list[Orphan]) -> None:
    """Say what bounds the answer."""
    if pairing.unpaired_errors and any(orphan.fault == "no end" for orphan in found):
        notice(
            f"ERRORs without ResponseTo, which can't be paired: {pairing.unpaired_errors};"
            " each may be the end of a request that seems to have none"
        )
    if pairing.begun_before:
        notice(f"begun before the log, no orphans: {pairing.begun_before}")
