"""How far a destination is behind the log."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ShipError
from gatewaylog.reader import time_of
from gatewaylog.ship.state import is_held, read_checkpoint
from gatewaylog.ship.trail import Trail

if TYPE_CHECKING:
    from gatewaylog.ship.checkpoint import Checkpoint
    from gatewaylog.ship.track import Track
    from gatewaylog.ship.trail import Gap

_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """What is not delivered yet: `events` lines of `size` bytes, the oldest `seconds` old."""

    checkpoint: Checkpoint
    running: bool
    events: int
    size: int
    seconds: float
    gaps: tuple[Gap, ...]


def lag_of(folder: Path) -> Lag:
    """Count what stands behind the checkpoint in `folder`. Raises ShipError and ReaderError."""
    checkpoint = read_checkpoint(folder)
    if checkpoint is None:
        raise ShipError(f"{folder}: holds no checkpoint: nothing was shipped with it yet")
    trail = Trail(map(Path, checkpoint.logs), checkpoint.positions)
    events, size, oldest = 0, 0, None
    with contextlib.closing(trail):
        for track in trail.behind():
            found = _behind(track)
            events, size = events + found[0], size + found[1]
            oldest = found[2] if oldest is None else oldest
    return Lag(
        checkpoint=checkpoint,
        running=is_held(folder),
        events=events,
        size=size,
        seconds=max(0.0, time.time() - oldest) if oldest is not None else 0.0,
        gaps=tuple(trail.gaps),
    )


def _behind(track: Track) -> tuple[int, int, float | None]:
    """Return whole lines and bytes that are not delivered, and the first line's time."""
    events, size, rest, oldest = 0, 0, 0, None
    offset = track.position.offset
    while piece := track.at(offset, _PIECE):
        if not size and (end := piece.find(b"\n")) >= 0:
            oldest = time_of(piece[:end])
        events += piece.count(b"\n")
        size += len(piece)
        rest = rest + len(piece) if b"\n" not in piece else len(piece) - piece.rfind(b"\n") - 1
        offset += len(piece)
    return events, size - rest, oldest
