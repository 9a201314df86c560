"""From lines to rows. Nothing that a line holds keeps its row out: it is cut or replaced."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from gatewaylog.audit.events import GatewayEvent
from gatewaylog.audit.events.records import cut
from gatewaylog.audit.events.table import values_of
from gatewaylog.audit.store.tables import (
    LONGEST_IDENTITY,
    client_access_token_logs,
    event_log,
    ship_checkpoints,
    token_events,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewaylog.audit.events import AuditEvent
    from gatewaylog.audit.store.clients import Client

Values = tuple[Any, ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(2200, 1, 1, tzinfo=UTC)  # of what partitions are made for
_TERMINAL = frozenset({"REQUEST_COMPLETE", "ERROR"})
_NOTHING = frozenset({"", "null"})
_NOBODY = "-"
_MOST = 2**31 - 1
_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)
_KINDS = {
    str(GatewayEvent.TOKEN_ISSUED): "issued",
    str(GatewayEvent.TOKEN_REFUSED): "refused",
    str(GatewayEvent.TOKEN_REVOKED): "revoked",
}
_TOLD = re.compile(r"(?:token_ref=(\S+) ?)?(?:expires_at=(\S+) ?)?(?:reason=(.*))?", re.DOTALL)

# What rows hold, in the order of their values; numbers come from sequences.
USE = tuple(c.name for c in client_access_token_logs.columns if c.name != "log_id")
LIFE = tuple(c.name for c in token_events.columns)
EVENT = tuple(c.name for c in event_log.columns if c.name != "id")
CHECKPOINT = tuple(c.name for c in ship_checkpoints.columns)
_LENGTHS = {
    c.name: c.type.length for c in event_log.columns if isinstance(c.type, sa.String) and c.name
}


class NoRow(Exception):
    """A line that can have no row; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """The use of a credential, before it is known whose it is."""

    moment: datetime
    token_ref: str
    name: str | None
    fields: Mapping[str, str]

    def values(self, client: Client) -> Values:
        """Return the row's values, in the order of USE."""
        of = self.fields.get
        return (
            self.token_ref,
            self.moment,
            None,
            client.key,
            None,
            client.application,
            None,
            client.vendor,
            text(of("API")),
            text(of("RequestInMethod")),
            text(of("RequestInURL")),
            text(of("RequestOutURL")),
            _count(of("StatusCode")),
            text(of("ERROR_CODE")),
            text(of("RemoteIP")),
            text(of("UserAgent")),
            identity(of("MessageID", "")),
            text(of("Outcome")),
            _duration(of("DurationMs")),
        )


@dataclass(slots=True, kw_only=True)
class Rows:
    """What a batch of lines comes to. `checkpoint` has the values of CHECKPOINT."""

    use: list[Use] = field(default_factory=list)
    life: list[Values] = field(default_factory=list)
    events: list[Values] = field(default_factory=list)
    checkpoint: Values = ()


def moment_of(nanoseconds: int) -> datetime:
    """Return a moment since the epoch. Raises NoRow for one that no partition holds."""
    moment = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    if not _EPOCH <= moment < _END:
        raise NoRow("is not of the years 1970 to 2199")
    return moment


def use_of(fields: Mapping[str, str], nanoseconds: int) -> Use | None:
    """Return the use of a credential that a line's fields tell; None where they tell of none.

    Raises NoRow.
    """
    reference = text(fields.get("TokenRef"))
    if reference is None or fields.get("Event") not in _TERMINAL:
        return None
    if not text(fields.get("MessageID")):
        raise NoRow("has no MessageID to be known by")
    name = text(fields.get("APPLICATION_NAME"))
    return Use(
        moment=moment_of(nanoseconds),
        token_ref=identity(reference),
        name=None if name == _NOBODY else name,
        fields=fields,
    )


def event_of(event: AuditEvent, line_id: str) -> Values:
    """Return the row of an event, in the order of EVENT. Raises NoRow."""
    moment_of(round((event.at or 0.0) * 1e6) * 1000)
    values = values_of(event)
    fitted = {
        name: cut(plain(value), _LENGTHS[name] or len(value)) if isinstance(value, str) else value
        for name, value in values.items()
    }
    return tuple(line_id if name == "line_id" else fitted[name] for name in EVENT)


def life_of(event: AuditEvent, line_id: str) -> Values | None:
    """Return the row of what happened to a token, in the order of LIFE; None for other events."""
    kind = _KINDS.get(str(event.event))
    if kind is None or event.at is None:
        return None
    told = _TOLD.fullmatch(event.detail or "")
    reference, until, why = told.groups() if told else (None, None, event.detail)
    return (
        line_id,
        _EPOCH + timedelta(microseconds=round(event.at * 1e6)),
        kind,
        reference and identity(reference),
        text(event.requestor),
        _moment(until),
        text(why),
        text(event.ip),
    )


def line_identity(*parts: str, raw: bytes) -> str:
    """Return what a line that has no id is known by: who ships it, its file, its place, itself."""
    known = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(known + b"\0" + raw).hexdigest()[:32]


def text(value: str | None) -> str | None:
    """Return a text that databases take, None where there is none."""
    return None if value is None or value in _NOTHING else plain(value)


def plain(value: str) -> str:
    """Return a text without NUL, which PostgreSQL refuses, and without lone surrogates."""
    if value.isascii():
        return value.replace("\0", "\ufffd")
    return value.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode()


def identity(value: str) -> str:
    """Return what a row is known by; one that is too long for an index ends in its hash."""
    value = plain(value)
    if len(value) <= LONGEST_IDENTITY:
        return value
    end = hashlib.sha256(value.encode()).hexdigest()
    return f"{value[: LONGEST_IDENTITY - 1 - len(end)]}…{end}"


def _count(value: str | None) -> int | None:
    if value is None or _DIGITS.fullmatch(value) is None or int(value) > _MOST:
        return None
    return int(value)


def _duration(value: str | None) -> float | None:
    try:
        found = float(value or "nan")
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _moment(value: str | None) -> datetime | None:
    try:
        found = None if value is None else datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
