"""A flag that says stop, wakes who waits for it, and breaks off what takes too long then."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class OutOfTime(Exception):
    """We are told to stop, and the time for an end in order is over."""


class Stop:
    """Like `threading.Event`, but safe to set in a signal's handler while it is waited for: an
    event's lock may be held by the very thread that the handler interrupts.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._is_breakable = False
        self._is_out_of_time = False
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

    def run_out(self) -> None:
        """Say that the time is over. Raises OutOfTime amid what is `breakable`."""
        self._is_out_of_time = True
        if self._is_breakable:
            raise OutOfTime

    @contextlib.contextmanager
    def breakable(self) -> Iterator[None]:
        """Within this, what waits for others is broken off by OutOfTime; nothing else is."""
        try:
            self._is_breakable = True
            if self._is_out_of_time:
                raise OutOfTime
            yield
        finally:
            self._is_breakable = False


def stop_by(signals: Iterable[signal.Signals], stop: Stop, farewell: float) -> None:
    """Have signals say stop, and `farewell` seconds behind the first that the time is over.

    The alarm comes to the main thread, which is the one that ships: a destination that does not
    answer holds it no longer than that.
    """

    def said(*_: object) -> None:
        if not stop.is_set():
            stop.set()
            signal.setitimer(signal.ITIMER_REAL, farewell)

    signal.signal(signal.SIGALRM, lambda *_: stop.run_out())
    for number in signals:
        signal.signal(number, said)
