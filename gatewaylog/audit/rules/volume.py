"""R14: a volume of data over the client's baseline."""

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
    """Bytes answered in an hour: over `deviations` median absolute deviations, `factor` times the
    client's peak of `days`, and `least`. It must be known for `history` days and `hours`
    hours.
    """

    deviations: float = 10.0
    factor: float = 4.0
    least: float = 10_000_000.0
    days: int = 14
    history: float = 3.0
    hours: int = 3


class Volume(Rule[Limits]):
    """Much more data in an hour than the client ever takes."""

    id = "R14"
    title = "a volume of data over the client's baseline"
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._clients: dict[str, Baseline] = {}

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        if use.client is None or use.bytes_out is None:
            return
        limits = self.limits
        volume = self._clients.get(use.client)
        if volume is None:
            volume = self._clients[use.client] = Baseline(
                deviations=limits.deviations,
                factor=limits.factor,
                least=limits.least,
                days=limits.days,
            )
        if volume.add(use.at, use.bytes_out, history=limits.history * DAY, hours=limits.hours):
            yield self.found(
                use.client,
                use.at,
                f"{volume.amount / 1e6:.1f} MB in this hour, where {volume.usual / 1e6:.1f} MB"
                " are usual",
                rows=(use.message_id,),
            )
