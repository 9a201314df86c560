"""Standard output of several workers: one process writes all their lines, whole and in turn.

A pipe tears lines over 4,096 bytes that several processes write to it (POSIX, PIPE_BUF). So each
worker has a pipe of its own to the parent in place of its standard output.
"""

from __future__ import annotations

import os
import select
import time

from gatewaylog.notices import notice
from gatewaylog.sinks.room import Outlet
from gatewaylog.systemcodes import SystemCode

_PIECE = 64 * 1024  # bytes that are read at once
_AGAIN = 1.0  # seconds until an output that fails is tried again
_FAREWELL = 1.0  # seconds that the output is waited for at the end


class StandardOutput:
    """Takes what workers write, and writes it to `fd`, line by line. Where nobody reads that, no
    worker is read either, so that their pipes get full and each of them knows.
    """

    def __init__(self, fd: int = 1) -> None:
        self.lost = 0
        """Lines that a worker was killed in."""
        self._fd = fd
        self._outlet = Outlet(fd)
        self._parts: dict[int, bytes] = {}  # by the pipe: a line that has no end yet
        self._waiting = b""
        self._again = 0.0

    def pipe(self) -> int:
        """Return what a worker that is about to be forked shall write to."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self._parts[reader] = b""
        return writer

    def stand_for(self, writer: int) -> None:
        """In the worker: have standard output lead to that pipe."""
        self.leave()
        os.dup2(writer, self._fd)
        os.close(writer)

    def leave(self) -> None:
        """In a child: let go of the pipes of others."""
        for reader in self._parts:
            os.close(reader)
        self._parts = {}

    @property
    def readers(self) -> list[int]:
        """Which descriptors to wait for until they can be read."""
        return [] if self._waiting else list(self._parts)

    @property
    def writers(self) -> list[int]:
        """Which to wait for until they can be written."""
        return [self._fd] if self._waiting and time.monotonic() >= self._again else []

    def pass_on(self, readable: list[int]) -> None:
        """Read those of `readers` that can be, and write what can be written."""
        for reader in readable:
            if reader in self._parts:
                self._take(reader)
        self._write()

    def _take(self, reader: int, *, is_last: bool = False) -> None:
        try:
            piece = os.read(reader, _PIECE)
        except BlockingIOError:
            if not is_last:
                return
            piece = b""
        lines, end, rest = (self._parts[reader] + piece).rpartition(b"\n")
        self._waiting += lines + end
        self._parts[reader] = rest
        if not piece:
            os.close(reader)
            if self._parts.pop(reader):
                self._waiting += rest + b"\n"
                self.lost += 1
                told = "a worker was killed in the middle of a line: its event is lost"
                notice(told, code=SystemCode.RESOURCE_INSERT)

    def _write(self) -> None:
        try:
            while self._waiting:
                self._waiting = self._waiting[self._outlet.put(self._waiting) :]
        except BlockingIOError:
            return
        except OSError:  # its reader is gone, say: another may come
            self._again = time.monotonic() + _AGAIN

    def finish(self) -> None:
        """Write what ended workers have left, as far as somebody reads it soon."""
        until = time.monotonic() + _FAREWELL
        while (self._parts or self._waiting) and (left := until - time.monotonic()) > 0:
            select.select(self.readers, self.writers, [], left)
            self.pass_on(self.readers)
        while self._parts:  # what nobody reads is counted
            self._take(next(iter(self._parts)), is_last=True)
        if count := self._waiting.count(b"\n"):
            told = f"{count} lines were not written to standard output: nobody reads it"
            notice(told, code=SystemCode.RESOURCE_INSERT)
        self._outlet.close()
