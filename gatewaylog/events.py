"""The events of the log: their fields and the order of these, once.

An event is a tuple of its values in the order of the line. They are NamedTuples, not frozen
dataclasses, because the order is part of the contract and because a frozen dataclass of 22 fields
takes twice as long to make (benchmarks/event_cost.py).

Names and order of the seed's fields come from its page "API Access Log", section Log Format.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Extra: TypeAlias = tuple[tuple[str, str | None], ...]


class IncomingRequest(NamedTuple):
    """A call arrived and its API is known; nothing else has been looked at."""

    message_id: str | None = None
    api: str | None = None
    request_in_url: str | None = None
    request_in_method: str | None = None
    user_agent: str | None = None
    remote_ip: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    extra: Extra = ()


class RequestComplete(NamedTuple):
    """A backend answered, and the answer is over. Durations are milliseconds, sizes bytes."""

    message_id: str | None = None
    api: str | None = None
    response_to: str | None = None
    application_name: str | None = None
    end_user_name: str | None = None
    status_code: int | None = None
    request_out_url: str | None = None
    request_out_method: str | None = None
    request_in_url: str | None = None
    request_in_method: str | None = None
    user_agent: str | None = None
    remote_ip: str | None = None
    outcome: str | None = None
    duration_ms: float | None = None
    backend_ms: float | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    attempts: int | None = None
    token_ref: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    extra: Extra = ()


class RequestError(NamedTuple):
    """The gateway itself answered, or nobody did. Durations are milliseconds, sizes bytes."""

    error_source: str | None = None
    message_id: str | None = None
    api: str | None = None
    status_code: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    request_in_url: str | None = None
    request_in_method: str | None = None
    user_agent: str | None = None
    remote_ip: str | None = None
    response_to: str | None = None
    application_name: str | None = None
    end_user_name: str | None = None
    request_out_url: str | None = None
    request_out_method: str | None = None
    outcome: str | None = None
    duration_ms: float | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    attempts: int | None = None
    token_ref: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    extra: Extra = ()


class LogLoss(NamedTuple):
    """The log could not be written: `lost` events of this writer are missing.

    They are those with the Seq `first` to `last`; `reason` is what the system said.
    """

    message_id: str | None = None
    lost: int | None = None
    first: int | None = None
    last: int | None = None
    reason: str | None = None
    extra: Extra = ()


CallEvent: TypeAlias = IncomingRequest | RequestComplete | RequestError
Event: TypeAlias = CallEvent | LogLoss


class Field(NamedTuple):
    """One field of a line.

    `seed`: written with `fields = "seed"` too. `always`: the key stands on every line, with null
    where there is no value; other keys are left out then.
    """

    key: str
    kind: type[str | int | float] = str
    seed: bool = False
    always: bool = False


class Layout(NamedTuple):
    """What a kind of event looks like on a line: `fields` in the order of the tuple's values,
    and how many of them stand before the key Event.
    """

    kind: type[Event]
    name: str
    before_name: int
    fields: tuple[Field, ...]


def _seed(key: str, kind: type[str | int] = str, *, always: bool = True) -> Field:
    return Field(key, kind, seed=True, always=always)


def _always(key: str, kind: type[str | int | float] = str) -> Field:
    return Field(key, kind, always=True)


INCOMING_REQUEST = Layout(
    IncomingRequest,
    "INCOMING_REQUEST",
    0,
    (
        _seed("MessageID"),
        _seed("API"),
        _seed("RequestInURL"),
        _seed("RequestInMethod"),
        _seed("UserAgent"),
        _always("RemoteIP"),
        Field("RequestID"),
        Field("TraceID"),
    ),
)
REQUEST_COMPLETE = Layout(
    RequestComplete,
    "REQUEST_COMPLETE",
    0,
    (
        _seed("MessageID"),
        _seed("API"),
        _seed("ResponseTo", always=False),
        _seed("APPLICATION_NAME"),
        _seed("END_USER_NAME"),
        _seed("StatusCode", int),
        _seed("RequestOutURL"),
        _seed("RequestOutMethod"),
        _seed("RequestInURL"),
        _seed("RequestInMethod"),
        _always("UserAgent"),
        _always("RemoteIP"),
        _always("Outcome"),
        _always("DurationMs", float),
        Field("BackendMs", float),
        _always("BytesIn", int),
        _always("BytesOut", int),
        Field("Attempts", int),
        Field("TokenRef"),
        Field("RequestID"),
        Field("TraceID"),
    ),
)
ERROR = Layout(
    RequestError,
    "ERROR",
    1,
    (
        _seed("ErrorSource"),
        _seed("MessageID"),
        _seed("API", always=False),
        _seed("StatusCode", int),
        _seed("ERROR_CODE"),
        _seed("ERROR_MESSAGE"),
        _seed("RequestInURL"),
        _seed("RequestInMethod"),
        _seed("UserAgent"),
        _seed("RemoteIP"),
        Field("ResponseTo"),
        Field("APPLICATION_NAME"),
        Field("END_USER_NAME"),
        Field("RequestOutURL"),
        Field("RequestOutMethod"),
        _always("Outcome"),
        _always("DurationMs", float),
        _always("BytesIn", int),
        _always("BytesOut", int),
        Field("Attempts", int),
        Field("TokenRef"),
        Field("RequestID"),
        Field("TraceID"),
    ),
)

LOG_LOSS = Layout(
    LogLoss,
    "LOG_LOSS",
    0,
    (
        _seed("MessageID"),
        _seed("Count", int),
        _always("From", int),
        _always("To", int),
        _seed("Reason"),
    ),
)

LAYOUTS: tuple[Layout, ...] = (INCOMING_REQUEST, REQUEST_COMPLETE, ERROR, LOG_LOSS)
LAYOUT_OF: dict[type, Layout] = {layout.kind: layout for layout in LAYOUTS}
LAYOUT_NAMED: dict[str, Layout] = {layout.name: layout for layout in LAYOUTS}

# What stands behind an event's own fields and those of users: who wrote the line, and which of the
# writer's lines it is.
WRITER = Field("Writer")
SEQ = Field("Seq", int)
TRUNCATED = "Truncated"  # which values were cut, and how long they were
CHAIN = Field("Chain")  # `gatewaylog.seal`
# No field that a user adds may take one of these names.
RESERVED = frozenset(
    {"Event", WRITER.key, SEQ.key, TRUNCATED, CHAIN.key}
    | {field.key for layout in LAYOUTS for field in layout.fields}
)
