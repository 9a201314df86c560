"""How records stand on lines, and are read from them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.audit.events import (
    AuditEvent,
    GatewayEvent,
    Kind,
    RequestorEvent,
    SessionState,
    UserEvent,
)
from gatewaylog.audit.events.line import ENCODERS, Unreadable, encode_line, parse_line

AT = datetime(2026, 11, 21, 10, 22, 33).timestamp()  # noqa: DTZ001 - lines hold local time

_text = st.none() | st.text(st.characters(codec=None), max_size=20) | st.just("null")
_events = st.builds(
    AuditEvent,
    event=st.sampled_from([*UserEvent, *GatewayEvent]) | st.text(min_size=1, max_size=10),
    at=st.integers(0, 4_000_000_000).map(float),
    state=st.none() | st.sampled_from(SessionState),
    session_id=_text,
    tgt_id=_text,
    user=_text,
    organization=_text,
    ip=_text,
    requestor=_text,
    detail=_text,
    authority=_text,
)


def test_a_line_is_as_openaselect_writes_it() -> None:
    event = AuditEvent(
        event=UserEvent.USER_AUTHENTICATED,
        state=SessionState.AUTHN_OK,
        session_id="s1",
        user="ann",
        ip="192.0.2.1",
        requestor="portal",
        authority="idp",
        detail="password, then code",
    )
    assert encode_line(event, AT) == (
        b"[2026-11-21 10:22:33] AUTHN_OK, s1, null, ann, null, 192.0.2.1, 1,"
        b" USER_AUTHENTICATED, portal, idp, password\\u002c then code\n"
    )


@pytest.mark.parametrize("form", ENCODERS)
@given(event=_events)
def test_what_was_written_is_read_back(form: str, event: AuditEvent) -> None:
    line = ENCODERS[form](event, event.at or 0.0)
    assert line.count(b"\n") == 1
    read = parse_line(line)
    assert read.at is not None
    # A second that local time has twice, when summer ends, stands for the first of them.
    assert abs(read.at - (event.at or 0.0)) in {0, 3600}
    assert replace(read, at=event.at) == replace(event, kind=event.whose)


@given(value=st.text(st.characters(codec=None)))
def test_no_value_forges_another(value: str) -> None:
    line = encode_line(AuditEvent(event="X", user=value, session_id="s"), AT).decode()
    assert line.count(",") == 10
    assert not any(ord(character) < 32 for character in line.rstrip("\n"))


def test_milliseconds_stand_in_json_and_the_keys_are_those_of_the_page() -> None:
    told = json.loads(ENCODERS["json"](AuditEvent(event="X", user="ann"), 1.25))
    assert list(told) == [
        *("@timestamp", "session_id", "tgt_id", "state", "event", "user", "organization", "ip"),
        *("requestor", "detail", "authority", "type"),
    ]
    assert told["@timestamp"] == "1970-01-01T00:00:01.250000Z"


def test_the_kind_tells_events_of_one_name_apart() -> None:
    line = "[2026-11-21 10:22:33] null, s, null, null, null, null, {}, USER_UNKNOWN, p, a, null"
    user, requestor = (parse_line(line.format(kind).encode()) for kind in (1, 2))
    assert isinstance(user.event, UserEvent)
    assert isinstance(requestor.event, RequestorEvent)


def test_lines_of_other_writers_may_have_ordinals_and_commas_in_the_detail() -> None:
    line = b"[2026-11-21 10:22:33] 11, s, null, ann, org, ::1, 1, USER_IDENTIFIED, p, a, b, c\r\n"
    event = parse_line(line)
    assert (event.state, event.detail, event.at) == (SessionState.AUTHN_OK, "b, c", AT)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"hello", "no [time] in front"),
        (b"[2026-11-21 10:22:33] a, b", "2 values where 11 are due"),
        (b"[2026-13-21 10:22:33] null, s, t, u, o, i, 1, E, r, a, d", "a time that is none"),
        (b"[0001-01-01 00:00:00] null, s, t, u, o, i, 1, E, r, a, d", "a time that is none"),
        (b"[2026-11-21 10:22:33] NOWHERE, s, t, u, o, i, 1, E, r, a, d", "a state that is none"),
        (b"[2026-11-21 10:22:33] 22, s, t, u, o, i, 1, E, r, a, d", "a state that is none"),
        (b"[2026-11-21 10:22:33] 1, s, t, u, o, i, 3, E, r, a, d", "neither 1 nor 2"),
        (b"[2026-11-21 10:22:33] 1, s, t, u, o, i, 1, null, r, a, d", "no event"),
        (b"{", "no JSON object of a record"),
        (b'{"@timestamp": "x", "type": 1}', "a time that is none"),
        (b'{"@timestamp": "2026-11-21T10:22:33Z", "type": 1, "user": 5}', "is no text"),
        (b'{"@timestamp": "2026-11-21T10:22:33Z", "event": "E"}', "no JSON object"),
    ],
)
def test_what_is_no_record_says_why(line: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason.replace("[", r"\[")):
        parse_line(line)


def test_the_names_and_ordinals_are_openaselects() -> None:
    assert len(SessionState) == 22
    assert (SessionState.SESSION_CREATED, SessionState.PASSIVE_FAILED) == (0, 21)
    assert (SessionState.AUTHN_OK, SessionState.USER_LOGOUT_SUCCESS) == (11, 17)
    assert (len(UserEvent), len(RequestorEvent)) == (35, 20)
    assert all(member == member.name for member in (*UserEvent, *RequestorEvent, *GatewayEvent))
    assert AuditEvent(event=RequestorEvent.QUERY_FAILED).whose is Kind.REQUESTOR
    assert AuditEvent(event=GatewayEvent.TOKEN_ISSUED).whose is Kind.REQUESTOR
    assert AuditEvent(event="OWN").whose is Kind.USER


@pytest.mark.parametrize("wrong", [{"event": ""}, {"event": "E", "at": float("nan")}])
def test_a_record_without_a_name_or_a_time_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        AuditEvent(**wrong)  # type: ignore[arg-type]
