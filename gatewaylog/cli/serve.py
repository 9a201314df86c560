"""`gatewaylog serve FILE`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ConfigurationError

if TYPE_CHECKING:
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
        problems = [_in_file(problem, f"{file}: ") for problem in error.problems]
        _record(file, problems)
        raise ConfigurationError(problems) from None


def _record(file: Path, problems: list[str]) -> None:
    """Record that a configuration was refused, where so much of it can be read as says where."""
    from gatewaylog.audit.events import AuditEvent, GatewayEvent
    from gatewaylog.audit.events.account import account
    from gatewaylog.cli import logs
    from gatewaylog.cli.recording import event_log

    try:
        configured = logs.configured(Namespace(config=file))
    except ConfigurationError:
        return
    with event_log(configured, "gatewaylog.gateway") as events:
        if events is not None:
            refused = GatewayEvent.CONFIGURATION_REFUSED
            events.record(AuditEvent(event=refused, user=account(), detail="; ".join(problems)))


def _in_file(problem: str, file: str) -> str:
    """Name the file before what only turned out when the gateway began to listen."""
    return problem if problem.startswith(file) else file + problem
