"""A shipper told to the rotation of its logs, which keeps what is not delivered yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ShipError
from gatewaylog.notices import notice
from gatewaylog.ship.state import is_held, read_checkpoint
from gatewaylog.sinks.registered import register, unregister

if TYPE_CHECKING:
    from collections.abc import Iterable


def register_at(logs: Iterable[Path], state: Path, before: Iterable[str]) -> None:
    """Register a state folder beside its logs, and no longer beside those of `before` that are
    left. Where that can't be, it is told, and rotation knows the shipper by `[log] shippers` alone.
    """
    paths = [log.absolute() for log in logs]
    for log in paths:
        try:
            register(log, state)
        except OSError as error:
            reason = error.strerror or error
            notice(
                f"{log}: can't register beside it: {reason}; its rotation waits for this shipper"
                " only where [log] shippers names the state folder"
            )
    _unregister((Path(log) for log in before if Path(log) not in paths), state)


def forget(state: Path, logs: Iterable[Path]) -> list[Path]:
    """Have rotation wait no more for a shipper that is given up; return at which logs it did.

    It is looked for at `logs`, and at those that its checkpoint names. Raises ShipError, also where
    the shipper is at work.
    """
    if is_held(state):
        raise ShipError(f"{state}: its shipper is at work: stop it first")
    checkpoint = read_checkpoint(state)
    named = [*logs, *map(Path, checkpoint.logs if checkpoint else ())]
    if not named:
        raise ShipError(f"{state}: holds no checkpoint: of which log? ship forget LOG --state …")
    return _unregister(dict.fromkeys(log.absolute() for log in named), state)


def _unregister(logs: Iterable[Path], state: Path) -> list[Path]:
    try:
        return [log for log in logs if unregister(log, state)]
    except OSError as error:
        raise ShipError(f"{error.filename}: can't be removed: {error.strerror}") from None
