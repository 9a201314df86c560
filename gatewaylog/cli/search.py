"""`gatewaylog search QUERY [FILE…]`: Splunk's search language over the log."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from gatewaylog.cli import caching, logs, span, stores
from gatewaylog.cli.output.choosing import OUTPUTS, refuse_parquet

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from gatewaylog.cli.verbs import Parser
    from gatewaylog.reader import Entry, Source
    from gatewaylog.search import Gathering, Plan

EXAMPLE = """\
  gatewaylog search 'API=*Echo* StatusCode>=500' logs/
  gatewaylog search 'INCOMING_REQUEST | timechart count by API' --since -4h
  gatewaylog search 'StatusCode=404 | stats count by RequestInURL' --output csv
  gatewaylog search 'NOT INCOMING_REQUEST | chart count by API, StatusCode' old/*.log.gz

Quote the query: the shell would take * and | for itself. Events come newest
first. Times are RFC 3339, -15m, -7d@d, today, yesterday. docs/reading.md tells
the language."""

ENGINES = ("auto", "pure", caching.ENGINE, *stores.STORES)


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("query", metavar="QUERY", help="what to search for, and what to make of it")
    logs.configure(parser)
    configure_output(parser)
    parser.add_argument(
        "--unread", action="store_true", help="show the lines that can't be read, on standard error"
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="auto",
        help="who searches (auto: this program, files; duckdb where a cache holds them)",
    )
    stores.configure(parser)


def configure_output(parser: Parser) -> None:
    """Add how results are shown, and of which time."""
    parser.add_argument(
        "--output",
        choices=OUTPUTS,
        default="auto",
        help="auto: a table or chart on a terminal, ndjson elsewhere",
    )
    span.configure(parser)


def run(options: Namespace) -> int:
    """Search, and show what is found."""
    from gatewaylog.search import gathering_of

    refuse_parquet(options.output, "search")
    stores.check(options)
    plan = planned(options.query, options)
    if options.engine in stores.STORES:
        return stores.run(plan, options)
    sources = logs.sources_asked(options, "search", plan.indexes)
    gathering = None if options.unread else gathering_of(plan)
    if options.engine == caching.ENGINE:
        caching.check_query(plan, unread=options.unread)
        caching.make(sources)
    if gathering is None:
        return _in_order(plan, sources, options)
    return _in_parts(gathering, sources, options)


def _in_parts(
    gathering: Gathering, sources: Mapping[str, Sequence[Source]], options: Namespace
) -> int:
    from gatewaylog.cli.output import show
    from gatewaylog.cli.sharing import Shared
    from gatewaylog.cli.unread import tell_unread

    shared = Shared(gathering, sources, cached=options.engine != "pure")
    show(shared.result(), options.output, verb="search")
    tell_unread(shared.unread, "--unread shows them")
    if options.engine == "auto":
        caching.make_later(sources)
    return 0


def _in_order(plan: Plan, sources: Mapping[str, Sequence[Source]], options: Namespace) -> int:
    from gatewaylog.cli.output import show
    from gatewaylog.cli.rows import Rows
    from gatewaylog.cli.unread import tell_unread

    rows = Rows(sources, on_unread=_show_unread if options.unread else None)
    show(plan.run(rows.of(plan), prefiltered=True), options.output, verb="search")
    tell_unread(rows.unread, "" if options.unread else "--unread shows them")
    return 0


def planned(query: str, options: Namespace, now: float | None = None) -> Plan:
    """Return the plan of a query within --since and --until. Raises QueryError."""
    from gatewaylog.search import compile_query

    now = time.time() if now is None else now
    return compile_query(
        query,
        now=now,
        **span.span_of(options, now)._asdict(),
    )


def _show_unread(entry: Entry) -> None:
    from gatewaylog.cli.unread import described

    print(described(entry), file=sys.stderr)
