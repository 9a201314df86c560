"""Waits for what another thread or process does."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 20.0  # seconds: far more than anything takes on a machine that is busy
_Result = TypeVar("_Result")


def wait_for(condition: Callable[[], _Result | None], seconds: float = PATIENCE) -> _Result:
    """Return the first true value of `condition`; AssertionError where none comes in time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {found!r} after {seconds} s: {condition}")
        pause.wait(0.01)
    return found
