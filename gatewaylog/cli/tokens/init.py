"""`gatewaylog tokens init`: the tables of token use, made or brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli.terminal import printable
from gatewaylog.cli.tokens import database
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog tokens init
  gatewaylog tokens init --database postgresql://admin@db/gatewaylog --partition day

It may be run as often as one likes. On PostgreSQL it makes the schema gatewaylog, and the
roles gatewaylog_writer, _reader, _retention and _gateway to be granted to logins; whoever
runs it has to be a superuser, or have CREATEROLE and CREATE on the database."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    database.configure(parser)
    parser.add_argument(
        "--partition",
        choices=("day", "month"),
        help="PostgreSQL: what the next partitions hold, and retention drops at once (month)",
    )


def run(options: Namespace) -> int:
    """Make the tables."""
    from gatewaylog.audit.store.install import install

    url = database.url_of(options)
    if options.partition and url.startswith("sqlite"):
        raise WrongCall("tokens init: --partition is for PostgreSQL: SQLite has no partitions")
    install(url, partition=options.partition)
    print(f"The tables are there and up to date in {printable(database.shown(url))}.")
    return 0
