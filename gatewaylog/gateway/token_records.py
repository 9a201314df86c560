"""What the event log tells of tokens: issued, refused, revoked. It holds their TokenRef alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatewaylog.audit.events import AuditEvent, GatewayEvent
from gatewaylog.redaction import Pseudonyms

if TYPE_CHECKING:
    from gatewaylog.audit.events import EventLog
    from gatewaylog.auth.token_endpoint import TokenEvent

_EVENTS = {
    "issued": GatewayEvent.TOKEN_ISSUED,
    "refused": GatewayEvent.TOKEN_REFUSED,
    "revoked": GatewayEvent.TOKEN_REVOKED,
}


class TokenRecords:
    """Records in `log` what happens to tokens; `pseudonym_key` is the access log's, so that a
    token has the same TokenRef in both. Where addresses are pseudonyms there, they are here:
    a plain one beside a TokenRef would undo them.
    """

    def __init__(
        self, log: EventLog, *, pseudonym_key: str, are_addresses_hidden: bool = False
    ) -> None:
        self._log = log
        self._pseudonyms = Pseudonyms(pseudonym_key)
        self._are_addresses_hidden = are_addresses_hidden

    async def tell(self, event: TokenEvent) -> None:
        """Record an event before its client is answered. A disk that is slow holds nobody else."""
        recorded = AuditEvent(
            event=_EVENTS[event.kind],
            requestor=event.client_id,
            ip=self._address(event.remote_ip),
            detail=self._detail(event),
        )
        await asyncio.to_thread(self._log.record, recorded)

    def _address(self, address: str | None) -> str | None:
        if address is None or not self._are_addresses_hidden:
            return address
        return self._pseudonyms.of(address)

    def _detail(self, event: TokenEvent) -> str:
        parts = []
        if event.token is not None:
            parts.append(f"token_ref={self._pseudonyms.of_credential(event.token)}")
        if event.expires_at is not None:
            until = datetime.fromtimestamp(event.expires_at, UTC)
            parts.append(f"expires_at={until:%Y-%m-%dT%H:%M:%SZ}")
        if event.reason:
            parts.append(f"reason={event.reason}")
        return " ".join(parts)
