"""Lines on a descriptor that is no file of ours: standard output, a pipe, a terminal."""

from __future__ import annotations

import fcntl
import os
import select
import threading

from gatewaylog.forks import renew_after_fork


class StreamSink:
    """Writes whole lines to `fd`, one after the other, whatever becomes of the reader.

    Pipes tear long lines of several writers: threads are kept apart by a lock, processes that
    inherited this sink by a lock on an unnamed file.
    """

    def __init__(self, fd: int = 1, name: str = "standard output") -> None:
        self._fd = fd
        self.name = name
        self._broken = False  # the stream ends in a part of a line
        self._threads = threading.Lock()
        self._processes = _unnamed_file()
        renew_after_fork(self._forked)

    def _forked(self) -> None:
        self._threads = threading.Lock()

    def __del__(self) -> None:
        os.close(self._processes)

    def write(self, line: bytes) -> str | None:
        """Write one line; waits while the reader is slow. Returns why it can't be written."""
        with self._threads:
            try:
                fcntl.lockf(self._processes, fcntl.LOCK_EX)
                try:
                    self._write_all(b"\n" + line if self._broken else line)
                finally:
                    fcntl.lockf(self._processes, fcntl.LOCK_UN)
            except OSError as error:
                return error.strerror or str(error)
        return None

    def _write_all(self, rest: bytes) -> None:
        while rest:
            try:
                written = os.write(self._fd, rest)
            except BlockingIOError:
                _wait_for_room(self._fd)
                continue
            rest = rest[written:]
            self._broken = bool(rest)

    def reopen(self) -> None:
        """Do nothing: a stream has no name to be opened by."""

    def close(self) -> None:
        """Do nothing: the descriptor is not ours."""


def _wait_for_room(fd: int) -> None:
    poll = select.poll()  # select() can't wait for a descriptor over 1023
    poll.register(fd, select.POLLOUT)
    poll.poll()


def _unnamed_file() -> int:
    """Return a descriptor to lock: in memory where the system can, as a container may have no
    folder that can be written to.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create("gatewaylog")
    from tempfile import TemporaryFile  # a tenth of what importing the log costs

    with TemporaryFile() as file:
        return os.dup(file.fileno())
