"""`gatewaylog tokens vendors`: how much each vendor's tokens were used of late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli.tokens import asked

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog tokens vendors
  gatewaylog tokens vendors --since -7d --output json
  gatewaylog tokens vendors --database sqlite:///use.db --sql

Without --since: the last 24 hours. unique_tokens are different tokens, by their
references."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    asked.configure(parser)


def run(options: Namespace) -> int:
    """Show a row a vendor, the busiest first."""
    if options.sql:
        asked.print_sql("vendors", options)
    else:
        asked.show_query("vendors", options)
    return 0
