"""R05: calls outside the client's usual hours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.records import Severity
from gatewaylog.audit.rules.rule import DAY, HOUR, Rule, Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding, TokenUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """`calls` in one hour that is `distance` hours from each in which the client was seen before.

    It must have been there on `days` days, and never in more than `most` hours of the day.
    """

    calls: int = 5
    distance: int = 3
    days: int = 7
    most: int = 16


@dataclass(slots=True)
class _Hours:
    """A client's hours: those of former days, and those of this one with their calls."""

    today: int = -1
    days: int = 0
    usual: set[int] = field(default_factory=set)
    calls: dict[int, int] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)

    def turn(self, today: int) -> None:
        if self.calls:
            self.usual.update(self.calls)
            self.days += 1
        self.today, self.calls, self.rows = today, {}, []


class UnusualHours(Rule[Limits]):
    """Calls at a time of day (UTC) at which the client is never there.

    Just beside its usual hours somebody may only have stayed later: LOW.
    """

    id = "R05"
    title = "outside the client's usual hours"
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._clients: dict[str, _Hours] = {}

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        if use.client is None:
            return
        known = self._clients.setdefault(use.client, _Hours())
        today, hour = int(use.at // DAY), int(use.at % DAY // HOUR)
        if today != known.today:
            known.turn(today)
        known.calls[hour] = known.calls.get(hour, 0) + 1
        if hour in known.usual or not self._has_usual_hours(known):
            return
        known.rows = [*known.rows[-9:], use.message_id]
        if known.calls[hour] >= self.limits.calls:
            away = min(min((hour - one) % 24, (one - hour) % 24) for one in known.usual)
            yield self.found(
                use.client,
                use.at,
                f"{known.calls[hour]} calls at {hour:02d}:00 UTC, {away} hours from any in which"
                f" it was there on {known.days} days",
                rows=tuple(known.rows),
                severity=Severity.MEDIUM if away >= self.limits.distance else Severity.LOW,
            )

    def _has_usual_hours(self, known: _Hours) -> bool:
        return known.days >= self.limits.days and 0 < len(known.usual) <= self.limits.most
