"""`gatewaylog tokens timeline`: the use of tokens by hour, vendor, application and client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.audit.queries.hours import BY
from gatewaylog.cli.output.choosing import refuse_parquet
from gatewaylog.cli.tokens import asked, database

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog tokens timeline
  gatewaylog tokens timeline --since -30d --by vendor
  gatewaylog tokens timeline --output csv > week.csv

Without --since: the last 7 days. The chart has the ten series with most accesses, and
OTHER; hours are UTC's, shown in local time."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    asked.configure(parser, charts=True)
    parser.add_argument(
        "--by", choices=BY, default="client", help="a series of the chart for each (client)"
    )


def run(options: Namespace) -> int:
    """Show a chart, or a row for each hour and client."""
    from gatewaylog.cli.output import Screen

    if options.sql:
        asked.print_sql("timeline", options)
        return 0
    charted = options.output == "auto" and Screen.of_output().terminal
    if options.output == "chart" or charted:
        _draw(options)
    else:
        asked.show_query("timeline", options)
    return 0


def _draw(options: Namespace) -> None:
    from gatewaylog.audit.queries.asking import Asking
    from gatewaylog.cli.output import Screen
    from gatewaylog.cli.output.charts import show
    from gatewaylog.cli.tokens.hours import charted

    refuse_parquet(options.output, "tokens timeline")
    asking = Asking(database.url_of(options))
    with asking.reading() as connection:
        table = asked.table_of(asking, connection)
        found = asked.answer(connection, table, "timeline", options)
        result = charted(found.rows, BY[options.by], asked.window_of("timeline", options))
    show(result, Screen.of_output(), apart=True)
