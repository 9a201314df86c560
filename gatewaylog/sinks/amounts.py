"""Sizes and durations as people write them: `10MB`, `64KiB`, `90d`."""

from __future__ import annotations

import re

_UNITS = {"": 1, "B": 1} | {
    unit: base**power
    for power, letter in enumerate("KMGT", start=1)
    for unit, base in ((f"{letter}B", 1000), (f"{letter}IB", 1024))
}
_SIZE = re.compile(r"([0-9]{1,18}) ?([A-Za-z]*)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"([0-9]{1,9}) ?([smhdw])", re.ASCII)


def size_of(text: str) -> int:
    """Return bytes: `100MiB` (1024s), `10MB` (1000s), `512B`, `512`. Raises ValueError."""
    match = _SIZE.fullmatch(text)
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise ValueError('must be bytes, or text like "64KiB", "10MB", "2GiB"')
    return int(match[1]) * int(unit)


def seconds_of(text: str) -> int:
    """Return seconds: `90d`, `12h`, `30m`, `45s`, `2w`. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError('must be a time like "90d", "12h", "30m", "45s", "2w"')
    return int(match[1]) * _SECONDS[match[2]]
