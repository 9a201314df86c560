"""What of a log was read before, though it is read from its beginning each time."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.rule import HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 4000  # hours that are kept, the last ones: five months, some 80 kB


class HoursRead:
    """How many rows of each hour were read, by the processes `before` and by this one.

    An hour of which there are more rows now has new ones, however late they came and whatever the
    clock said. No row is kept: a log of a million calls a day is known by 24 numbers.
    """

    def __init__(self, before: Mapping[int, int]) -> None:
        self._before = before
        self._now: Counter[int] = Counter()
        self._first = min(before) if len(before) >= MOST else -math.inf

    def take(self, at: float) -> None:
        """Take note that a row of that moment was read."""
        self._now[int(at // HOUR)] += 1

    @property
    def new_since(self) -> float:
        """When the first hour begins of which there are rows that were not read before; infinite
        where there is none. Hours before those that are kept count as read.
        """
        fresh = (hour for hour, rows in self._now.items() if rows > self._before.get(hour, 0))
        return min((hour * HOUR for hour in fresh if hour >= self._first), default=math.inf)

    def kept(self) -> dict[int, int]:
        """Return what was read by all. Files that were missing this time stay read."""
        hours = sorted({*self._before, *self._now})[-MOST:]
        return {hour: max(self._before.get(hour, 0), self._now[hour]) for hour in hours}
