"""Spans of time and of numbers, and the buckets they make.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Timechart (span and bins) and
…/SearchReference/Bin. Buckets begin where local time says: an hour on the hour, a day at midnight,
a week on Sunday, a month on the first. Where the clock is put forward over that, they begin with
the first moment behind it, where it is put back, with the first of two. Both hours of one name
have buckets of up to an hour of their own; longer buckets are longer that day.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, tzinfo
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
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local time
_FIRST = datetime(1970, 1, 4)  # noqa: DTZ001 - a Sunday, local time
_FIRST_OF_ALL = datetime.min  # noqa: DTZ901 - local time
_BEFORE_ALL = -62135683200  # a day before year 1
_HOUR = 3600
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
        """Return where the bucket of `moment` begins: buckets follow each other without a gap."""
        if self.unit in _PARTS:
            return _floor_parts(moment, self.size, _PARTS[self.unit])
        if size := self._regular:
            return _floor_seconds(moment, size, zone)
        local = timespan.wall(math.floor(moment), zone)
        start = _beginning(self._floor_local(local), zone)
        # What a clock that was put back says again: later buckets may have begun the first time.
        while local.fold and (following := self.after(start, zone)) <= moment:
            start = following
        return start

    def after(self, start: float, zone: tzinfo | None) -> float:
        """Return where the bucket after the one that begins at `start` begins."""
        if self.unit in _PARTS:
            parts = _PARTS[self.unit]
            return (round(start * parts) + self.size) / parts
        if size := self._regular:
            return _after_seconds(start, size, zone)
        local, following = self._floor_local(timespan.wall(start, zone)), start
        while following <= start:  # a change of the clock may leave whole buckets out
            try:
                local = self._next_local(local)
            except (ValueError, OverflowError):  # the last that the calendar has
                return math.inf
            following = _beginning(local, zone)
        return following

    @property
    def _regular(self) -> int:
        """Its seconds, if they are so few that a change of the clock makes no bucket longer; 0:
        its buckets are those of the calendar, whatever the clock does in them.
        """
        size = self.size * SECONDS.get(self.unit, 0)
        return size if size <= _HOUR else 0

    def _floor_local(self, local: datetime) -> datetime:
        """Return where the bucket of a local time begins, in local time."""
        try:
            if self.unit in SECONDS:
                size = timedelta(seconds=self.size * SECONDS[self.unit])
                return _EPOCH + (local - _EPOCH) // size * size
            snapped = timespan.snapped(local, self.unit)
            if self.unit in MONTHS:
                months = snapped.year * 12 + snapped.month - 1
                back = months % (self.size * MONTHS[self.unit])
                return timespan.plus_months(snapped, -back)
            return snapped - (snapped - _FIRST) % timedelta(days=self._days)
        except (ValueError, OverflowError):  # it began before year 1
            return _FIRST_OF_ALL

    @property
    def _days(self) -> int:
        return self.size * (7 if self.unit == "w" else 1)

    def _next_local(self, local: datetime) -> datetime:
        """Return where the bucket after the one that begins at `local` begins, in local time."""
        if self.unit in MONTHS:
            return timespan.plus_months(local, self.size * MONTHS[self.unit])
        if self.unit in SECONDS:
            return local + timedelta(seconds=self.size * SECONDS[self.unit])
        return local + timedelta(days=self._days)

    def starts(self, first: float, last: float, zone: tzinfo | None) -> Iterator[float]:
        """Yield where the buckets from that of `first` to that of `last` begin."""
        start = self.floor(first, zone)
        while start <= last:
            yield start
            start = self.after(start, zone)

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


def _beginning(local: datetime, zone: tzinfo | None) -> float:
    # In some places year 1 begins later than times that can be written.
    return _BEFORE_ALL if local == _FIRST_OF_ALL else timespan.beginning(local, zone)


def _floor_seconds(moment: float, size: int, zone: tzinfo | None) -> float:
    offset = timespan.offset_of(moment, zone)
    start = math.floor((moment + offset) / size) * size - offset
    if (timespan.offset_of(start, zone) - offset) % size:
        # The clock was put to a time inside the bucket: another begins there.
        start = timespan.change(math.floor(start), math.floor(moment), zone)
    return int(start) if start == int(start) else start


def _after_seconds(start: float, size: int, zone: tzinfo | None) -> float:
    offset = timespan.offset_of(start, zone)
    following = (math.floor((start + offset) / size) + 1) * size - offset
    if (timespan.offset_of(following, zone) - offset) % size:
        following = timespan.change(math.floor(start), math.floor(following), zone)
    return int(following) if following == int(following) else following


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
