"""R04: a burst over the client's own baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.baselines import Baseline
from gatewaylog.audit.rules.rule import DAY, Rule, Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding, TokenUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """Calls in an hour: over `deviations` median absolute deviations, `factor` times the client's
    peak of `days`, and `least`. It must be known for `history` days and `hours` hours.
    """

    deviations: float = 10.0
    factor: float = 3.0
    least: float = 100.0
    days: int = 14
    history: float = 3.0
    hours: int = 3


class Burst(Rule[Limits]):
    """Many more calls in an hour than the client ever makes."""

    id = "R04"
    title = "a burst over the client's own baseline"
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._clients: dict[str, Baseline] = {}

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        if use.client is None:
            return
        limits = self.limits
        calls = self._clients.get(use.client)
        if calls is None:
            calls = self._clients[use.client] = Baseline(
                deviations=limits.deviations,
                factor=limits.factor,
                least=limits.least,
                days=limits.days,
            )
        if calls.add(use.at, 1, history=limits.history * DAY, hours=limits.hours):
            yield self.found(
                use.client,
                use.at,
                f"{calls.amount:.0f} calls in this hour, where {calls.usual:.0f} are usual",
                rows=(use.message_id,),
            )
