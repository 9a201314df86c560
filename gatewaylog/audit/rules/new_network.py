"""R02: a client's first call from a new network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.networks import network_of
from gatewaylog.audit.rules.records import Severity
from gatewaylog.audit.rules.rule import DAY, Rule, Thresholds
from gatewaylog.audit.rules.usual import Usual

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding, TokenUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """Known for `history` days; one that has had more than `few` networks is a roaming one."""

    history: float = 7.0
    few: int = 2


class NewNetwork(Rule[Limits]):
    """A good call from where the client never called from; of a roaming one it matters less."""

    id = "R02"
    title = "a client's first call from a new network"
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._usual = Usual()

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        if use.remote_ip is None or use.client is None or use.is_refused:
            return
        network, had = network_of(use.remote_ip), self._usual.count(use.client)
        if not self._usual.take(use.client, network, use.at):
            return
        if self._usual.age(use.client, use.at) >= self.limits.history * DAY:
            yield self.found(
                use.client,
                use.at,
                f"first call from {network}, after {had} other networks",
                rows=(use.message_id,),
                severity=Severity.MEDIUM if had <= self.limits.few else Severity.LOW,
            )
