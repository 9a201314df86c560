"""R12: a changed user agent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.records import Severity
from gatewaylog.audit.rules.rule import DAY, Rule, Thresholds
from gatewaylog.audit.rules.usual import Usual

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding, TokenUse

_PRODUCT = re.compile(r"[^/\s(]*")  # RFC 9110 §10.1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """Known for `history` days; one that has had more than `few` products has no usual one."""

    history: float = 7.0
    few: int = 1


class UserAgent(Rule[Limits]):
    """A client's first good call by another product; another version of one is no change."""

    id = "R12"
    title = "a changed user agent"
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._usual = Usual()

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        if use.client is None or use.is_refused:
            return
        product = product_of(use.user_agent)
        had = self._usual.count(use.client)
        if not self._usual.take(use.client, product, use.at):
            return
        if self._usual.age(use.client, use.at) >= self.limits.history * DAY:
            yield self.found(
                use.client,
                use.at,
                f"first call by {product or 'no user agent'}, after {had} others",
                rows=(use.message_id,),
                severity=Severity.MEDIUM if had <= self.limits.few else Severity.LOW,
            )


def product_of(user_agent: str | None) -> str:
    """Return the name of the first product of a User-Agent, in small letters, without version."""
    match = _PRODUCT.match((user_agent or "").strip())
    return match[0].lower()[:64] if match else ""
