"""`gatewaylog tokens init`: the tables of token use, made or brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli.tokens import database
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog tokens init --database sqlite:///gatewaylog.db"""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    database.configure(parser)


def run(options: Namespace) -> int:
    """Make the tables."""
    raise WrongCall(f"tokens init: is not there yet for {database.url_of(options)}")
