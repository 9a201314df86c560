"""One open file that grows, or is cut and begun again, whatever its name has become."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from gatewaylog.reader.blocks import LONGEST, Block
from gatewaylog.reader.lines import entries_in
from gatewaylog.reader.numbering import PIECE, Numbered
from gatewaylog.reader.sources import identity_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatewaylog.reader.lines import Entry

_MARK = 256  # bytes at the begin and before the place of reading, by which a file is known again


class GrowingFile(Numbered):
    """The lines of a file from its `last` ones on (None: from its first), as they are ended.

    `name` is what its lines are said to stand in. Raises OSError where it can't be opened.
    """

    def __init__(self, path: Path, name: str, last: int | None) -> None:
        super().__init__(name)
        self._file = io.FileIO(path)
        self._fd = self._file.fileno()
        self.identity = identity_of(os.fstat(self._fd))
        self.heads: set[bytes] = set()  # its first bytes, by which it and its copies are known
        self._seen = (0, 0)  # size and time of change at the last look
        self._begin(0, 1)
        if last is not None:
            self._begin(_place_of_last(self._fd, last), 0)

    def _begin(self, at: int, number: int) -> None:
        self._line = self._at = at  # where the line that is not ended begins; what is read next
        self._number = number  # of that line, 0: to be counted when asked for
        self._rest = b""  # of that line, up to a byte more than LONGEST
        self._counted = (0, 1)
        self._mark = os.pread(self._fd, min(_MARK, at), max(0, at - _MARK))

    @property
    def place(self) -> int:
        """The byte that the first line begins with that was not given."""
        return self._line

    def head(self) -> bytes:
        """Return its first bytes, in which its first line tells its time and its id."""
        return os.pread(self._fd, _MARK, 0)

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    def pieces(self, size: int = PIECE, start: int = 0) -> Iterator[bytes]:
        """Yield what it holds from the byte `start` on; nothing once it is closed."""
        while not self._file.closed and (piece := os.pread(self._fd, size, start)):
            start += len(piece)
            yield piece

    def number_at(self, offset: int) -> int:
        """Return the number of the line that begins at `offset`; 0 once the file is closed."""
        return 0 if self._file.closed else super().number_at(offset)

    @property
    def size(self) -> int:
        """How many bytes it has now."""
        return os.fstat(self._fd).st_size

    def fresh(self, end: int | None = None) -> Iterator[Entry]:
        """Yield the lines that were ended since the last look, up to the byte `end`."""
        status = os.fstat(self._fd)
        seen = status.st_size, status.st_mtime_ns
        if seen == self._seen:
            return
        self._seen = seen if end is None or end >= status.st_size else (0, 0)
        if not self._is_as_it_was(status.st_size):
            yield from self.torn()
            self._begin(0, 1)
        if self._at < _MARK:
            self.heads.add(self.head())
        while piece := self._next(end):
            self._at += len(piece)
            self._mark = (self._mark + piece)[-_MARK:]
            for block in self._ended(piece):
                yield from entries_in(block)

    def _next(self, end: int | None) -> bytes:
        size = PIECE if end is None else min(PIECE, end - self._at)
        if size <= 0 or self._file.closed:
            return b""
        return os.pread(self._fd, size, self._at)

    def _is_as_it_was(self, size: int) -> bool:
        """Tell whether what was read stands there still: a file may be cut and grow again."""
        before = self._at - len(self._mark)
        return size >= self._at and os.pread(self._fd, len(self._mark), before) == self._mark

    def torn(self) -> Iterator[Entry]:
        """Yield the line that has no end and will get none."""
        if self._rest:
            yield from entries_in(self._block(self._rest[:LONGEST], self._at))

    def _ended(self, piece: bytes) -> Iterator[Block]:
        """Yield the lines that `piece` ends; keep the rest."""
        behind = self._at - len(piece)
        end = piece.rfind(b"\n") + 1
        if end and len(self._rest) > LONGEST:
            first = piece.index(b"\n") + 1
            yield self._block(self._rest[:LONGEST], behind + first)
            self._rest, piece, behind, end = b"", piece[first:], behind + first, end - first
        if end:
            yield self._block(self._rest + piece[:end], behind + end)
            self._rest = b""
        self._rest = (self._rest + piece[end:])[: LONGEST + 1]

    def _block(self, raw: bytes, end: int) -> Block:
        """Return what stands from the line that is not ended to `end`, and go on from there."""
        block = Block(self, self._line, raw, self._number, end - self._line)
        self._number += (raw.count(b"\n") or 1) if self._number else 0
        self._line = end
        return block


def _place_of_last(fd: int, count: int) -> int:
    """Return where the last `count` lines begin; a line without its end does not count."""
    at = os.fstat(fd).st_size
    while at:
        begin = max(0, at - PIECE)
        piece = os.pread(fd, at - begin, begin)
        place = len(piece)
        while (place := piece.rfind(b"\n", 0, place)) >= 0:
            if not count:
                return begin + place + 1
            count -= 1
        at = begin
    return 0
