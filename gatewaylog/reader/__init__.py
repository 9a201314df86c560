"""Logs read back: which files, their lines oldest or newest first, what is written meanwhile."""

from __future__ import annotations

from gatewaylog.reader.arriving import PATIENCE, Arriving, Last
from gatewaylog.reader.before import parts_before
from gatewaylog.reader.blocks import LONGEST, Block, blocks_between, blocks_of, shares_of
from gatewaylog.reader.exchanges import GRACE, Exchange, Orphan, Pairing, paired
from gatewaylog.reader.files import find
from gatewaylog.reader.finding import exchanges_in, find_ends, find_entries, find_exchanges
from gatewaylog.reader.following import Follower, follow
from gatewaylog.reader.lines import Entry, entries_in
from gatewaylog.reader.pipes import Pipe
from gatewaylog.reader.reading import Reading, entries, lines_of, read
from gatewaylog.reader.sources import Source
from gatewaylog.reader.spans import between
from gatewaylog.reader.times import time_of
from gatewaylog.reader.watching import Watch

__all__ = [
    "GRACE",
    "LONGEST",
    "PATIENCE",
    "Arriving",
    "Block",
    "Entry",
    "Exchange",
    "Follower",
    "Last",
    "Orphan",
    "Pairing",
    "Pipe",
    "Reading",
    "Source",
    "Watch",
    "between",
    "blocks_between",
    "blocks_of",
    "entries",
    "entries_in",
    "exchanges_in",
    "find",
    "find_ends",
    "find_entries",
    "find_exchanges",
    "follow",
    "lines_of",
    "paired",
    "parts_before",
    "read",
    "shares_of",
    "time_of",
]
