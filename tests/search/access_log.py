"""A small log for tests of the search language: twelve events of one morning in California."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gatewaylog.search import compile_query

if TYPE_CHECKING:
    from gatewaylog.search import Plan, Result

ZONE = ZoneInfo("America/Los_Angeles")
NOW = 1495828800.0  # 2017-05-26T13:00:00-07:00

# As in a file: oldest first.
LINES = Path(__file__).with_suffix(".txt").read_bytes().splitlines()


def planned(query: str, *, earliest: float | None = None, latest: float | None = None) -> Plan:
    """Return the plan of `query` at the log's own time and place."""
    return compile_query(query, now=NOW, zone=ZONE, earliest=earliest, latest=latest)


def searched(query: str, lines: list[bytes] | None = None) -> Result:
    """Return what `query` gives for the log, or for other lines, oldest first."""
    plan = planned(query)
    return plan.run(plan.rows(reversed(LINES if lines is None else lines)), prefiltered=True)
