"""A shipper run to its end: what it holds is let go whatever happens."""

from __future__ import annotations

import contextlib
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ShipError
from gatewaylog.ship.folder import log_of
from gatewaylog.ship.registering import register_at
from gatewaylog.ship.settings import Settings, destination_of
from gatewaylog.ship.shipper import Pace, Shipper
from gatewaylog.ship.state import State
from gatewaylog.ship.trail import QUIET, Trail

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gatewaylog.ship.checkpoint import Checkpoint
    from gatewaylog.ship.stopping import Stop

_STANDARD = Pace()


def ship(
    settings: Settings,
    logs: Sequence[Path],
    folder: Path,
    stopped: Stop,
    *,
    once: bool = False,
    pace: Pace = _STANDARD,
    quiet: float = QUIET,
    registers: bool = False,
) -> None:
    """Deliver `logs` with the state in `folder`, until `stopped`; with `once` to their end.

    A log brings what was rotated from it; with `once` a rotated file is delivered alone. With
    `registers` the logs' rotation is told to keep what is not delivered yet. Raises ShipError and
    ReaderError.
    """
    for log in logs:
        _refuse_what_is_no_file(log)
    logs, alone = _parted(logs) if once else (logs, ())
    with contextlib.ExitStack() as closing:
        destination = closing.enter_context(contextlib.closing(destination_of(settings)))
        state = closing.enter_context(contextlib.closing(State(folder, settings.to)))
        trail = closing.enter_context(
            contextlib.closing(_trail(logs, alone, state.checkpoint, quiet))
        )
        if logs:
            paths = tuple(str(log.absolute()) for log in logs)
            if registers:
                register_at(logs, folder, state.checkpoint.logs)
            state.save(replace(state.checkpoint, logs=paths))
        Shipper(destination, trail, state, stopped, pace).run(once=once)


def _refuse_what_is_no_file(log: Path) -> None:
    try:
        mode = log.stat().st_mode  # asked once: a rotation takes the name away for a moment
    except OSError:
        return  # it may come
    if not stat.S_ISREG(mode):
        raise ShipError(f"{log}: is no file: a log is one, to be read again after a failure")


def _parted(files: Sequence[Path]) -> tuple[Sequence[Path], Sequence[Path]]:
    """Return logs, and rotated files without those that these logs bring with them."""
    logs = [file for file in files if log_of(file) == file]
    known = {log.absolute() for log in logs}
    others = [file for file in files if file not in logs]
    return logs, [file for file in others if log_of(file).absolute() not in known]


def _trail(
    logs: Sequence[Path], alone: Sequence[Path], checkpoint: Checkpoint, quiet: float
) -> Trail:
    shipped = checkpoint.delivered + checkpoint.dead
    return Trail(logs, checkpoint.positions, alone=alone, number=shipped, quiet=quiet)
