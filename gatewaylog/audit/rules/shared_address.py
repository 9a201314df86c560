"""R11: one address, many clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.networks import network_of
from gatewaylog.audit.rules.rule import DAY, HOUR, Rule, Thresholds
from gatewaylog.audit.rules.usual import Usual

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding, TokenUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """`clients` in an hour that are known for `history` days, and never from there before the
    day on which they come.
    """

    clients: int = 4
    history: float = 3.0


class SharedAddress(Rule[Limits]):
    """Credentials of several clients come from one address that is none of theirs.

    Clients that always come from one address, as behind a vendor's proxy, are no finding. The
    finding's client is the address.
    """

    id = "R11"
    title = "one address, many clients"
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._usual = Usual()
        self._strangers: dict[str, dict[str, str]] = {}  # address -> client -> a call
        self._hour = -1

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        if use.remote_ip is None or use.client is None or use.is_refused:
            return
        hour = int(use.at // HOUR)
        if hour != self._hour:
            self._hour, self._strangers = hour, {}
        network = network_of(use.remote_ip)
        self._usual.take(use.client, network, use.at)
        if (
            self._usual.days(use.client, network) > 1
            or self._usual.age(use.client, use.at) < self.limits.history * DAY
        ):
            return
        strangers = self._strangers.setdefault(use.remote_ip, {})
        strangers[use.client] = use.message_id
        if len(strangers) >= self.limits.clients:
            yield self.found(
                use.remote_ip,
                use.at,
                f"{len(strangers)} clients in an hour that were never there before:"
                f" {', '.join(sorted(strangers)[:5])}",
                rows=tuple(strangers.values())[-10:],
            )
