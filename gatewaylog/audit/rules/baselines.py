"""What a client's amount in an hour usually is, and how much is far beyond that."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from gatewaylog.audit.rules.rule import HOUR

_CONSISTENT = 1.4826  # makes the median absolute deviation an estimate of the standard deviation
_RARE = 50  # of so many hours one may be out of the ordinary


class Baseline:
    """Amounts of one client by hour, those in which it was there.

    The limit is the greater of `deviations` over the median (in median absolute deviations),
    `factor` times the peak of the `days` that are remembered, and `least`. The peak leaves out the
    greatest two of each hundred hours: one burst must not hide the next.
    """

    def __init__(self, *, deviations: float, factor: float, least: float, days: int) -> None:
        self._deviations = deviations
        self._factor = factor
        self._least = least
        self._past: deque[float] = deque(maxlen=24 * days)
        self._hour = -1
        self._since = 0.0
        self._limit = float("inf")
        self.amount = 0.0
        self.usual = 0.0

    def add(self, at: float, amount: float, *, history: float, hours: int) -> bool:
        """Add to the hour of `at`; say whether its sum is over the limit.

        There is no limit before `history` seconds and as many active `hours`.
        """
        hour = int(at // HOUR)
        if hour != self._hour:
            self._turn(hour, at, history, hours)
        self.amount += amount
        return self.amount > self._limit

    def _turn(self, hour: int, at: float, history: float, hours: int) -> None:
        if self._hour < 0:
            self._since = at
        else:
            # An hour over the limit is not what is usual, or a misuse would hide the next.
            self._past.append(min(self.amount, self._limit))
        self._hour, self.amount = hour, 0.0
        if at - self._since >= history and len(self._past) >= hours:
            self._limit = self._limit_of_past()

    def _limit_of_past(self) -> float:
        self.usual = median(self._past)
        deviation = median(abs(amount - self.usual) for amount in self._past) * _CONSISTENT
        spread = max(deviation, math.sqrt(self.usual), 1.0)
        peak = sorted(self._past)[-1 - len(self._past) // _RARE]
        return max(self.usual + self._deviations * spread, self._factor * peak, self._least)
