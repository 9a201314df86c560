"""Lines on a descriptor that is no file of ours: standard output, a pipe, a terminal.

Nobody waits for a reader that has stopped reading: what has no room counts as not written, as on a
full disk. A line of which a part had room is finished before the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import threading
import time
from typing import TYPE_CHECKING

from gatewaylog.forks import renew_after_fork
from gatewaylog.sinks.owner import Owner
from gatewaylog.sinks.room import Outlet

if TYPE_CHECKING:
    from collections.abc import Iterator

UNREAD = "nobody reads it"
_PATIENCE = 0.1  # seconds that may be waited for room, in each second
_FAREWELL = 1.0  # seconds that the rest of a line is waited for at the end
_PID = 8  # bytes


class StreamSink:
    """Writes whole lines to `fd`, one after the other.

    Pipes tear long lines of several writers: threads are kept apart by a lock, processes that
    inherited this sink by a lock on an unnamed file.
    """

    def __init__(self, fd: int = 1, name: str = "standard output") -> None:
        self.name = name
        self.owner = Owner()
        self._outlet = Outlet(fd)
        self._broken = False  # the stream ends in a part of a line that nobody finishes
        self._patience = _PATIENCE
        self._renewed = time.monotonic()
        self._processes = _unnamed_file()
        self._pending = mmap.mmap(-1, _PID)  # shared: which process has a rest to write
        self._forked()
        renew_after_fork(self._forked)

    def _forked(self) -> None:
        self._threads = threading.Lock()
        self._rest = b""  # of a line that was begun
        self._stalled = False

    def __del__(self) -> None:
        os.close(self._processes)

    def write(self, line: bytes) -> str | None:
        """Write one line; return why it can't be written. Waits for a slow reader a tenth of a
        second in each, and for one that has stopped once.

        A line of which a part could be written counts as written.
        """
        with self._threads:
            try:
                with self._alone() as is_free:
                    if not (is_free and self._is_rest_written()):
                        return UNREAD
                    return self._begin(line)
            except OSError as error:
                return error.strerror or str(error)

    def _begin(self, line: bytes) -> str | None:
        left = self._send(b"\n" + line if self._broken else line)
        if len(left) >= len(line):
            self._broken = self._broken and len(left) > len(line)
            return UNREAD
        self._broken = False
        if left:
            self.owner.kept()  # all but this one
            self._keep(left)
        return None

    def _is_rest_written(self) -> bool:
        """Finish the line that was begun; say whether that is done. Raises OSError."""
        if not self._rest:
            return True
        try:
            self._keep(self._send(self._rest))
        except OSError as error:
            self._give_up(error.strerror or str(error))
            raise
        return not self._rest

    def _keep(self, rest: bytes) -> None:
        self._rest = rest
        self._pending[:] = (os.getpid() if rest else 0).to_bytes(_PID, "big")

    def _give_up(self, reason: str) -> None:
        """Leave a line that was begun as it is."""
        self._keep(b"")
        self._broken = True
        self.owner.gone(reason)

    def _send(self, rest: bytes) -> bytes:
        """Write what there is room for; return what is left. Raises OSError."""
        whole = len(rest)
        try:
            while rest:
                try:
                    rest = rest[self._outlet.put(rest) :]
                    self._stalled = False
                except BlockingIOError:
                    if not self._is_room():
                        break
        except OSError:
            self._broken = self._broken or len(rest) < whole
            raise
        return rest

    def _is_room(self) -> bool:
        """Wait a little for room; say whether there is any."""
        now = time.monotonic()
        if now - self._renewed >= 1:
            self._renewed, self._patience = now, _PATIENCE
        if self._stalled or self._patience <= 0:
            return False
        is_room = self._outlet.wait(self._patience)
        self._patience -= time.monotonic() - now
        self._stalled = not is_room
        return is_room

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Keep other processes out; say whether none of them is in the middle of a line."""
        fcntl.lockf(self._processes, fcntl.LOCK_EX)
        try:
            pid = int.from_bytes(self._pending[:], "big")
            is_free = pid in {0, os.getpid()}
            if not is_free and not _runs(pid):
                self._keep(b"")
                self._broken = is_free = True
            yield is_free
        finally:
            fcntl.lockf(self._processes, fcntl.LOCK_UN)

    def look(self) -> None:
        """Finish the line that was begun, where there is room now."""
        if self._rest:
            with self._threads, contextlib.suppress(OSError), self._alone():
                self._is_rest_written()

    def reopen(self) -> None:
        """Take the descriptor as it is now: a stream has no name to be opened by."""
        with self._threads:
            self._outlet.close()

    def close(self) -> None:
        """Finish the line that was begun, if somebody reads it soon. The descriptor is not ours."""
        until = time.monotonic() + _FAREWELL
        while self._rest and (left := until - time.monotonic()) > 0:
            self._outlet.wait(left)
            self.look()
        with self._threads:
            if self._rest:
                self._give_up(UNREAD)
            self._outlet.close()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _unnamed_file() -> int:
    """Return a descriptor to lock: in memory where the system can, as a container may have no
    folder that can be written to.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create("gatewaylog")
    from tempfile import TemporaryFile  # a tenth of what importing the log costs

    with TemporaryFile() as file:
        return os.dup(file.fileno())
