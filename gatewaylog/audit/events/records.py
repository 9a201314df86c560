"""One record of the event log: who did what, in which state of which session."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gatewaylog.audit.events.names import Kind, SessionState, kind_of

_END_OF_TIME = 253_402_128_000  # two days before the year 10000, which no time zone reaches
_TEXTS = ("session_id", "tgt_id", "user", "organization", "ip", "requestor", "detail", "authority")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that a user or a requestor did; fields in the order of OpenASelect's page
    "Logging and auditing", section Event logging.

    `at` is seconds since the epoch; None: when it is recorded. `event` is a member of UserEvent,
    RequestorEvent or GatewayEvent, or a name of your own. `requestor` initiated the
    authentication, `authority` is the component that records. `kind` is whose event it is; None:
    as `event` says. Raises ValueError for an event without a name, and a time that is none.
    """

    event: str
    at: float | None = None
    session_id: str | None = None
    tgt_id: str | None = None
    state: SessionState | None = None
    user: str | None = None
    organization: str | None = None
    ip: str | None = None
    requestor: str | None = None
    detail: str | None = None
    authority: str | None = None
    kind: Kind | None = None

    def __post_init__(self) -> None:
        if not self.event:
            raise ValueError("event: must have a name")
        if self.at is not None and not 0 <= self.at < _END_OF_TIME:
            raise ValueError("at: must be seconds since 1970, before the year 10000")

    @property
    def whose(self) -> Kind:
        """The kind, or what the event's name says."""
        return kind_of(self.event) if self.kind is None else self.kind


def shortened(event: AuditEvent, limit: int) -> AuditEvent:
    """Return the record with texts of at most `limit` characters; one that was cut ends in `…`."""
    long = {
        name: cut(text, limit)
        for name in _TEXTS
        if (text := getattr(event, name)) is not None and len(text) > limit
    }
    return replace(event, **long) if long else event  # type: ignore[arg-type]  # texts alone


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters; `…` is the last where there were more."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
