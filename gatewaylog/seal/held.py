"""What a log's file holds, read once: hashes of its first bytes, how long it is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.seal.digest import hash_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.reader.sources import Source


class Held(NamedTuple):
    """The SHA-256 of a file's first so many bytes, of those sizes that it has; bytes and line
    feeds of the whole.
    """

    hashes: dict[int, str]
    size: int
    lines: int


def held_by(source: Source, sizes: Iterable[int] = ()) -> Held:
    """Read a file. Raises ReaderError."""
    wanted = sorted(set(sizes))
    hashes, running, size, lines = {}, hashlib.sha256(), 0, 0
    for piece in source.pieces():
        while wanted and wanted[0] <= size + len(piece):
            part = running.copy()
            part.update(piece[: wanted[0] - size])
            hashes[wanted.pop(0)] = part.hexdigest()
        if wanted:
            running.update(piece)
        size += len(piece)
        lines += piece.count(b"\n")
    return Held(hashes, size, lines)


def lines_in(source: Source) -> Iterator[bytes]:
    """Yield a file's lines without their line feeds. Raises ReaderError."""
    rest = b""
    for piece in source.pieces():
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def first_of(source: Source) -> str:
    """Return the SHA-256 of a file's first line. Raises ReaderError."""
    return hash_of(next(lines_in(source), b"") + b"\n")
