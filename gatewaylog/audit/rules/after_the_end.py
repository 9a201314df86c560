"""R07: use after expiry or revocation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.records import Severity
from gatewaylog.audit.rules.rule import DAY, HOUR, Rule, Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding, TokenEvent, TokenUse

_ENDED = frozenset({"900903", "900904"})  # expired, inactive


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Thresholds):
    """A good call `leeway` seconds after the end, which caches take to notice; or as many
    `refusals` of ended tokens within an hour.
    """

    leeway: float = 60.0
    refusals: int = 10


class AfterTheEnd(Rule[Limits]):
    """A token that should open nothing any more is still used.

    Clients learn of the end by a refusal, so a few are ordinary. A good call is a gate that is
    open: HIGH.
    """

    id = "R07"
    title = "use after expiry or revocation"
    default = Limits()

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._ends: dict[str, float] = {}
        self._clients: dict[str, str] = {}
        self._refused: dict[str, tuple[float, int]] = {}  # client -> first of the hour, count

    def event(self, event: TokenEvent) -> Iterable[Finding]:
        """Take note of when a token ends."""
        if event.client is not None:
            self._clients[event.token_ref] = event.client
        end = event.at if event.kind == "revoked" else event.expires_at
        if end is not None:
            self._ends[event.token_ref] = min(end, self._ends.get(event.token_ref, end))
        return ()

    def use(self, use: TokenUse) -> Iterable[Finding]:
        """Take a call."""
        end = self._ends.get(use.token_ref)
        client = use.client or self._clients.get(use.token_ref) or f"token {use.token_ref[:8]}"
        if use.error_code in _ENDED or (use.is_refused and end is not None and use.at > end):
            yield from self._refusal(client, use)
        elif end is not None and use.is_good and use.at > end + self.limits.leeway:
            yield self.found(
                client,
                use.at,
                f"token {use.token_ref[:8]} was good {use.at - end:.0f} s after its end",
                rows=(use.message_id,),
                severity=Severity.HIGH,
            )

    def _refusal(self, client: str, use: TokenUse) -> Iterable[Finding]:
        first, count = self._refused.get(client, (use.at, 0))
        if use.at - first > HOUR:
            first, count = use.at, 0
        self._refused[client] = first, count + 1
        if count + 1 >= self.limits.refusals:
            yield self.found(
                client,
                use.at,
                f"{count + 1} calls within an hour with tokens that had ended",
                rows=(use.message_id,),
            )

    def hour(self, now: float) -> Iterable[Finding]:
        """Forget tokens that ended a week ago: their refusals are told by their code still."""
        for token in [token for token, end in self._ends.items() if now - end > 7 * DAY]:
            del self._ends[token]
            self._clients.pop(token, None)
        return ()
