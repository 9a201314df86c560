"""Lines that are delivered together, and how far the file is delivered once they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gatewaylog.reader import entries_in
from gatewaylog.ship.cursor import TAIL, digest
from gatewaylog.ship.records import Record, records_of

if TYPE_CHECKING:
    from gatewaylog.reader import Block
    from gatewaylog.ship.checkpoint import Position
    from gatewaylog.ship.track import Track


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Lines of one file from the byte `begin` on; `position` is true once they are delivered.

    Empty lines have no record. `is_live`: the file is the one that is written to, so that more may
    come soon.
    """

    records: tuple[Record, ...]
    begin: int
    position: Position
    is_live: bool


def batch_of(track: Track, block: Block, events: int, number: int) -> Batch:
    """Make a batch of at most so many `events` from a block's begin.

    `number` is the first one's.
    """
    entries = entries_in(block)
    end = block.offset + block.size
    if len(entries) > events:
        end = entries[events].offset
        entries = entries[:events]
    before = track.position
    records = tuple(records_of(entries, before.first, number, before.nanoseconds))
    last = _line_before(track, block, end)
    position = replace(
        before,
        offset=end,
        before=digest(last),
        size=len(last),
        nanoseconds=records[-1].nanoseconds if records else before.nanoseconds,
    )
    return Batch(records=records, begin=block.offset, position=position, is_live=track.is_live)


def _line_before(track: Track, block: Block, end: int) -> bytes:
    """Return the line that ends at `end`, of a long one its last TAIL bytes."""
    if block.is_cut:
        return track.at(end - TAIL, TAIL)
    length = end - block.offset
    return block.raw[block.raw.rfind(b"\n", 0, length - 1) + 1 : length][-TAIL:]
