"""Lines on a descriptor that is no file of ours: standard output, a pipe, a terminal."""

from __future__ import annotations

import fcntl
import os
import select
import tempfile
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
        self._loss = Loss(name)
        self._threads = threading.Lock()
        self._processes = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the sink
        renew_after_fork(self._forked)

    def _forked(self) -> None:
        self._threads = threading.Lock()

    @property
    def lost(self) -> int:
        """Lines that could not be written so far."""
        return self._loss.total

    def write(self, line: bytes) -> None:
        """Write one line; waits while the reader is slow."""
        with self._threads:
            fcntl.lockf(self._processes, fcntl.LOCK_EX)
            try:
                self._write_all(line)
            except OSError as error:
                self._loss.count(error)
            else:
                self._loss.over()
            finally:
                fcntl.lockf(self._processes, fcntl.LOCK_UN)

    def _write_all(self, rest: bytes) -> None:
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                select.select([], [self._fd], [])

    def reopen(self) -> None:
        """Do nothing: a stream has no name to be opened by."""

    def close(self) -> None:
        """Tell what was lost; the descriptor stays open, it is not ours."""
        self._loss.over()
