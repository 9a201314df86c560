"""`gatewaylog ship status --state FOLDER`: how far a destination is behind."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli.terminal import printable
from gatewaylog.ship.lag import Lag, lag_of
from gatewaylog.ship.state import DEAD_LETTERS, GAPS
from gatewaylog.sinks.registered import is_registered

if TYPE_CHECKING:
    from collections.abc import Iterator


def show(folder: Path, output: str) -> int:
    """Print what is known of a delivery, for people or as `json`; return the exit status."""
    lag = lag_of(folder)
    if output == "json":
        print(json.dumps(_values(folder, lag)))
        return 0
    for name, told in _told(folder, lag):
        print(printable(f"{name:<14}{told}"))
    return 0


def _values(folder: Path, lag: Lag) -> dict[str, object]:
    checkpoint = lag.checkpoint
    return {
        "to": checkpoint.to,
        "running": lag.running,
        "logs": checkpoint.logs,
        "behind_events": lag.events,
        "behind_bytes": lag.size,
        "behind_seconds": round(lag.seconds, 3),
        "delivered": checkpoint.delivered,
        "delivered_at": _time(checkpoint.at) if checkpoint.at else None,
        "dead_letters": checkpoint.dead,
        "dead_letters_file": str(folder / DEAD_LETTERS),
        "gaps": checkpoint.gaps,
        "gaps_file": str(folder / GAPS),
        "rotation_waits_at": _registered(folder, lag),
        "new_gaps": [asdict(gap) for gap in lag.gaps],
    }


def _told(folder: Path, lag: Lag) -> Iterator[tuple[str, str]]:
    checkpoint = lag.checkpoint
    yield "to", f"{checkpoint.to}, {'at work' if lag.running else 'not running'}"
    yield "logs", ", ".join(checkpoint.logs)
    yield "behind", f"{lag.events:,} events, {lag.size:,} bytes, {lag.seconds:,.0f} s"
    yield "delivered", f"{checkpoint.delivered:,} events, the last at {_time(checkpoint.at)}"
    if waiting := _registered(folder, lag):
        yield "rotation", f"waits for it at {', '.join(waiting)}"
    if checkpoint.dead:
        yield "dead letters", f"{checkpoint.dead:,}, in {folder / DEAD_LETTERS}"
    if checkpoint.gaps:
        yield "gaps", f"{checkpoint.gaps:,}, in {folder / GAPS}"
    for gap in lag.gaps:
        yield "new gap", str(gap)


def _registered(folder: Path, lag: Lag) -> list[str]:
    return [log for log in lag.checkpoint.logs if is_registered(Path(log), folder)]


def _time(seconds: float) -> str:
    if not seconds:
        return "no time yet"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
