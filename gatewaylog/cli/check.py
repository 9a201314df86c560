"""`gatewaylog check FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog check gateway.toml && kill -HUP PID

Every problem is a line on standard error, and the exit status is 2 then."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the configuration, TOML")


def run(options: Namespace) -> int:
    """Check the file, and what it names; start and write nothing."""
    from gatewaylog.gateway.config import load

    config = load(options.file)
    apis = _counted(len(config.api), "API")
    print(f"{options.file}: good: {apis}, {_counted(len(config.application), 'application')}")
    return 0


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
