"""`gatewaylog keys new`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.auth.api_keys import new_key

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog keys new"""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("action", choices=["new"], help="make a new random key")


def run(options: Namespace) -> int:
    """Print a new key, this once, and what the configuration keeps of it."""
    del options  # there is nothing to choose
    key, kept = new_key()
    print(f"""The key, for whoever calls (it is shown this once, and kept nowhere):

  {key}

Its SHA-256, for an [[application]] in gateway.toml:

  keys = ["{kept}"]""")
    return 0
