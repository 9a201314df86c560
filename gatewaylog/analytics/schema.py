"""The columns of the cache, and what makes one version of it differ from another."""

from __future__ import annotations

import hashlib

from gatewaylog.events import LAYOUTS, SEQ, WRITER, Layout

# The fields of the log's lines, in their order.
FIELDS = tuple(
    dict.fromkeys(
        [
            "Event",
            *(field.key for layout in LAYOUTS for field in layout.fields),
            WRITER.key,
            SEQ.key,
        ]
    )
)

# Fields that are long and never the same. Which letters they are made of is kept, so that words of
# others need not be looked for in them: that is half of the time.
IDENTITIES = ("MessageID", "ResponseTo", "RequestID", "TraceID", "TokenRef")

# What else is kept of a line. `_block` is the byte of the log at which the block begins that it was
# read in. A line that is taken apart wholly has `_stamp` and `_head`, all before its first value;
# any other has `_raw`, and where it can't be read as a row of texts nothing but that. `_extra` is a
# JSON object of the fields that are none of the log's own.
COLUMNS = {
    "_time": "DOUBLE",
    "_block": "BIGINT",
    "_stamp": "VARCHAR",
    "_head": "VARCHAR",
    "_raw": "VARCHAR",
    "_extra": "VARCHAR",
    **dict.fromkeys(FIELDS, "VARCHAR"),
}

_FORMAT = 1  # goes up when what the columns hold is made in another way
VERSION = hashlib.blake2b(repr((_FORMAT, COLUMNS, IDENTITIES)).encode(), digest_size=6).hexdigest()


def keys_of(layout: Layout) -> list[str]:
    """Return the keys of an event's lines, in their order."""
    keys = [field.key for field in (*layout.fields, WRITER, SEQ)]
    keys.insert(layout.before_name, "Event")
    return keys


def quoted(name: str) -> str:
    """Return a column's name as SQL has it."""
    return f'"{name}"'
