"""`FILE.digest`, open and locked: its last line, and the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from gatewaylog.seal.digest import hash_of, read_line, signed_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatewaylog.seal.digest import Digest
    from gatewaylog.seal.keys import Signer

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o640
_PAUSE = 0.01  # seconds between two tries to have the lock
_TAIL = 64 * 1024
_WAITS = 5.0


class Ledger:
    """The digests of a log, which this process alone adds to just now."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @property
    def size(self) -> int:
        """Bytes that it has."""
        return os.fstat(self._fd).st_size

    def lines(self, start: int = 0) -> Iterator[bytes]:
        """Yield the whole lines from the byte `start` on, without their line feeds."""
        rest = b""
        while piece := os.pread(self._fd, _TAIL, start):
            start += len(piece)
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole

    def last(self) -> bytes:
        """Return the last line without its line feed, empty where there is none."""
        size, length = self.size, _TAIL
        while True:
            raw = os.pread(self._fd, length, max(0, size - length)).removesuffix(b"\n")
            if b"\n" in raw or length >= size:
                return raw.rpartition(b"\n")[2]
            length *= 2

    def append(self, digest: Digest, signer: Signer) -> None:
        """Sign a digest as the next one, and bring it to the disk. Raises OSError, and leaves
        nothing of it then.
        """
        size, last = self.size, self.last()
        is_torn = bool(size) and os.pread(self._fd, 1, size - 1) != b"\n"
        number = self._number(last, is_torn=is_torn)
        before = hash_of(last) if last else ""
        line = signed_line(replace(digest, number=number, before=before, key=signer.name), signer)
        if is_torn:
            line = b"\n" + line  # who wrote before was killed in the middle
        try:
            rest = line
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            os.ftruncate(self._fd, size)
            raise
        os.fsync(self._fd)

    def _number(self, last: bytes, *, is_torn: bool) -> int:
        if not last:
            return 1
        try:
            return read_line(last).digest.number + 1
        except ValueError:
            return sum(1 for _ in self.lines()) + is_torn + 1


@contextlib.contextmanager
def opened(path: Path, *, wait: bool = False) -> Iterator[Ledger | None]:
    """Give the digests at `path`, None where another process has them; `wait` some seconds for
    that. Raises OSError.
    """
    fd = os.open(path, _FLAGS, _MODE)
    try:
        yield Ledger(fd) if _locked(fd, _WAITS if wait else 0.0) else None
    finally:
        os.close(fd)


def _locked(fd: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE)
        else:
            return True
