"""From lines of the access log and records of the event log to what rules look at."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from gatewaylog.audit.events import GatewayEvent
from gatewaylog.audit.rules.records import TokenEvent, TokenUse
from gatewaylog.events import IncomingRequest, LogLoss, RequestError

if TYPE_CHECKING:
    from typing import Literal

    from gatewaylog.audit.events import AuditEvent
    from gatewaylog.formats import Line

_KINDS: dict[str, Literal["issued", "refused", "revoked"]] = {
    GatewayEvent.TOKEN_ISSUED: "issued",
    GatewayEvent.TOKEN_REFUSED: "refused",
    GatewayEvent.TOKEN_REVOKED: "revoked",
}
_TOLD = re.compile(r"(token_ref|expires_at)=(\S+)")


def use_of(line: Line) -> TokenUse | None:
    """Return the use of a token that a line tells; None for a line that tells of none."""
    event = line.event
    if isinstance(event, (IncomingRequest, LogLoss)) or event.token_ref is None:
        return None
    return TokenUse(
        at=line.time.timestamp(),
        message_id=event.message_id or "",
        token_ref=event.token_ref,
        client=event.application_name,
        remote_ip=event.remote_ip,
        user_agent=event.user_agent,
        status=event.status_code,
        error_code=event.error_code if isinstance(event, RequestError) else None,
        bytes_out=event.bytes_out,
    )


def event_of(record: AuditEvent) -> TokenEvent | None:
    """Return the event in a token's life that a record tells; None for any other record."""
    kind = _KINDS.get(record.event)
    told = dict(_TOLD.findall(record.detail or ""))
    if kind is None or record.at is None or "token_ref" not in told:
        return None
    return TokenEvent(
        at=record.at,
        kind=kind,
        token_ref=told["token_ref"],
        client=record.requestor,
        expires_at=_moment(told.get("expires_at")),
    )


def _moment(text: str | None) -> float | None:
    try:
        return None if text is None else datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
