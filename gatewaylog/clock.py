"""Where time and identities come from, replaceable in tests."""

from __future__ import annotations

import os
import struct
import time
from itertools import chain
from typing import Protocol

_BATCH = 128
_VERSION = bytes(octet & 0x0F | 0x40 for octet in range(256))
_VARIANT = bytes(octet & 0x3F | 0x80 for octet in range(256))
_PARTS = struct.Struct("8s4s4s4s12s")
_URNS = b"urn:uuid:%b-%b-%b-%b-%b " * _BATCH


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
            fresh = _urns(bytearray(os.urandom(16 * _BATCH)))
            last = fresh.pop()
            self._ids.extend(fresh)
            return last


def _urns(octets: bytearray) -> list[str]:
    """Return a batch of identities: all at once, as one by one takes half as long again."""
    octets[6::16] = octets[6::16].translate(_VERSION)
    octets[8::16] = octets[8::16].translate(_VARIANT)
    parts = chain.from_iterable(_PARTS.iter_unpack(octets.hex().encode()))
    return (_URNS % tuple(parts)).decode().split()


SYSTEM_CLOCK = SystemClock()
