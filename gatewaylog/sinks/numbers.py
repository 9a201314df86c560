"""Whose line one is, and which of that writer's, read from its last bytes in any of the formats.

Writer, Seq, Truncated and Chain stand last on a line, and no value can look like them there.
"""

from __future__ import annotations

import re

_LONGEST = 16 * 1024  # bytes that they take
_NUMBERS = re.compile(
    rb'Writer"?[=:] ?"?([0-9a-f]{16})"?,? "?Seq"?[=:] ?"?([0-9]{1,19})"?'
    rb'(?:,? "?Truncated"?[=:] ?"?[^"\n]*?"?)?'
    rb'(?:(,? "?Chain"?[=:] ?"?)([0-9a-f]{32}))?("?\}?)\r?\Z'
)


def numbers_at_end(raw: bytes) -> re.Match[bytes] | None:
    """Return where a line's Writer, Seq, what is before Chain, Chain, and what is behind it stand
    (groups 1 to 5, the third and fourth only where there is a Chain); None where they do not.
    """
    # Where they mostly begin: to look through the whole line takes four times as long.
    return _NUMBERS.match(raw, max(0, raw.rfind(b"Writer"))) or _NUMBERS.search(
        raw, max(0, len(raw) - _LONGEST)
    )


def numbers_in(raw: bytes) -> tuple[str, int] | None:
    """Return Writer and Seq of a line without its line feed; None where it has none."""
    match = numbers_at_end(raw)
    return (match[1].decode(), int(match[2])) if match else None
