"""R14: a volume of data over the client's baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.audit.rules.baselines import Limits, OverBaseline

if TYPE_CHECKING:
    from gatewaylog.audit.rules.records import TokenUse


class Volume(OverBaseline):
    """Much more data in an hour than the client ever takes."""

    id = "R14"
    title = "a volume of data over the client's baseline"
    default = Limits(factor=4.0, least=10_000_000.0)

    def amount_of(self, use: TokenUse) -> float | None:
        """Return the bytes answered, where they are known."""
        return use.bytes_out

    def told(self, amount: float, usual: float) -> str:
        """Return megabytes."""
        return f"{amount / 1e6:.1f} MB in this hour, where {usual / 1e6:.1f} MB are usual"
