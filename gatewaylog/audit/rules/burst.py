"""R04: a burst over the client's own baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.audit.rules.baselines import Limits, OverBaseline

if TYPE_CHECKING:
    from gatewaylog.audit.rules.records import TokenUse


class Burst(OverBaseline):
    """Many more calls in an hour than the client ever makes."""

    id = "R04"
    title = "a burst over the client's own baseline"
    default = Limits(factor=3.0, least=100.0)

    def amount_of(self, use: TokenUse) -> float | None:
        """Return one call."""
        del use
        return 1.0

    def told(self, amount: float, usual: float) -> str:
        """Return numbers of calls."""
        return f"{amount:.0f} calls in this hour, where {usual:.0f} are usual"
