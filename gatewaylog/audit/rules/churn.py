"""R08: token churn, many issued and few used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.issued import Issued
from gatewaylog.audit.rules.rule import HOUR, Rule, Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding, TokenEvent, TokenUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """At least `tokens` in the last `hours` hours, of which less than `used` were used (0 to 1)."""

    tokens: int = 20
    hours: float = 2.0
    used: float = 0.5


class Churn(Rule[Limits]):
    """A client that asks for token after token and uses few of them."""

    id = "R08"
    title = "token churn: many issued, few used"
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._issued = Issued(self.limits.hours * HOUR)

    def event(self, event: TokenEvent) -> Iterable[Finding]:
        """Take a token that was issued."""
        if event.kind == "issued" and event.client is not None:
            self._issued.issue(event.client, event.token_ref, event.at, event.expires_at or 0.0)
        return ()

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        self._issued.use(use.token_ref)
        return ()

    def hour(self, now: float) -> Iterable[Finding]:
        """Count each client's tokens."""
        self._issued.forget(now)
        for client, tokens in self._issued.clients.items():
            used = sum(token.used for token in tokens)
            if len(tokens) >= self.limits.tokens and used < self.limits.used * len(tokens):
                yield self.found(
                    client,
                    now,
                    f"{len(tokens)} tokens issued in {self.limits.hours:g} hours, {used} used",
                )
