"""R10: a credential older than its limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.rule import DAY, WEEK, Rule, Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding, TokenEvent, TokenUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """A credential is used `days` days after it was issued, or seen first."""

    days: float = 365.0


class OldCredential(Rule[Limits]):
    """A key that should have been replaced long ago."""

    id = "R10"
    title = "a credential older than its limit"
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._since: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def event(self, event: TokenEvent) -> Iterable[Finding]:
        """Take note of when a credential was issued; one that ends by itself never gets old."""
        if event.kind == "issued" and event.expires_at is None:
            self._since[event.token_ref] = event.at
        return ()

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        if use.client is None or use.is_refused:
            return
        since = self._since.setdefault(use.token_ref, use.at)
        self._last[use.token_ref] = use.at
        age = (use.at - since) / DAY
        if age > self.limits.days:
            yield self.found(
                use.client,
                use.at,
                f"credential {use.token_ref[:8]} is {age:.0f} days old",
                rows=(use.message_id,),
            )

    def hour(self, now: float) -> Iterable[Finding]:
        """Forget tokens that lived less than a day and were not seen for a week."""
        if now % DAY == 0:
            for token, last in list(self._last.items()):
                if now - last > WEEK and last - self._since[token] < DAY:
                    del self._last[token], self._since[token]
        return ()
