"""What a client's amount in an hour usually is, and how much is far beyond that."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.rule import DAY, HOUR, Rule, Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding, TokenUse

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """Amounts in an hour: over `deviations` median absolute deviations, `factor` times the client's
    peak of `days`, and `least`. It must be known for `history` days and `hours` hours.
    """

    deviations: float = 10.0
    factor: float
    least: float
    days: int = 14
    history: float = 3.0
    hours: int = 3

    def baseline(self) -> Baseline:
        """Return the baseline of a client of whom nothing is known."""
        return Baseline(
            deviations=self.deviations, factor=self.factor, least=self.least, days=self.days
        )


class OverBaseline(Rule[Limits]):
    """A client's amount in an hour that is far beyond what is usual of it."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._clients: dict[str, Baseline] = {}

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        amount = self.amount_of(use)
        if use.client is None or amount is None:
            return
        known = self._clients.get(use.client)
        if known is None:
            known = self._clients[use.client] = self.limits.baseline()
        if known.add(use.at, amount, history=self.limits.history * DAY, hours=self.limits.hours):
            detail = self.told(known.amount, known.usual)
            yield self.found(use.client, use.at, detail, rows=(use.message_id,))

    @abstractmethod
    def amount_of(self, use: TokenUse) -> float | None:
        """Return what a call adds to its hour; None where that is not known."""

    @abstractmethod
    def told(self, amount: float, usual: float) -> str:
        """Return the finding's words."""
