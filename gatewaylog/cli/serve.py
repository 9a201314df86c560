"""`gatewaylog serve FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ConfigurationError

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog serve gateway.toml

SIGTERM ends it when running calls are done; SIGHUP reads FILE again; SIGUSR1
opens the log again after a rotation."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the configuration, TOML")


def run(options: Namespace) -> int:
    """Run the gateway until it is told to stop."""
    from gatewaylog.gateway.config import load
    from gatewaylog.gateway.supervisor import serve

    file: Path = options.file
    try:
        return serve(lambda: load(file))
    except ConfigurationError as error:
        raise ConfigurationError(
            [_in_file(problem, f"{file}: ") for problem in error.problems]
        ) from None


def _in_file(problem: str, file: str) -> str:
    """Name the file before what only turned out when the gateway began to listen."""
    return problem if problem.startswith(file) else file + problem
