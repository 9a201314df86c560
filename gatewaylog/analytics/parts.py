"""What a part of a log gives to queries, read line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from gatewaylog.reader import LONGEST, blocks_between
from gatewaylog.reader.times import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.reader import Block, Source
    from gatewaylog.search import Together
    from gatewaylog.search.gathering import State


class Given(NamedTuple):
    """What lines give: for each part of them a state of each query; and how many of them could not
    be read.
    """

    states: list[list[State]]
    unread: int


class Part(Protocol):
    """A part of a log; it can be pickled."""

    def given(self, together: Together) -> Given:
        """Return what its lines give."""


class FilePart(NamedTuple):
    """Bytes of a file, from `begin` to `end`: whole lines."""

    source: Source
    inside: str  # the index
    begin: int
    end: int

    def given(self, together: Together) -> Given:
        """Return what its lines give."""
        return gathered(together, blocks_between(self.source, self.begin, self.end), self.inside)


def gathered(together: Together, blocks: Iterable[Block], inside: str) -> Given:
    """Return what blocks of lines give, which are of the index `inside`."""
    before, cut = together.unread, _TooLong(together)
    also = {"index": inside} if inside else {}
    states = together.states(cut.readable(blocks), clean=clean, also=also)
    return Given([states], together.unread - before + cut.number)


class _TooLong:
    """Counts lines that are too long to be read, and takes them out of blocks."""

    def __init__(self, together: Together) -> None:
        self.number = 0
        self._passes = together.passes

    def readable(self, blocks: Iterable[Block]) -> Iterator[bytes]:
        for block in blocks:
            if len(block.raw) < LONGEST and not block.is_cut:
                yield block.raw
                continue
            for line in block.raw.split(b"\n"):
                if len(line) < LONGEST and not block.is_cut:
                    yield line
                else:
                    self.number += self._passes(line[:LONGEST])
