"""`FILE.digest`, open and locked: its last line, and the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from gatewaylog.seal.digest import hash_of, read_line, signed_line
from gatewaylog.seal.pruning import count_of, pruned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatewaylog.seal.digest import Digest
    from gatewaylog.seal.keys import Signer

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o640
_PAUSE = 0.01  # seconds between two tries to have the lock
_TAIL = 64 * 1024
_BEGIN = 512
_WAITS = 5.0


class Ledger:
    """The digests of a log, which this process alone adds to just now."""

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self._path = path

    @property
    def begin(self) -> bytes:
        """The first bytes, which are others once digests were removed from its front."""
        return os.pread(self._fd, _BEGIN, 0)

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
            _write(self._fd, line)
        except OSError:
            os.ftruncate(self._fd, size)
            raise
        os.fsync(self._fd)

    def prune(self, at: str, name: str, signer: Signer) -> None:
        """Remove digests that tell of deleted files alone, all in one step; `at` is now, `name` the
        log's. Raises OSError, and leaves all as it is then.
        """
        found = pruned(self.lines(), at=at, name=name)
        if found is None:
            return
        anchor, kept = found
        fresh = self._path.with_name(f".{self._path.name}.new")
        fd = os.open(fresh, _FLAGS | os.O_TRUNC, _MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until this one is closed, as before
            _write(fd, signed_line(replace(anchor, key=signer.name), signer))
            _write(fd, b"".join(raw + b"\n" for raw in kept))
            os.fsync(fd)
            fresh.replace(self._path)
            os.dup2(fd, self._fd, inheritable=False)
        finally:
            os.close(fd)
            fresh.unlink(missing_ok=True)

    def _number(self, last: bytes, *, is_torn: bool) -> int:
        if not last:
            return 1
        try:
            return read_line(last).digest.number + 1
        except ValueError:
            return count_of(self.lines()) + is_torn + 1


@contextlib.contextmanager
def opened(path: Path, *, wait: bool = False) -> Iterator[Ledger | None]:
    """Give the digests at `path`, None where another process has them; `wait` some seconds for
    that. Raises OSError.
    """
    fd = _held(path, _WAITS if wait else 0.0)
    try:
        yield None if fd is None else Ledger(fd, path)
    finally:
        if fd is not None:
            os.close(fd)


def _held(path: Path, seconds: float) -> int | None:
    """Open and lock the file that has the name once it is locked: who had the lock may have put
    another in its place.
    """
    while True:
        fd = os.open(path, _FLAGS, _MODE)
        is_locked = _locked(fd, seconds)
        if is_locked and _is_at(path, fd):
            return fd
        os.close(fd)
        if not is_locked:
            return None


def _is_at(path: Path, fd: int) -> bool:
    """Tell whether a file that is open has its name still."""
    status = os.fstat(fd)
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino)


def _write(fd: int, content: bytes) -> None:
    while content:
        content = content[os.write(fd, content) :]


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
