"""The numbers of lines, counted only when one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 256 * 1024  # bytes read at once


class Numbered:
    """What lines stand in."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._counted = (0, 1)  # an offset, and the number of the line there

    def pieces(self, size: int = PIECE, start: int = 0) -> Iterator[bytes]:
        """Yield what it holds from the byte `start` on, up to `size` bytes at once."""
        raise NotImplementedError

    def number_at(self, offset: int) -> int:
        """Return the number of the line that begins at `offset`, from 1 on.

        Counts the line feeds between it and the offset that was asked for before.
        """
        known, number = self._counted
        if offset >= known:
            number += self._line_feeds(known, offset - known)
        else:
            number -= self._line_feeds(offset, known - offset)
        self._counted = offset, number
        return number

    def _line_feeds(self, start: int, length: int) -> int:
        found = 0
        for piece in self.pieces(start=start) if length else ():
            found += piece.count(b"\n", 0, length)
            length -= len(piece)
            if length <= 0:
                break
        return found
