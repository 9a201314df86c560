"""`gatewaylog report [NAME] [FILE…]`: ready reports, and a page with the main ones."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.output.choosing import refuse_parquet
from gatewaylog.cli.reports import ON_PAGE, PAGE, REPORTS, SUMMARY, Report
from gatewaylog.cli.search import configure_output, planned
from gatewaylog.cli.terminal import painted
from gatewaylog.cli.verbs import WrongCall, nearest

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.output import Screen
    from gatewaylog.cli.rows import Rows
    from gatewaylog.cli.verbs import Parser

EXAMPLE = f"""\
  gatewaylog report logs/
  gatewaylog report unmatched logs/ --since -7d@d
  gatewaylog report apis --query

NAME is one of {", ".join(REPORTS)}.
Without one: a page with the main ones, {ON_PAGE} rows of each."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    logs.configure(parser)
    parser.words += REPORTS
    configure_output(parser)
    parser.add_argument("--query", action="store_true", help="print the report's query instead")


def run(options: Namespace) -> int:
    """Show a report, or the page."""
    from gatewaylog.cli.rows import Rows
    from gatewaylog.cli.unread import SHOWN_BY_SEARCH, tell_unread

    refuse_parquet(options.output, "report")
    name = _name(options)
    if options.query:
        print(REPORTS[name].query if name else "\n".join(REPORTS[each].query for each in PAGE))
        return 0
    rows = Rows({"": logs.sources_of(options, "report")})
    unread = _show(REPORTS[name], rows, options) if name else _show_page(rows, options)
    tell_unread(unread, SHOWN_BY_SEARCH)
    return 0


def _name(options: Namespace) -> str:
    """Take the report's name from the words before files."""
    first = options.file[0] if options.file else ""
    if first in REPORTS:
        del options.file[0]
        return str(first)
    if first and first != "-" and not Path(first).exists() and not {"/", ".", "*"} & set(first):
        raise WrongCall(f"report: there is no report or file {first!r}; {nearest(first, REPORTS)}")
    return ""


def _show(report: Report, rows: Rows, options: Namespace) -> int:
    """Show one report; return how many lines could not be read."""
    from gatewaylog.cli.output import show

    plan = planned(report.query, options)
    show(plan.run(rows.of(plan), prefiltered=True), options.output, verb="report")
    return rows.unread


def _show_page(rows: Rows, options: Namespace) -> int:
    """Show the main ones; return how many lines could not be read, by the first: it reads all."""
    from gatewaylog.cli.output import Screen

    screen = Screen.of_output()
    if options.output == "ndjson" or (options.output == "auto" and not screen.terminal):
        return _print_rows(rows, options)
    if options.output in {"auto", "table"}:
        return _print_tables(rows, options, screen)
    raise WrongCall(f"report: --output {options.output} needs a NAME: {', '.join(REPORTS)}")


def _page() -> dict[str, Report]:
    parts = {"summary": SUMMARY}
    for name in PAGE:
        title, query = REPORTS[name]
        parts[name] = Report(title, f"{query} | head {ON_PAGE}")
    return parts


def _print_tables(rows: Rows, options: Namespace, screen: Screen) -> int:
    from gatewaylog.cli.output import tables

    now, unread = time.time(), 0
    for at, (title, query) in enumerate(_page().values()):
        plan = planned(query, options, now)
        print("" if at == 0 else "\n", end="")
        print(painted(title, "bold" if screen.colour else None))
        tables.show(plan.run(rows.of(plan), prefiltered=True), screen)
        sys.stdout.flush()
        unread = unread or rows.unread
    return unread


def _print_rows(rows: Rows, options: Namespace) -> int:
    from gatewaylog.cli.output.lines import json_of, records

    now, unread = time.time(), 0
    for name, report in _page().items():
        plan = planned(report.query, options, now)
        for record in records(plan.run(rows.of(plan), prefiltered=True)):
            print(json_of({"report": name, **record}))
        unread = unread or rows.unread
    return unread
