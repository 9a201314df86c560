"""`gatewaylog report [NAME] [FILE…]`: ready reports, and a page with the main ones."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.output.choosing import refuse_parquet
from gatewaylog.cli.reports import ON_PAGE, REPORTS
from gatewaylog.cli.search import configure_output, planned
from gatewaylog.cli.verbs import WrongCall, nearest

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from gatewaylog.cli.reports import Report
    from gatewaylog.cli.sharing import Shared
    from gatewaylog.cli.verbs import Parser
    from gatewaylog.reader import Source

EXAMPLE = f"""\
  gatewaylog report logs/
  gatewaylog report unmatched logs/ --since -7d@d
  gatewaylog report apis --query

NAME is one of {", ".join(REPORTS)}.
Without one: a page with the main ones, {ON_PAGE} rows of each."""
_PAGE_OUTPUTS = ("auto", "table", "json", "ndjson")


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.usage = "%(prog)s [NAME] [FILE ...] [options]"
    logs.configure(parser)
    parser.words += REPORTS
    configure_output(parser)
    parser.add_argument("--query", action="store_true", help="print the report's query instead")
    parser.add_argument(
        "--unread", action="store_true", help="show the lines that can't be read, on standard error"
    )


def run(options: Namespace) -> int:
    """Show a report, or the page."""
    from gatewaylog.cli.report_page import page_of, show_page

    refuse_parquet(options.output, "report")
    name = _name(options)
    reports = [REPORTS[name]] if name else list(page_of().values())
    if options.query:
        print("\n".join(report.query for report in reports))
        return 0
    if not name and options.output not in _PAGE_OUTPUTS:
        raise WrongCall(f"report: --output {options.output} needs a NAME: {', '.join(REPORTS)}")
    if options.output == "raw":
        raise WrongCall("report: --output raw needs events: a report has no lines")
    sources = logs.sources_of(options, "report")
    shared = _shared(reports, sources, options)
    if name:
        _show(REPORTS[name], shared, options.output)
    else:
        show_page(shared.results(), options.output)
    sys.stdout.flush()
    _tell(shared.unread, sources, options)
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


def _shared(reports: Sequence[Report], sources: list[Source], options: Namespace) -> Shared:
    """Return all reports over one pass of the logs."""
    from gatewaylog.cli.sharing import Shared
    from gatewaylog.search import gathering_of

    now = time.time()
    gatherings = [gathering_of(planned(report.query, options, now)) for report in reports]
    return Shared([each for each in gatherings if each], {"": sources})


def _show(report: Report, shared: Shared, output: str) -> None:
    from gatewaylog.cli.output import show

    (result,) = shared.results()
    show(result, output, verb="report", units=report.units)


def _tell(count: int, sources: list[Source], options: Namespace) -> None:
    """Say how many lines could not be read; with --unread, which."""
    from gatewaylog.cli.rows import Rows
    from gatewaylog.cli.unread import Unread, tell_unread

    if not options.unread:
        tell_unread(count, "--unread shows them")
        return
    if any(source.is_pipe for source in sources):
        raise WrongCall("report: --unread needs files: what comes through a pipe is read once")
    unread = Unread(shown=True)
    plan = planned("*", options)
    for _ in Rows({"": sources}, on_unread=unread.take).of(plan):
        pass
    unread.tell()
