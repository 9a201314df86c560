"""R13: silence of a client that is always there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.rule import HOUR, Rule, Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding, TokenUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """Silent for `hours` hours in which it was there on each of `days` days before.

    Nothing is found where less than `alive` (0 to 1) of the clients are there that were a day
    before: the gateway is silent then, or its log.
    """

    hours: int = 6
    days: int = 7
    alive: float = 0.5


class Silence(Rule[Limits]):
    """A client that calls every hour of every day, and does not any more."""

    id = "R13"
    title = "silence of a client that is always there"
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._hours: dict[str, set[int]] = {}  # client -> hours since the epoch
        self._last: dict[str, int] = {}

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        if use.client is not None:
            hour = int(use.at // HOUR)
            if self._last.get(use.client) != hour:
                self._last[use.client] = hour
                self._hours.setdefault(use.client, set()).add(hour)
        return ()

    def hour(self, now: float) -> Iterable[Finding]:
        """Look for clients that are silent just as long as it takes."""
        this = int(now // HOUR)
        span = range(this - self.limits.hours, this)
        quiet = [client for client, last in self._last.items() if last == span[0] - 1]
        if quiet and self._is_alive(span):
            for client in quiet:
                if self._is_always_there(client, span):
                    yield self.found(
                        client,
                        now,
                        f"silent for {self.limits.hours} hours in which it was there on each of"
                        f" the {self.limits.days} days before",
                    )
        self._forget(this - 24 * (self.limits.days + 1))

    def _is_always_there(self, client: str, span: range) -> bool:
        hours = self._hours[client]
        return all(
            hour - 24 * day in hours for day in range(1, self.limits.days + 1) for hour in span
        )

    def _is_alive(self, span: range) -> bool:
        there, before = (
            sum(not hours.isdisjoint(among) for hours in self._hours.values())
            for among in (span, range(span.start - 24, span.stop - 24))
        )
        return there >= self.limits.alive * before

    def _forget(self, oldest: int) -> None:
        for client, hours in list(self._hours.items()):
            hours.discard(oldest)
            if self._last[client] < oldest:
                del self._hours[client], self._last[client]
