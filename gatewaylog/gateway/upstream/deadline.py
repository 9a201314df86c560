"""A deadline that moves with every exchange and costs one look at the clock to move.

A timer set and cancelled for every request costs about 2 µs under uvloop. Here a timer that is
already set is left alone when the deadline moves further away: when it fires early it sets itself
again for the rest.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Deadline:
    """Calls `passed` once when the time that was set last is over."""

    __slots__ = ("_at", "_fires", "_loop", "_passed", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        self._loop = loop
        self._passed = passed
        self._at = inf
        self._fires = inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Move the deadline to so many seconds from now."""
        self._at = at = self._loop.time() + seconds
        if at < self._fires:
            self._arm(at)

    def suspend(self) -> None:
        """Have no deadline until the next is set."""
        self._at = inf

    def cancel(self) -> None:
        """Have no deadline, and free what it held."""
        self._at = self._fires = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires = at
        self._timer = self._loop.call_at(at, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._fires = inf
        if self._at == inf:
            return
        if self._at > self._loop.time():
            self._arm(self._at)
            return
        self._at = inf
        self._passed()
