"""`gatewaylog show ID [FILE…]`: everything known of one exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli import logs

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog show c78c4359 logs/

ID is a MessageID of either event (its first eight characters are enough), a
RequestID or a TraceID, which may be that of several exchanges. The exit status
is 1 where there is none."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("id", metavar="ID", help="an id of the exchange")
    logs.configure(parser)


def run(options: Namespace) -> int:
    """Show the exchanges that the id is of."""
    from gatewaylog.cli.exchange_page import page_of
    from gatewaylog.cli.output.screen import Screen
    from gatewaylog.notices import notice
    from gatewaylog.reader import find_exchanges

    names = [source.name for source in logs.sources_of(options, "show")]
    found = find_exchanges(options.id, names)
    if not found:
        notice(f"no exchange with the id {options.id!r}")
        return 1
    colour = Screen.of_output().colour
    for at, exchange in enumerate(found):
        if at:
            print()
        print("\n".join(page_of(exchange, colour=colour)))
    return 0
