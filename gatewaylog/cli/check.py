"""`gatewaylog check FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ConfigurationError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from gatewaylog.cli.verbs import Parser
    from gatewaylog.gateway.config import Config
    from gatewaylog.gateway.config.problems import Problem

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
    if problems := list(_refused_logs(config)):
        raise ConfigurationError([problem.line(str(options.file)) for problem in problems])
    apis = _counted(len(config.api), "API")
    print(f"{options.file}: good: {apis}, {_counted(len(config.application), 'application')}")
    return 0


def _refused_logs(config: Config) -> Iterator[Problem]:
    """Yield the logs that `serve` would refuse to open, run by the same user."""
    from gatewaylog.gateway.config.problems import Problem
    from gatewaylog.sinks.fitness import refusal

    for table, path in (("log", config.log.path), ("event_log", config.event_log.path)):
        reason = refusal(path) if path not in {"", "-"} else None
        if reason is not None:
            yield Problem(place=(table, "path"), message=reason)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
