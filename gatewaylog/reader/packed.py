"""A rotated file that was packed before a follower could open it: whole, and read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.reader.lines import batches
from gatewaylog.reader.sources import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatewaylog.reader.lines import Entry
    from gatewaylog.reader.sources import Identity

_MARK = 256  # bytes at the begin, by which it and what it was packed from are known


class PackedFile:
    """The lines of a packed file, to be followed as those of a GrowingFile.

    Raises ReaderError where it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._source = Source(str(path))
        self.identity: Identity | None = self._source.identity
        self._head = self._begin()
        self.heads = {self._head}
        self._is_read = False

    def _begin(self) -> bytes:
        head = b""
        for piece in self._source.pieces(_MARK):
            head += piece
            if len(head) >= _MARK:
                break
        return head[:_MARK]

    @property
    def size(self) -> int:
        """How far it may be read: it grows no more."""
        return 0

    def head(self) -> bytes:
        """Return its first bytes."""
        return self._head

    def fresh(self, end: int | None = None) -> Iterator[Entry]:
        """Yield its lines, the first time."""
        if not self._is_read:
            self._is_read = True
            for batch in batches(self._source):
                yield from batch

    def torn(self) -> Iterator[Entry]:
        """Yield nothing: a last line without its end was given with the others."""
        return iter(())

    def close(self) -> None:
        """Do nothing: it is open only while it is read."""
