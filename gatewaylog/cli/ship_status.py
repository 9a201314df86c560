"""`gatewaylog ship status --state FOLDER`: how far a destination is behind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatewaylog.cli.terminal import printable
from gatewaylog.ship.lag import Lag, lag_of
from gatewaylog.ship.state import DEAD_LETTERS, GAPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def show(folder: Path) -> int:
    """Print what is known of a delivery; return the exit status."""
    for name, told in _told(folder, lag_of(folder)):
        print(printable(f"{name:<14}{told}"))
    return 0


def _told(folder: Path, lag: Lag) -> Iterator[tuple[str, str]]:
    checkpoint = lag.checkpoint
    yield "to", f"{checkpoint.to}, {'at work' if lag.running else 'not running'}"
    yield "logs", ", ".join(checkpoint.logs)
    yield "behind", f"{lag.events:,} events, {lag.size:,} bytes, {lag.seconds:,.0f} s"
    yield "delivered", f"{checkpoint.delivered:,} events, the last at {_time(checkpoint.at)}"
    if checkpoint.dead:
        yield "dead letters", f"{checkpoint.dead:,}, in {folder / DEAD_LETTERS}"
    if checkpoint.gaps:
        yield "gaps", f"{checkpoint.gaps:,}, in {folder / GAPS}"
    for gap in lag.gaps:
        yield "new gap", str(gap)


def _time(seconds: float) -> str:
    if not seconds:
        return "no time yet"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
