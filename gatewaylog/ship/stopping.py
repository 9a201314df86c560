"""A flag that says stop, and wakes who waits for it."""

from __future__ import annotations

import os
import select
import weakref


class Stop:
    """Like `threading.Event`, but safe to set in a signal's handler while it is waited for: an
    event's lock may be held by the very thread that the handler interrupts.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._waker, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        weakref.finalize(self, os.close, self._waker)
        weakref.finalize(self, os.close, self._wake)

    def set(self) -> None:
        """Say stop."""
        if not self._is_set:
            self._is_set = True
            os.write(self._wake, b"\0")

    def is_set(self) -> bool:
        """Tell whether it was said."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait until it is said, at most so long; return whether it was."""
        if not self._is_set:
            select.select([self._waker], [], [], seconds)
        return self._is_set
