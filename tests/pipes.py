"""Both ends of a pipe, and what waits in one."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Ends = tuple[int, int]  # to read from, to write to


@contextmanager
def pipe_ends() -> Iterator[Ends]:
    """Open a pipe; what the test has not closed is closed behind it."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            continue  # the test closed it


def drained(fd: int) -> bytes:
    """Return what can be read now."""
    os.set_blocking(fd, False)
    found = b""
    try:
        while piece := os.read(fd, 65536):
            found += piece
    except BlockingIOError:
        return found
    return found
