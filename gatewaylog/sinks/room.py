"""Writing to a descriptor that others share, without ever waiting for whoever reads it.

That a descriptor does not block is a flag of what all share who inherited it: the shell, say, would
not expect it. So it is not set there: a pipe or a terminal is opened anew (Linux), a socket is sent
to with a flag for one call, and else it is asked before whether there is room.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[bytes], int]

_AGAIN = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PIPE = 1024 * 1024  # bytes that a pipe is to hold, so that a reader may be away for a moment


class Outlet:
    """Where `fd` leads to. What is opened for that is opened at the first `put`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._let_go: Callable[[], object] | None = None
        self._put: Put | None = None

    def put(self, text: bytes) -> int:
        """Write as much as there is room for, one byte at least; return how many bytes that is.

        Raises BlockingIOError where there is no room, OSError.
        """
        if self._put is None:
            self._put = self._opened()
        return self._put(text)

    def wait(self, seconds: float) -> bool:
        """Wait until there is room; say whether there is."""
        poll = select.poll()  # select() can't wait for a descriptor over 1023
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(max(0.0, seconds) * 1000))

    def close(self) -> None:
        """Close what was opened anew."""
        self._put = None
        if self._let_go is not None:
            self._let_go()
            self._let_go = None

    def __del__(self) -> None:
        self.close()

    def _opened(self) -> Put:
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISSOCK(mode):
            return self._sending()
        if not (stat.S_ISFIFO(mode) or os.isatty(self._fd)):
            return partial(os.write, self._fd)  # a file: it never blocks
        if stat.S_ISFIFO(mode):
            _widen(self._fd)
        try:
            own = os.open(f"/proc/self/fd/{self._fd}", _AGAIN)
        except OSError:  # no Linux, another user's, or a pipe that nobody reads
            return self._put_where_room
        self._let_go = partial(os.close, own)
        return partial(os.write, own)

    def _sending(self) -> Put:
        import socket  # seldom needed, and takes milliseconds

        sender = socket.socket(fileno=os.dup(self._fd))
        self._let_go = sender.close
        return lambda text: sender.send(text, socket.MSG_DONTWAIT)

    def _put_where_room(self, text: bytes) -> int:
        """Write so much that it does not block where there is any room (POSIX, write())."""
        if not self.wait(0):
            raise BlockingIOError
        return os.write(self._fd, text[: select.PIPE_BUF])


def _widen(fd: int) -> None:
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # a limit of the system's
            if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < _PIPE:
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE)
