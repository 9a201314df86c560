"""A line's time, from its first bytes where they tell it: for putting files in order."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from gatewaylog.formats import Line, parse_line

if TYPE_CHECKING:
    from collections.abc import Iterable

_STAMP = re.compile(
    rb'\0*(?:\xef\xbb\xbf)?(?:\{"@timestamp": ?"|time=)?'
    rb"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})"
)
_BOM = b"\xef\xbb\xbf"
_ODD = (b"\0", b"\xef")


def time_of(raw: bytes) -> float | None:
    """Return a line's time in seconds since the epoch, None where it tells none.

    Four times as fast as reading the whole line, since neighbours share their second.
    """
    found = _STAMP.match(raw)
    if found is None:
        line = parse_line(clean(raw))
        return line.time.timestamp() if isinstance(line, Line) else None
    second, fraction, offset = found.groups()
    whole = _epoch(second, offset)
    if whole is None or fraction is None:
        return whole
    return whole + int(fraction[:6].ljust(6, b"0")) / 1_000_000


def clean(raw: bytes) -> bytes:
    """Return a line without what may stand before it: a byte order mark, and the NULs that a cut
    under an open writer or a machine that lost power leaves.
    """
    return raw.lstrip(b"\0").removeprefix(_BOM) if raw[:1] in _ODD else raw


@lru_cache(maxsize=256)
def _epoch(second: bytes, offset: bytes) -> float | None:
    try:
        return datetime.fromisoformat((second + offset).decode()).timestamp()
    except (ValueError, OverflowError):
        return None


def first_time(raws: Iterable[bytes]) -> float | None:
    """Return the time of the first line that tells one."""
    return next((time for raw in raws if (time := time_of(raw)) is not None), None)
