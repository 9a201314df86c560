r"""How a record stands on a line: as OpenASelect writes it, or as JSON.

`[yyyy-MM-dd HH:mm:ss] state, session, tgt, user, organization, ip, type, event, requestor,
authority, detail`: local time, `null` for no value, values escaped as in the access log and `,` in
them as `\u002c`, so that a comma always ends a value.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from gatewaylog.audit.events.names import Kind, SessionState, event_named
from gatewaylog.audit.events.records import AuditEvent
from gatewaylog.formats.wso2 import escape, unescape

if TYPE_CHECKING:
    from collections.abc import Mapping

LINE = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\] (.*)", re.ASCII | re.DOTALL)
_TEXTS = ("session_id", "tgt_id", "user", "organization", "ip", "requestor", "detail", "authority")
# In the order of the line; `kind` stands there as a number.
_ORDER = (
    "state",
    "session_id",
    "tgt_id",
    "user",
    "organization",
    "ip",
    "kind",
    "event",
    "requestor",
    "authority",
    "detail",
)


class Unreadable(ValueError):
    """A line is no record; the message says why."""


class Encoder(Protocol):
    """One way to write records."""

    def __call__(self, event: AuditEvent, at: float) -> bytes:
        """Return the record's line, which happened `at` (seconds since the epoch)."""


def encode_line(event: AuditEvent, at: float) -> bytes:
    """Return the record as OpenASelect writes it. Milliseconds have no place there."""
    stamp = datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    state = None if event.state is None else event.state.name
    values = {name: getattr(event, name) for name in _TEXTS}
    values |= {"state": state, "kind": str(int(event.whose)), "event": str(event.event)}
    shown = ", ".join(_escaped(values[name]) for name in _ORDER)
    return f"[{stamp}] {shown}\n".encode()


def _escaped(value: str | None) -> str:
    return "null" if value is None else escape(value).replace(",", "\\u002c")


def encode_json(event: AuditEvent, at: float) -> bytes:
    """Return the record as one JSON object, its time in UTC with microseconds."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
    shown: dict[str, object] = {"@timestamp": moment.replace("+00:00", "Z")}
    shown |= {
        "session_id": event.session_id,
        "tgt_id": event.tgt_id,
        "state": None if event.state is None else event.state.name,
        "event": str(event.event),
        "user": event.user,
        "organization": event.organization,
        "ip": event.ip,
        "requestor": event.requestor,
        "detail": event.detail,
        "authority": event.authority,
        "type": int(event.whose),
    }
    # Characters that hide or turn others stay escaped, as do bytes that are no UTF-8.
    return json.dumps(shown).encode() + b"\n"


ENCODERS: Mapping[str, Encoder] = {"line": encode_line, "json": encode_json}


def parse_line(raw: bytes) -> AuditEvent:
    """Read a record of either format. Raises Unreadable.

    A line's time is taken for local time; its state may also be an ordinal.
    """
    text = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
    return _of_json(text) if text.startswith("{") else _of_line(text)


def _of_line(text: str) -> AuditEvent:
    match = LINE.fullmatch(text)
    if match is None:
        raise Unreadable("no [time] in front")
    # What follows the tenth comma is the detail: other writers leave commas in it.
    parts = match[2].split(", ", len(_ORDER) - 1)
    if len(parts) != len(_ORDER):
        raise Unreadable(f"{len(parts)} values where {len(_ORDER)} are due")
    at = _moment(match[1])
    return _record(dict(zip(_ORDER, map(unescape, parts), strict=True)), at)


def _of_json(text: str) -> AuditEvent:
    try:
        values = json.loads(text)
        stamp = values.pop("@timestamp")
        values["kind"] = str(values.pop("type"))
    except (ValueError, KeyError, AttributeError, TypeError):
        raise Unreadable("no JSON object of a record") from None
    if not all(value is None or isinstance(value, str) for value in values.values()):
        raise Unreadable("a value that is no text")
    return _record(values, _moment(stamp))


def _moment(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError, OSError):  # of years that no clock of this place can have
        raise Unreadable("a time that is none") from None


def _record(values: Mapping[str, str | None], at: float) -> AuditEvent:
    kind = _kind(values.get("kind"))
    event = values.get("event")
    if not event:
        raise Unreadable("no event")
    return AuditEvent(
        at=at,
        event=event_named(event, kind),
        kind=kind,
        state=_state(values.get("state")),
        **{name: values.get(name) for name in _TEXTS},
    )


def _kind(text: str | None) -> Kind:
    if text not in {"1", "2"}:
        raise Unreadable("a type that is neither 1 nor 2")
    return Kind(int(text))


def _state(text: str | None) -> SessionState | None:
    if text is None:
        return None
    try:
        return SessionState(int(text)) if text.isdecimal() else SessionState[text]
    except (KeyError, ValueError):
        raise Unreadable("a state that is none") from None
