"""Lines in blocks of many, forwards and backwards, so that a search can look at bytes first."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.exceptions import ReaderError
from gatewaylog.reader.numbering import PIECE, Numbered
from gatewaylog.reader.sources import Source, asking

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 1024 * 1024  # bytes of a line; what is longer is cut there


class Block(NamedTuple):
    """Whole lines that stand behind each other, in the source's order.

    Each ends with its line feed but perhaps the source's last. A line over LONGEST bytes is a
    block of its own: `raw` holds its begin, `size` tells how many bytes of the source it takes.
    `number` is the first line's, 0 where it is not known since the source is read backwards.
    """

    source: Numbered
    offset: int
    raw: bytes
    number: int
    size: int

    @property
    def is_cut(self) -> bool:
        """Tell whether this is the begin of one line that is too long."""
        return self.size != len(self.raw)


def blocks_of(source: Source, *, newest_first: bool = False, size: int = PIECE) -> Iterator[Block]:
    """Yield all that a source holds, of a part all of that, from its end where `newest_first`.

    Memory stays under a few times `size` and LONGEST whatever the source's size.
    """
    return _backwards(source, size) if newest_first else _forwards(source, size)


def blocks_between(source: Source, begin: int, end: int, *, size: int = PIECE) -> Iterator[Block]:
    """Yield what stands from the byte `begin` on, where a line begins, up to `end`; the first block
    is not numbered. All of it is read forwards.
    """
    return _forwards_from(source, begin, 0, _up_to(source, begin, end, size))


def shares_of(source: Source, size: int) -> list[tuple[int, int]]:
    """Return byte ranges of whole lines that make up a file which is not packed, about `size` bytes
    each, for `blocks_between`; none where it can't be read at any place.
    """
    if source.is_pipe or source.is_packed:
        return []
    with source.seekable() as file:
        fd = file.fileno()
        end = _end_of(source, fd)
        cuts = [source.first]
        while cuts[-1] + size < end:
            cuts.append(_end_of_line(source, fd, cuts[-1] + size, end))
    return list(pairwise([*cuts, end])) if cuts[-1] < end else list(pairwise(cuts))


def _end_of_line(source: Source, fd: int, at: int, end: int) -> int:
    """Return where the line ends that the byte before `at` is in, behind its line feed."""
    at -= 1
    while at < end:
        piece = _read(source, fd, at, min(at + PIECE, end))
        if found := piece.find(b"\n") + 1:
            return at + found
        at += len(piece)
    return end


def _end_of(source: Source, fd: int) -> int:
    """Return where a source ends, now, or the part of it that is read."""
    size = os.fstat(fd).st_size
    return size if source.stop is None else min(size, source.stop)


def _up_to(source: Source, begin: int, end: int, size: int) -> Iterator[bytes]:
    for piece in source.pieces(size, begin):
        yield piece[: end - begin]
        begin += len(piece)
        if begin >= end:
            return
    raise _shortened(source)


def _shortened(source: Source) -> ReaderError:
    return ReaderError(f"{source.name}: was cut short while it was read")


def _forwards(source: Source, size: int) -> Iterator[Block]:
    pieces = source.pieces(size, source.first)
    if source.stop is not None:
        pieces = _up_to(source, source.first, source.stop, size)
    return _forwards_from(source, source.first, 0 if source.first else 1, pieces)


def _forwards_from(
    source: Source, offset: int, number: int, pieces: Iterator[bytes]
) -> Iterator[Block]:
    rest, known = b"", bool(number)
    piece = next(pieces, b"")
    while piece:
        if end := piece.rfind(b"\n") + 1:
            raw, rest, piece = rest + piece[:end], piece[end:], b""
            yield Block(source, offset, raw, number, len(raw))
            offset, number = offset + len(raw), number + (raw.count(b"\n") if known else 0)
        else:
            rest, piece = rest + piece, b""
        if len(rest) > LONGEST:
            skipped, piece = _rest_of_line(pieces)
            yield Block(source, offset, rest[:LONGEST], number, len(rest) + skipped)
            offset, number, rest = offset + len(rest) + skipped, number + known, b""
        piece = piece or next(pieces, b"")
    if rest:
        yield Block(source, offset, rest, number, len(rest))


def _rest_of_line(pieces: Iterator[bytes]) -> tuple[int, bytes]:
    """Pass over what is left of a line; return its length and what was read behind it."""
    skipped = 0
    for piece in pieces:
        if end := piece.find(b"\n") + 1:
            return skipped + end, piece[end:]
        skipped += len(piece)
    return skipped, b""


def _backwards(source: Source, size: int) -> Iterator[Block]:
    with source.seekable() as file:
        fd = file.fileno()
        at = stop = _end_of(source, fd)  # what stands from `stop` on has been yielded
        rest = b""  # what stands from `at` to `stop`
        while at > source.first:
            begin = max(source.first, at - size)
            piece = _read(source, fd, begin, at)
            # The line feed right before `stop` ends the last line; it begins none.
            is_first = begin == source.first
            first = 0 if is_first else piece.find(b"\n", 0, len(piece) - (not rest)) + 1
            if first or is_first:
                raw, rest, stop = piece[first:] + rest, piece[:first], begin + first
                yield Block(source, stop, raw, 0, len(raw))
            else:
                rest = piece + rest
            at = begin
            if len(rest) > LONGEST + 1:
                at = _begin_of_line(source, fd, at, size)
                yield Block(source, at, _read(source, fd, at, at + LONGEST), 0, stop - at)
                stop, rest = at, b""


def _begin_of_line(source: Source, fd: int, at: int, size: int) -> int:
    """Return where the line begins that `at` is in."""
    while at:
        begin = max(0, at - size)
        if found := _read(source, fd, begin, at).rfind(b"\n") + 1:
            return begin + found
        at = begin
    return 0


def _read(source: Source, fd: int, begin: int, end: int) -> bytes:
    with asking(source.name):
        piece = os.pread(fd, end - begin, begin)
    if len(piece) != end - begin:
        raise _shortened(source)
    return piece
