"""Lines of a pipe as they come, polled as files are that grow."""

from __future__ import annotations

import os
import select
import sys
from typing import TYPE_CHECKING, Self

from gatewaylog.reader.blocks import LONGEST, Block
from gatewaylog.reader.lines import entries_in
from gatewaylog.reader.numbering import Numbered
from gatewaylog.reader.sources import STANDARD_INPUT, asking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.reader.lines import Entry

_PIECE = 64 * 1024
_MOST = 64  # pieces that are read at one look


class Pipe(Numbered):
    """Standard input (`-`) or a named pipe. Raises ReaderError where it can't be opened.

    `ended` tells that its writers have closed it and all lines were given. What is packed is not
    unpacked.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.ended = False
        self._own = name != STANDARD_INPUT
        with asking(name):
            flags = os.O_RDONLY | os.O_NONBLOCK  # else a named pipe waits for its writer here
            self._fd = os.open(name, flags) if self._own else sys.stdin.fileno()
        self._ready = select.poll()
        self._ready.register(self._fd, select.POLLIN)
        self._rest = b""
        self._number, self._offset = 1, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            os.close(self._fd)

    def number_at(self, offset: int) -> int:
        """Not called: every line is numbered as it comes."""
        raise NotImplementedError

    def poll(self) -> Iterator[Entry]:
        """Yield the lines that came since the last look, at the end also one without an end."""
        for _ in range(_MOST):
            if self.ended or not self._ready.poll(0):
                return
            with asking(self.name):
                piece = os.read(self._fd, _PIECE)
            self.ended = not piece
            yield from self._lines(piece)

    def _lines(self, piece: bytes) -> Iterator[Entry]:
        """Yield the lines that `piece` ends, of which only the first may be too long."""
        end = piece.rfind(b"\n") + 1
        if not end and not self.ended:
            self._rest = (self._rest + piece)[: LONGEST + 1]  # enough to tell that it is too long
            return
        raw, self._rest = self._rest + piece[:end], piece[end:]
        if raw:
            block = Block(self, self._offset, raw, self._number, len(raw))
            self._offset += len(raw)
            self._number += raw.count(b"\n")
            yield from entries_in(block)
