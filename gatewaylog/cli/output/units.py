"""Numbers as people read them: thousands apart, durations and sizes with their unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
_SECOND, _MINUTE, _HOUR, _DAY = 1000.0, 60_000.0, 3_600_000.0, 86_400_000.0


def number(value: float) -> str:
    """Return a number with its thousands apart and three decimals at most."""
    if isinstance(value, int):
        return f"{value:,}"
    if abs(value) >= 1e15:
        return f"{value:g}"
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return text if text != "-0" else "0"


def counted(count: float, noun: str) -> str:
    """Return how many there are of a thing."""
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"


def duration(milliseconds: float) -> str:
    """Return a duration in the unit that leaves it short, with three digits or so."""
    size = abs(milliseconds)
    if size < 100:
        return f"{milliseconds:.1f} ms"
    if size < _SECOND:
        return f"{milliseconds:.0f} ms"
    if size < _MINUTE:
        return f"{milliseconds / _SECOND:.2f} s"
    if size < _HOUR:
        return f"{milliseconds / _MINUTE:.1f} min"
    return f"{number(round(milliseconds / _HOUR, 1))} h"


def size(count: float) -> str:
    """Return a number of bytes in the unit that leaves it short: powers of a thousand."""
    at, scaled = 0, float(count)
    while abs(scaled) >= 999.5 and at < len(_SIZES) - 1:
        scaled, at = scaled / 1000, at + 1
    if at == 0:
        return f"{number(count)} B"
    return f"{scaled:,.{0 if abs(scaled) >= 99.95 else 1}f} {_SIZES[at]}"


def percent(share: float) -> str:
    """Return a share of a hundred; one that is not 0 is never shown as 0."""
    if 0 < share < 0.05:
        return "<0.1 %"
    return f"{share:.1f} %"


UNITS: dict[str, Callable[[float], str]] = {"ms": duration, "bytes": size, "%": percent}
