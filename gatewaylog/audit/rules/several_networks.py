"""R01: one token from several networks at overlapping times."""

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
    """`window` seconds between two calls from one network with one from another in between;
    a network on `usual_days` days is the client's own.
    """

    window: float = 600.0
    usual_days: int = 3


class SeveralNetworks(Rule[Limits]):
    """A token that is used here, there, and here again, so that two hold it.

    Not where both networks are the client's own: it has two sites then. Of a client that is not
    known so long it matters less.
    """

    id = "R01"
    title = "one token from several networks at overlapping times"
    severity = Severity.HIGH
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._seen: dict[str, dict[str, tuple[float, str]]] = {}  # token -> network -> last call
        self._usual = Usual()

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        if use.remote_ip is None or use.client is None:
            return
        network, client = network_of(use.remote_ip), use.client
        self._usual.take(client, network, use.at)
        seen = self._seen.setdefault(use.token_ref, {})
        before = seen.get(network)
        seen[network] = use.at, use.message_id
        if before is None or len(seen) == 1 or use.at - before[0] > self.limits.window:
            return
        for other, (at, message_id) in seen.items():
            if other != network and at > before[0] and not self._both_usual(client, network, other):
                yield self.found(
                    client,
                    use.at,
                    f"token {use.token_ref[:8]} from {network}, {other} and {network} again"
                    f" within {use.at - before[0]:.0f} s",
                    rows=(before[1], message_id, use.message_id),
                    severity=None if self._is_known(client, use.at) else Severity.LOW,
                )

    def _both_usual(self, client: str, *networks: str) -> bool:
        days = self.limits.usual_days
        return all(self._usual.days(client, network) >= days for network in networks)

    def _is_known(self, client: str, at: float) -> bool:
        return self._usual.age(client, at) >= self.limits.usual_days * DAY

    def hour(self, now: float) -> Iterable[Finding]:
        """Forget what can't overlap any more."""
        oldest = now - self.limits.window
        for token, seen in list(self._seen.items()):
            for network, (at, _) in list(seen.items()):
                if at < oldest:
                    del seen[network]
            if not seen:
                del self._seen[token]
        return ()
