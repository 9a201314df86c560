"""R09: tokens that were issued and never used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.issued import Issued
from gatewaylog.audit.rules.records import Severity
from gatewaylog.audit.rules.rule import DAY, Rule, Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding, TokenEvent, TokenUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """At least `tokens` of a client in 24 hours that ended unused, and more than `share` (0 to 1)
    of those that ended.
    """

    tokens: int = 3
    share: float = 0.5


class NeverUsed(Rule[Limits]):
    """Somebody tries whether a client's secret is good, or collects tokens.

    Where most of the client's tokens are used it matters less.
    """

    id = "R09"
    title = "issued, never used"
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._issued = Issued(DAY)

    def event(self, event: TokenEvent) -> Iterable[Finding]:
        """Take a token that was issued."""
        if event.kind == "issued" and event.client is not None and event.expires_at is not None:
            self._issued.issue(event.client, event.token_ref, event.at, event.expires_at)
        return ()

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        self._issued.use(use.token_ref)
        return ()

    def hour(self, now: float) -> Iterable[Finding]:
        """Count each client's tokens that have ended."""
        self._issued.forget(now)
        for client, tokens in self._issued.clients.items():
            ended = [token for token in tokens if token.end <= now]
            unused = sum(not token.used for token in ended)
            if unused >= self.limits.tokens:
                is_most = unused > self.limits.share * len(ended)
                yield self.found(
                    client,
                    now,
                    f"{unused} of {len(ended)} tokens that ended in 24 hours were never used",
                    severity=Severity.MEDIUM if is_most else Severity.LOW,
                )
