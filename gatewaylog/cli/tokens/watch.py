"""`gatewaylog tokens watch [FILE…]`: the rules R01 to R14 over the log as it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli import logs, watching

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog tokens watch --severity medium --record --webhook https://alerts.example.org/x
  gatewaylog tokens watch --once --state watched.json logs/
  gatewaylog tokens watch --geoip GeoLite2-City.mmdb --json

A finding is told once for a rule and a client in 24 hours, over restarts too. Rules
are left out and given thresholds by [rules] in gateway.toml, which also takes
webhook, geoip and state. How tokens began and ended comes from event_log.path and
from event logs among FILE: lines of both logs are told apart by their form."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    logs.configure(parser)
    watching.configure(parser)


def run(options: Namespace) -> int:
    """Tell findings until SIGTERM, with --once of what is there."""
    return watching.run(options)
