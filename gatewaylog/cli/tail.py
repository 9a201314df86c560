"""`gatewaylog tail [QUERY] [FILE…]`: the last exchanges of logs, one readable line each."""

from __future__ import annotations

import contextlib
import sys
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING, TypeVar

from gatewaylog.cli import logs, span
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from gatewaylog.cli.tailing import Tailing
    from gatewaylog.cli.verbs import Parser
    from gatewaylog.search.values import Record

EXAMPLE = """\
  gatewaylog tail -n 20 -f logs/api-access.log
  gatewaylog tail -f 'API=*Echo* StatusCode>=400'
  gatewaylog tail --since -15m --output ndjson logs/

A line is an exchange: when it ended, ✓ complete or ✗ error, status, duration, API,
method, URL → the backend's; of an error code, message and source; client, and an
id for `gatewaylog show`. ▸ came in and has not ended: with -f that is shown after a
second. QUERY is the search of `gatewaylog search`, without commands; a word that may
be a file is one, unless no such file is there and one follows it. Without FILE: the
log of gateway.toml here with all that were rotated from it, else logs/api-access.log
or api-access.log. - is standard input."""

_Shown = TypeVar("_Shown")
OUTPUTS = ("auto", "table", "json", "ndjson", "csv", "raw")
_LAST = 10
_COLUMNS = (
    "_time",
    "Event",
    "API",
    "RequestInMethod",
    "RequestInURL",
    "RequestOutURL",
    "StatusCode",
    "Outcome",
    "DurationMs",
    "ErrorSource",
    "ERROR_CODE",
    "ERROR_MESSAGE",
    "RemoteIP",
    "MessageID",
    "ResponseTo",
)


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.usage = "%(prog)s [QUERY] [FILE ...] [options]"
    logs.configure(parser)
    parser.add_argument(
        "-n", metavar="N", type=_count, help=f"show the last N ({_LAST}; with --since all)"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("--raw", action="store_true", help="show the log's lines themselves")
    parser.add_argument(
        "--output",
        choices=OUTPUTS,
        default="auto",
        help="auto: readable lines, in a pipe too; raw: as --raw; else for programs",
    )
    span.configure(parser)
    parser.add_argument(
        "--unread", action="store_true", help="show the lines that can't be read, on standard error"
    )
    parser.add_argument(
        "--no-colour", "--no-color", action="store_true", help="no colours on a terminal either"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise ArgumentTypeError("must be a whole number, 0 or more")
    return int(text)


def run(options: Namespace) -> int:
    """Show the exchanges; with --follow until Ctrl-C or until the reader of the output leaves."""
    from gatewaylog.cli.feed import Feed
    from gatewaylog.cli.tailing import Tailing
    from gatewaylog.cli.unread import Unread
    from gatewaylog.cli.wanted import wanted_of

    output = _output(options)
    wanted = wanted_of(options)
    named = logs.named_by(options, "tail", wanted.indexes)
    last = _LAST if options.n is None and options.since is None else options.n
    unread = Unread(shown=options.unread)
    with Feed(named, wanted.span, follow=options.follow) as feed:
        wanted.index_of = feed.index_of
        tailing = Tailing(
            feed,
            wanted,
            last,
            unread,
            follow=options.follow,
            raw=output not in {"auto", "raw"},
        )
        try:
            _show(tailing, output, options)
        except KeyboardInterrupt:
            if not options.follow:
                raise
        finally:
            with contextlib.suppress(BrokenPipeError):
                sys.stdout.flush()
            unread.tell()
    return 0


def _output(options: Namespace) -> str:
    output: str = options.output
    if options.raw and output not in {"auto", "raw"}:
        raise WrongCall(f"tail: --raw and --output {output} exclude each other")
    if options.follow and options.until is not None:
        raise WrongCall("tail: -f has no end: --until goes without it")
    if options.follow and output == "table":
        raise WrongCall("tail: a table has an end: --output table goes without -f")
    return "raw" if options.raw else output


def _show(tailing: Tailing, output: str, options: Namespace) -> None:
    if output == "auto":
        _print_lines(tailing, options)
    elif output == "raw":
        _print_raw(tailing)
    else:
        _print_records(tailing, output)


def _print_lines(tailing: Tailing, options: Namespace) -> None:
    from gatewaylog.cli.event_lines import EventLines
    from gatewaylog.cli.output import Screen

    screen = Screen.of_output()
    lines = EventLines(
        colour=screen.colour and not options.no_colour,
        encoding=screen.encoding,
        longest=screen.longest,
    )
    for exchange in _flushed(tailing.exchanges()):
        print(lines.exchange(exchange))


def _print_raw(tailing: Tailing) -> None:
    from gatewaylog.cli.terminal import put_raw

    for entry in _flushed(tailing.entries()):
        put_raw(entry.raw)


def _print_records(tailing: Tailing, output: str) -> None:
    from gatewaylog.cli.line_records import raw_of, record_of
    from gatewaylog.cli.output import show
    from gatewaylog.search import Result

    found = _flushed(tailing.exchanges())
    rows: Iterator[Record] = (record_of(raw_of(exchange.lines[-1])) for exchange in found)
    columns = None if output in {"json", "ndjson"} else _COLUMNS
    show(Result(columns, rows, "events" if columns is None else "table"), output, verb="tail")


def _flushed(shown: Iterable[_Shown | None]) -> Iterator[_Shown]:
    """Yield what is to be shown; where there is nothing more just now, let what was be seen."""
    for one in shown:
        if one is None:
            sys.stdout.flush()
        else:
            yield one
