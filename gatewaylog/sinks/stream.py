"""Lines on a descriptor that is no file of ours: standard output, a pipe, a terminal."""

from __future__ import annotations

import fcntl
import os
import select
import threading

from gatewaylog.forks import renew_after_fork
from gatewaylog.sinks.loss import Loss


class StreamSink:
    """Writes whole lines to `fd`, one after the other, whatever becomes of the reader.

    Pipes tear long lines of several writers: threads are kept apart by a lock, processes that
    inherited this sink by a lock on an unnamed file.
    """

    def __init__(self, fd: int = 1, name: str = "standard output") -> None:
        self._fd = fd
        self._name = name
        self._loss = Loss(name)
        self._broken = False  # the stream ends in a part of a line
        self._threads = threading.Lock()
        self._processes = _unnamed_file()
        renew_after_fork(self._forked)

    def _forked(self) -> None:
        self._threads = threading.Lock()
        self._loss = Loss(self._name)  # what was lost before is the parent's to tell

    def __del__(self) -> None:
        os.close(self._processes)

    @property
    def lost(self) -> int:
        """Lines that could not be written so far."""
        return self._loss.total

    def write(self, line: bytes) -> None:
        """Write one line; waits while the reader is slow."""
        with self._threads:
            try:
                fcntl.lockf(self._processes, fcntl.LOCK_EX)
                try:
                    self._write_all(b"\n" + line if self._broken else line)
                finally:
                    fcntl.lockf(self._processes, fcntl.LOCK_UN)
            except OSError as error:
                self._loss.count(error)
            else:
                self._loss.over()

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
        """Tell what was lost; the descriptor stays open, it is not ours."""
        with self._threads:
            self._loss.over()


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
