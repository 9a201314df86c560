"""R06: many 401 or 403, then a success."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.records import Severity
from gatewaylog.audit.rules.rule import Rule, Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding, TokenUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """`refusals` within `window` seconds before the success, from its address."""

    refusals: int = 20
    window: float = 600.0


class Guessing(Rule[Limits]):
    """Somebody tried credentials until one was good.

    Refusals count where their client is the one that succeeds, or is not known: another client
    behind the same address may be broken without that being this one's affair.
    """

    id = "R06"
    title = "many 401 or 403, then a success"
    severity = Severity.HIGH
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._refused: dict[str, deque[TokenUse]] = {}

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        if use.remote_ip is None:
            return
        if use.is_refused:
            most = 4 * self.limits.refusals
            self._refused.setdefault(use.remote_ip, deque(maxlen=most)).append(use)
        elif use.is_good and use.client is not None and use.remote_ip in self._refused:
            tried = [
                other
                for other in self._refused[use.remote_ip]
                if use.at - other.at <= self.limits.window and other.client in {None, use.client}
            ]
            if len(tried) >= self.limits.refusals:
                del self._refused[use.remote_ip]
                yield self.found(
                    use.client,
                    use.at,
                    f"{len(tried)} refusals from {use.remote_ip} in the"
                    f" {use.at - tried[0].at:.0f} s before a success",
                    rows=(*(other.message_id for other in tried[-9:]), use.message_id),
                )

    def hour(self, now: float) -> Iterable[Finding]:
        """Forget refusals that are too old to count."""
        for address, refused in list(self._refused.items()):
            if now - refused[-1].at > self.limits.window:
                del self._refused[address]
        return ()
