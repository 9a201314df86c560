"""`gatewaylog show ID [FILE…]`: everything known of one exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli import logs, span
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.output import Screen
    from gatewaylog.cli.verbs import Parser
    from gatewaylog.reader import Entry, Exchange

EXAMPLE = """\
  gatewaylog show c78c4359 logs/

ID is a MessageID of either event (its first eight characters are enough), a
RequestID or a TraceID, which may be that of several exchanges. The exit status
is 1 where there is none."""


OUTPUTS = ("auto", "table", "json", "ndjson", "csv", "raw")


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("id", metavar="ID", help="an id of the exchange")
    logs.configure(parser)
    parser.add_argument(
        "--output",
        choices=OUTPUTS,
        default="auto",
        help="auto: the page (table) on a terminal, ndjson elsewhere; raw: the log's lines",
    )
    span.configure(parser)
    parser.add_argument(
        "--unread",
        action="store_true",
        help="show the lines with the id that can't be read, on standard error",
    )


def run(options: Namespace) -> int:
    """Show the exchanges that the id is of."""
    from gatewaylog.cli.unread import Unread
    from gatewaylog.formats import Line
    from gatewaylog.reader import between, find_entries

    bounds = span.span_of(options)
    sources = between(logs.sources_of(options, "show"), *bounds)
    unread = Unread(shown=options.unread)
    entries = [
        entry
        for entry in find_entries(options.id, sources, on_unread=unread.take)
        if isinstance(entry.line, Line) and bounds.holds(entry.line)
    ]
    if entries:
        _show(entries, options.output)
    else:
        notice(f"no exchange with the id {options.id!r}")
    unread.tell()
    return 0 if entries else 1


def _show(entries: list[Entry], output: str) -> None:
    from gatewaylog.cli.line_records import record_of
    from gatewaylog.cli.output import Screen, show
    from gatewaylog.cli.terminal import put_raw
    from gatewaylog.reader import exchanges_in
    from gatewaylog.search import Result

    screen = Screen.of_output()
    if output == "table" or (output == "auto" and screen.terminal):
        _print(exchanges_in(entries), screen)
    elif output == "raw":
        for entry in entries:
            put_raw(entry.raw)
    else:
        raws = {id(entry.line): entry.raw for entry in entries}
        lines = (line for exchange in exchanges_in(entries) for line in exchange.lines)
        rows = (record_of(raws[id(line)]) for line in lines)
        show(Result(None, rows, "events"), output, verb="show")


def _print(exchanges: list[Exchange], screen: Screen) -> None:
    from gatewaylog.cli.exchange_page import page_of

    for at, exchange in enumerate(exchanges):
        if at:
            print()
        print("\n".join(page_of(exchange, colour=screen.colour)))
