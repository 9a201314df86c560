"""From lines of the access log and records of the event log to what rules look at."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from gatewaylog.audit.events import GatewayEvent
from gatewaylog.audit.events.line import parse_line
from gatewaylog.audit.rules.records import TokenEvent, TokenUse
from gatewaylog.events import IncomingRequest, LogLoss, RequestError
from gatewaylog.formats import Unparsed
from gatewaylog.reader.times import clean

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
LIFE = b"TOKEN_"
"""What a line holds in which the event log tells of a token's life, and few others do."""


def row_of(line: Line | Unparsed) -> TokenUse | TokenEvent | None:
    """Return what a line of either log tells; None for one that tells rules nothing.

    The two are told apart by their form, as `ship --to database` does it: what is no event of the
    access log may be a record of the event log.
    """
    return life_of(line.raw) if isinstance(line, Unparsed) else use_of(line)


def life_of(raw: bytes) -> TokenEvent | None:
    """Return the event in a token's life that a line of the event log tells; None for others."""
    try:
        return event_of(parse_line(clean(raw))) if LIFE in raw else None
    except ValueError:  # it is no record, or of a time that none has
        return None


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
    except (ValueError, OverflowError):
        return None
