"""Calls over time, counted as they come: few buckets whatever the length of the log."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAY = 86_400
# Each goes into the next without a rest, so that buckets can be put together.
SPANS = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 4 * 3600, _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY)
SERIES = 10  # that have a name, as in `timechart`
_MOST = 120  # buckets
OTHER, NULL = "OTHER", "NULL"


class Series(TypedDict):
    """One API's calls in each bucket."""

    name: str
    counts: list[int]


class Drawn(TypedDict):
    """What the page draws: moments are seconds since the epoch."""

    start: int
    span: int
    series: list[Series]


class TimeChart:
    """Counts by name in buckets of time.

    With `window` it holds the last so many seconds, else everything: the span of its buckets grows
    with the time they cover, so that there are never more than 120.
    """

    def __init__(self, window: int | None = None) -> None:
        self._window = window
        self._span = next(span for span in SPANS if window is None or span * _MOST >= window)
        self._offset = time.localtime().tm_gmtoff  # days begin at local midnight
        self._buckets: dict[int, Counter[str]] = {}
        self._newest = -(1 << 62)
        self._oldest = 1 << 62

    def add(self, second: int, counts: Mapping[str, int]) -> None:
        """Take the counts of one second."""
        start = self._start_of(second)
        if self._window is not None and start <= self._newest - self._window:
            return
        self._buckets.setdefault(start, Counter()).update(counts)
        self._newest, self._oldest = max(self._newest, start), min(self._oldest, start)
        while self._newest - self._oldest >= _MOST * self._span:
            if self._window is None and self._span < SPANS[-1]:
                self._widen()
            else:
                self._drop(self._newest - (self._window or (_MOST - 1) * self._span))

    def _start_of(self, second: int) -> int:
        return second - (second + self._offset) % self._span

    def _widen(self) -> None:
        self._span = SPANS[SPANS.index(self._span) + 1]
        before, self._buckets = self._buckets, {}
        for second, counts in before.items():
            self._buckets.setdefault(self._start_of(second), Counter()).update(counts)
        self._newest, self._oldest = max(self._buckets), min(self._buckets)

    def _drop(self, last: int) -> None:
        self._buckets = {start: counts for start, counts in self._buckets.items() if start > last}
        self._oldest = min(self._buckets)

    def drawn(self) -> Drawn:
        """Return the ten series with the largest sums, then OTHER, then NULL."""
        if not self._buckets:
            return Drawn(start=0, span=self._span, series=[])
        starts = range(self._oldest, self._newest + 1, self._span)
        sums: Counter[str] = Counter()
        for counts in self._buckets.values():
            sums.update(counts)
        named = largest(sums)
        rows = [self._row(start, named) for start in starts]
        drawn = [
            Series(name=name, counts=[row[name] for row in rows]) for name in (*named, OTHER, NULL)
        ]
        return Drawn(
            start=self._oldest,
            span=self._span,
            series=[series for series in drawn if any(series["counts"])],
        )

    def _row(self, start: int, named: list[str]) -> Counter[str]:
        row: Counter[str] = Counter()
        for name, count in self._buckets.get(start, {}).items():
            row[name if name in named or name == NULL else OTHER] += count
        return row


def largest(sums: Mapping[str, int], most: int = SERIES) -> list[str]:
    """Return the names with the largest sums in the order of code points, as `timechart` does."""
    names = [name for name in sums if name not in {OTHER, NULL}]
    return sorted(sorted(names, key=lambda name: (-sums[name], name))[:most])
