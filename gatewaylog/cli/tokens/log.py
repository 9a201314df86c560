"""`gatewaylog tokens log`: each use of a token, by vendor, application and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli.tokens import asked

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog tokens log --since -1h
  gatewaylog tokens log --since today --output csv > use.csv
  gatewaylog tokens log --database postgresql://reader@db/gatewaylog --sql | psql …

Times are local at a terminal, UTC for programs. Without --since all rows are shown."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    asked.configure(parser)


def run(options: Namespace) -> int:
    """Show the rows."""
    if options.sql:
        asked.print_sql("log", options)
    else:
        asked.show_query("log", options)
    return 0
