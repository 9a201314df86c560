"""How far a log's file was read for its digests: hash, whole lines, the ends of each writer's."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from gatewaylog.seal.chain import link_of
from gatewaylog.seal.digest import Span, hash_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.seal.chain import Link

_PIECE = 1024 * 1024


class Covered:
    """A file that is open as `fd`, which is its own from now on.

    What was read is not read again, so that a change of it afterwards is not signed.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        status = os.fstat(fd)
        self.identity = status.st_dev, status.st_ino
        self.first = ""
        self.size = self.lines = 0
        self.writers: dict[str, Span] = {}
        self._hash = hashlib.sha256()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    @property
    def sha256(self) -> str:
        """The hash of the whole lines that were read."""
        return self._hash.hexdigest()

    def advance(self) -> None:
        """Read on, to the end of the last whole line."""
        length = _PIECE
        while piece := os.pread(self._fd, length, self.size):
            end = piece.rfind(b"\n") + 1
            if end:
                self._take(piece[:end])
                length = _PIECE
            elif len(piece) < length:
                return
            else:
                length *= 2

    def _take(self, piece: bytes) -> None:
        lines = piece.split(b"\n")[:-1]
        if not self.size:
            self.first = hash_of(lines[0] + b"\n")
        self._span(filter(None, map(link_of, lines)))
        self._hash.update(piece)
        self.size += len(piece)
        self.lines += len(lines)

    def _span(self, links: Iterable[Link]) -> None:
        """Take note of each writer's first line and of its last: a span for each line would take as
        long as all the rest.
        """
        firsts: dict[str, Link] = {}
        lasts: dict[str, Link] = {}
        for link in links:
            lasts[link.writer] = link
            if link.writer not in firsts:
                firsts[link.writer] = link
        for writer, last in lasts.items():
            known = self.writers.get(writer) or _span_of(firsts[writer])
            self.writers[writer] = replace(
                known, last_seq=last.seq, last_chain=last.chain.decode("ascii")
            )


def _span_of(link: Link) -> Span:
    chain = link.chain.decode("ascii")
    return Span(first_seq=link.seq, first_chain=chain, last_seq=link.seq, last_chain=chain)
