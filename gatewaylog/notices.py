"""What the operator must know at once: in the system log if there is one, or on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    Level = Literal["INFO", "WARNING", "ERROR"]

_outlets: list[Callable[[str, Level], None]] = []


def notice(text: str, level: Level = "WARNING") -> None:
    """Say one thing. Never raises: an exchange must not fail since nobody can be told."""
    if _outlets:
        _outlets[-1](text, level)
        return
    try:
        sys.stderr.write(f"gatewaylog: {text}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return  # standard error is closed, full, or not there


def tell_by(outlet: Callable[[str, Level], None] | None) -> None:
    """Have everything be told by `outlet`, which never raises; None: on standard error again."""
    _outlets[:] = [] if outlet is None else [outlet]
