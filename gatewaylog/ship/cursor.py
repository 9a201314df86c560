"""A log's file read from any byte on, packed or not, whatever its name has become."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
from typing import TYPE_CHECKING

from gatewaylog.reader import LONGEST, Block, Source
from gatewaylog.reader.numbering import Numbered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAIL = 64 * 1024  # bytes of the line before that are hashed at most
_LOOK = 16 * 1024  # bytes in which a first line is mostly found


def digest(line: bytes) -> str:
    """Return the SHA-256 of a line with its line feed, in hex."""
    return hashlib.sha256(line).hexdigest()


def first_line(path: Path) -> str | None:
    """Return the digest of a file's first whole line; None where it has none yet.

    Empty lines before it go with it: by themselves they are alike in all files. Of a line over
    LONGEST bytes its begin stands for all. Raises ReaderError and OSError.
    """
    head = b""
    for piece in Source(str(path)).pieces():
        head += piece
        if (end := _end_of_first(head)) or len(head) > LONGEST:
            return digest(head[: min(end or LONGEST, LONGEST)])
    return None


def _end_of_first(head: bytes) -> int:
    """Return where the first line that is not empty ends; 0 where it is not whole."""
    empty = len(head) - len(head.lstrip(b"\r\n"))
    return head.find(b"\n", empty) + 1


class Cursor(Numbered):
    """Reads whole lines of one file that stays open. Raises ReaderError and OSError.

    `name` is what its lines are said to stand in.
    """

    is_packed = False
    damage = ""  # how its data broke off, once its end was read

    def number_at(self, offset: int) -> int:
        """Return 0: no line's number is counted."""
        del offset
        return 0

    def at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset` on; fewer only at the end."""
        raise NotImplementedError

    def is_over(self, quiet: float, now: float) -> bool:
        """Tell whether nothing more will be written: no change for `quiet` seconds, no writer."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of it."""

    def lines(self, offset: int, size: int, *, whole: bool) -> Block | None:
        """Return the lines from `offset` on that fit in `size` bytes, but at least one.

        With `whole` a line without its line feed is not there yet. None where there is none.
        """
        raw = self.at(offset, size)
        while (end := raw.rfind(b"\n") + 1) == 0 and len(raw) == size and size <= LONGEST:
            size *= 2
            raw = self.at(offset, size)
        if not end and len(raw) > LONGEST:
            return self._cut(offset, raw, whole=whole)
        end = end or (0 if whole else len(raw))
        return Block(self, offset, raw[:end], 0, end) if end else None

    def _cut(self, offset: int, raw: bytes, *, whole: bool) -> Block | None:
        length = len(raw)
        begin, raw = raw[:LONGEST], b""
        while piece := self.at(offset + length, LONGEST):
            if end := piece.find(b"\n") + 1:
                return Block(self, offset, begin, 0, length + end)
            length += len(piece)
        return None if whole else Block(self, offset, begin, 0, length)

    def first(self) -> str | None:
        """Return the digest of the first whole line, as `first_line` does."""
        size = _LOOK
        while (end := _end_of_first(head := self.at(0, size))) == 0 and len(head) == size:
            if size >= LONGEST:
                return digest(head[:LONGEST])
            size *= 2
        return digest(head[:end]) if end else None

    def is_proven(self, offset: int, size: int, before: str) -> bool:
        """Tell whether the line of `size` bytes that ends at `offset` has the digest `before`."""
        return not offset or digest(self.at(offset - size, size)) == before


class PlainCursor(Cursor):
    """A file that is not packed, known by its descriptor."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(name)
        self._file = io.FileIO(path)

    def at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset` on."""
        return os.pread(self._file.fileno(), size, offset)

    def is_over(self, quiet: float, now: float) -> bool:
        """Look at when it was written to, and whether a writer has locked it."""
        descriptor = self._file.fileno()
        if now - os.fstat(descriptor).st_mtime < quiet:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class PackedCursor(Cursor):
    """A compressed file, unpacked once as long as it is read onwards."""

    is_packed = True

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(name)
        self._source = Source(str(path))
        self._is_proven = False
        self._begin(0)

    def _begin(self, offset: int) -> None:
        self._pieces: Iterator[bytes] = self._source.pieces(start=offset)
        self._held, self._from = b"", offset

    def at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset` on; anew from its begin where that is behind."""
        if offset < self._from:
            self._begin(offset)
        while self._from + len(self._held) < offset + size:
            piece = next(self._pieces, b"")
            if not piece:
                self.damage = self._source.damage
                break
            self._held += piece
            surplus = min(offset - self._from, len(self._held))
            self._held, self._from = self._held[surplus:], self._from + surplus
        start = offset - self._from
        return self._held[start : start + size]

    def is_proven(self, offset: int, size: int, before: str) -> bool:
        """Look once: what is packed changes no more, and to go back is to unpack it anew."""
        self._is_proven = self._is_proven or super().is_proven(offset, size, before)
        return self._is_proven

    def is_over(self, quiet: float, now: float) -> bool:
        """Say yes: a file is packed when it is finished."""
        del quiet, now
        return True


def opened(path: Path, name: str) -> Cursor:
    """Open a file. Raises ReaderError or OSError where it can't be read."""
    if Source(str(path)).is_packed:
        return PackedCursor(path, name)
    return PlainCursor(path, name)
