"""What the operator must know at once: in the system log if there is one, or on standard error."""

from __future__ import annotations

import select
import sys
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    Level = Literal["INFO", "WARNING", "ERROR"]

_outlets: list[Callable[[str, Level], None]] = []


def notice(text: str, level: Level = "WARNING") -> None:
    """Say one thing. Never raises: an exchange must not fail since nobody can be told."""
    if _outlets:
        _outlets[-1](text, level)
        return
    put(sys.stderr, f"gatewaylog: {text}")


def put(stream: TextIO | None, line: str) -> None:
    """Write a line to a stream, if it is there, open, and somebody reads it: who does not must not
    hold up a call. Never raises.
    """
    try:
        if stream is not None and _has_room(stream):
            stream.write(f"{line}\n")
            stream.flush()
    except (OSError, ValueError, AttributeError):
        return


def _has_room(stream: TextIO) -> bool:
    try:
        number = stream.fileno()
    except (OSError, AttributeError):
        return True  # in memory
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return bool(poll.poll(0))


def tell_by(outlet: Callable[[str, Level], None] | None) -> None:
    """Have everything be told by `outlet`, which never raises; None: on standard error again."""
    _outlets[:] = [] if outlet is None else [outlet]
