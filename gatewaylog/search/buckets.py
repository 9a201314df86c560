"""Spans of time and of numbers, and the buckets they make.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Timechart (span and bins) and
…/SearchReference/Bin. Buckets begin where local time says: an hour on the hour, a day at midnight,
a week on Sunday, a month on the first.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.search import timespan
from gatewaylog.search.timespan import MONTHS, SECONDS, UNIT_NAMED
from gatewaylog.search.values import normal, number_of_text, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.search.scanner import Scanner, Token
    from gatewaylog.search.values import Number

_SPAN = re.compile(r"([0-9]{1,9})?([a-z]+)", re.IGNORECASE)
_PARTS = {"us": 1_000_000, "ms": 1000, "cs": 100, "ds": 10}
_FIRST = datetime(1970, 1, 4)  # noqa: DTZ001 - a Sunday, local time
_KNOWN = ("10s", "5m", "1h", "1d", "1w", "1mon", "1y", "100ms")
MOST = 50_000  # buckets of one chart, Splunk's own bound


class Span(NamedTuple):
    """A length of time: `size` times `unit`, one of s m h d w mon q y, or a part of a second."""

    size: int
    unit: str

    @property
    def in_seconds(self) -> bool:
        """Tell whether buckets begin at whole seconds."""
        return self.unit not in _PARTS

    def floor(self, moment: float, zone: tzinfo | None) -> float:
        """Return where the bucket of `moment` begins."""
        if self.unit in _PARTS:
            return _floor_parts(moment, self.size, _PARTS[self.unit])
        if self.unit in SECONDS:
            return _floor_seconds(moment, self.size * SECONDS[self.unit], zone)
        local = timespan.snapped(timespan.wall(moment, zone), self.unit)
        if self.unit in MONTHS:
            months = self.size * MONTHS[self.unit]
            local = timespan.plus_months(local, -((local.year * 12 + local.month - 1) % months))
        else:
            days = self.size * (7 if self.unit == "w" else 1)
            local -= timedelta(days=(local - _FIRST).days % days if local > _FIRST else 0)
        return timespan.epoch(local, zone)

    def after(self, start: float, zone: tzinfo | None) -> float:
        """Return where the bucket after the one that begins at `start` begins."""
        if self.unit in _PARTS:
            parts = _PARTS[self.unit]
            return (round(start * parts) + self.size) / parts
        if self.unit in SECONDS:
            size = self.size * SECONDS[self.unit]
            following = self.floor(start + size, zone)
            # Where the clock is put back the next hour may have the same name.
            return following if following > start else start + size
        local = timespan.wall(start, zone)
        if self.unit in MONTHS:
            local = timespan.plus_months(local, self.size * MONTHS[self.unit])
        else:
            local += timedelta(days=self.size * (7 if self.unit == "w" else 1))
        return timespan.epoch(local, zone)

    def starts(self, first: float, last: float, zone: tzinfo | None) -> Iterator[float]:
        """Yield where the buckets from that of `first` to that of `last` begin."""
        start = self.floor(first, zone)
        while start <= last:
            yield start
            following = self.after(start, zone)
            if following <= start:
                return
            start = following

    def seconds(self) -> float:
        """Return its length, months as 30 days."""
        if self.unit in _PARTS:
            return self.size / _PARTS[self.unit]
        days = {"d": 1, "w": 7, "mon": 30, "q": 90, "y": 365}
        return self.size * (SECONDS.get(self.unit) or days[self.unit] * 86400)


# What an automatic span is chosen from; each is made of whole ones before it.
AUTOMATIC = (
    *(Span(size, "s") for size in (1, 5, 10, 30)),
    *(Span(size, "m") for size in (1, 5, 10, 30)),
    *(Span(1, unit) for unit in ("h", "d", "mon")),
)


def _floor_parts(moment: float, count: int, parts: int) -> float:
    whole = math.floor(moment)
    part = math.floor(round((moment - whole) * 1_000_000) * parts / 1_000_000)
    return whole + part // count * count / parts


def _floor_seconds(moment: float, size: int, zone: tzinfo | None) -> float:
    offset = timespan.offset_of(moment, zone)
    start = math.floor((moment + offset) / size) * size - offset
    if size > 3600 and timespan.offset_of(start, zone) != offset:
        # The clock was changed inside the bucket: it begins at its local time of then.
        local = datetime.fromtimestamp(start + offset, UTC).replace(tzinfo=None)
        return timespan.epoch(local, zone)
    return int(start) if start == int(start) else start


def automatic(first: float, last: float, zone: tzinfo | None, most: int = 100) -> Span:
    """Return the smallest span that gives at most `most` buckets from `first` to `last`."""
    for span in AUTOMATIC[:-1]:
        if count(span, first, last, zone, most) <= most:
            return span
    return AUTOMATIC[-1]


def count(span: Span, first: float, last: float, zone: tzinfo | None, limit: int = MOST) -> int:
    """Return how many buckets there are from `first` to `last`, `limit` + 1 where they are more."""
    if (last - first) / span.seconds() > 2 * limit:
        return limit + 1
    return sum(1 for _ in islice(span.starts(first, last, zone), limit + 1))


def time_span(scan: Scanner, token: Token) -> Span:
    """Return the span of time that `token` writes."""
    found = _SPAN.fullmatch(token.text)
    unit = None
    if found:
        name = found[2].lower()
        unit = name if name in _PARTS else UNIT_NAMED.get(name)
    if found is None or unit is None:
        return scan.fail("this is no span of time", token, _KNOWN)
    span = Span(int(found[1] or 1), unit)
    if not span.size:
        scan.fail("a span can't be 0", token, _KNOWN)
    if unit in _PARTS and (span.size >= _PARTS[unit] or _PARTS[unit] % span.size):
        scan.fail("a part of a second has to divide it", token, _KNOWN)
    if unit not in _PARTS and span.seconds() > 1000 * 365 * 86400:
        scan.fail("a span can't be longer than 1000 years", token, _KNOWN)
    return span


class NumberSpan(NamedTuple):
    """A length on the line of numbers, whose buckets are shown as `0-100`."""

    size: Number

    def label(self, number: Number) -> str | None:
        """Return the bucket of `number`, as it is shown."""
        start = normal(math.floor(number / self.size) * self.size)
        end = None if start is None else normal(start + self.size)
        return None if start is None or end is None else f"{text_of(start)}-{text_of(end)}"


def number_span(scan: Scanner, token: Token) -> NumberSpan:
    """Return the span of numbers that `token` writes."""
    size = number_of_text(token.text)
    if size is None or size <= 0:
        return scan.fail("a number greater than 0 is needed here", token)
    return NumberSpan(size)
