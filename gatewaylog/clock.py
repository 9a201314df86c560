"""Where time and identities come from, replaceable in tests."""

from __future__ import annotations

import os
import time
from typing import Protocol

_BATCH = 128


class Clock(Protocol):
    """What the log asks of the world."""

    def wall(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""

    def new_id(self) -> str:
        """`urn:uuid:` and a random UUID, version 4 (RFC 9562 §5.4)."""


class SystemClock:
    """The machine's clocks and its random source.

    Identities are made in batches: one `os.urandom` for 128 of them costs a third of
    `uuid.uuid4` for each (benchmarks/event_cost.py). A fork drops what its parent had in store.
    """

    wall = staticmethod(time.time)
    monotonic = staticmethod(time.perf_counter)

    def __init__(self) -> None:
        self._ids: list[str] = []
        os.register_at_fork(after_in_child=self._ids.clear)

    def new_id(self) -> str:
        """Return a new identity; safe in threads, since `list.pop` is one step."""
        try:
            return self._ids.pop()
        except IndexError:
            fresh = _urns(os.urandom(16 * _BATCH).hex())
            last = fresh.pop()
            self._ids.extend(fresh)
            return last


def _urns(digits: str) -> list[str]:
    return [_urn(digits[at : at + 32]) for at in range(0, len(digits), 32)]


def _urn(digits: str) -> str:
    variant = "89ab"[int(digits[16], 16) & 3]
    return (
        f"urn:uuid:{digits[:8]}-{digits[8:12]}-4{digits[13:16]}"
        f"-{variant}{digits[17:20]}-{digits[20:]}"
    )


SYSTEM_CLOCK = SystemClock()
