"""logfmt: plain words bare, all else quoted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.events import Event, IncomingRequest, RequestComplete
from gatewaylog.formats import Line, LineOptions, LogfmtFormat, Unparsed, parse_line
from tests.formats.arbitrary import NOW, ROOMY, events, text


def encode(event: Event, options: LineOptions = ROOMY) -> bytes:
    return LogfmtFormat(options).encode(event, NOW, "thread")


def parsed(raw: bytes) -> Line:
    line = parse_line(raw.removesuffix(b"\n"))
    assert isinstance(line, Line), line
    return line


@given(events)
def test_what_is_encoded_parses_back_equal(event: Event) -> None:
    assert parsed(encode(event)).event == event


@given(events)
def test_one_event_is_one_line(event: Event) -> None:
    raw = encode(event)
    assert raw.index(b"\n") == len(raw) - 1
    assert len(raw.splitlines()) == 1
    assert len(raw.decode().splitlines()) == 1


def test_plain_words_are_bare_and_all_else_is_quoted() -> None:
    raw = encode(
        RequestComplete(
            request_in_url="/a?b=c", request_in_method="GET", user_agent="", status_code=200,
            application_name="null", duration_ms=1.5, remote_ip="::1",
        )
    )  # fmt: skip
    assert raw == (
        b"time=2017-05-26T20:23:25.118000Z Event=REQUEST_COMPLETE MessageID=null API=null"
        b' APPLICATION_NAME="\\u006eull" END_USER_NAME=null StatusCode=200 RequestOutURL=null'
        b' RequestOutMethod=null RequestInURL="/a?b=c" RequestInMethod=GET UserAgent=""'
        b" RemoteIP=::1 Outcome=null DurationMs=1.500 BytesIn=null BytesOut=null\n"
    )


@given(text)
def test_no_value_forges_a_field(value: str) -> None:
    event = parsed(encode(IncomingRequest(user_agent=value, remote_ip="x"))).event
    assert event == IncomingRequest(user_agent=value, remote_ip="x")


@given(events)
def test_a_parsed_line_is_written_again_with_its_own_time(event: Event) -> None:
    line = Line(time=datetime(2017, 5, 26, 1, 2, 3, 4005, tzinfo=UTC), event=event)
    again = parsed(LogfmtFormat(ROOMY).write(line))
    assert (again.time, again.event) == (line.time, line.event)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"time=2017-05-26T20:23:25Z Event=ERROR API=a API=b", "API stands twice"),
        (b"time=2017-05-26T20:23:25Z Event=SOMETHING", "unknown Event"),
        (b"time=2017-05-26T20:23:25Z API=a", "no Event"),
        (b"time=2017-05-26T20:23:25Z Event=ERROR StatusCode=x", "StatusCode is no number"),
        (b'time=2017-05-26T20:23:25Z Event=ERROR API="a', "no key=value at column 39"),
        (b"time=2017-05-26T20:23:25 Event=ERROR", "no offset"),
        (b"time=null Event=ERROR", "no time"),
        (b"Event=ERROR", "no time in front"),
        (b"garbage", "no key=value at column 1"),
        (b"", "no time in front"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_number_and_the_reason(
    raw: bytes, reason: str
) -> None:
    found = parse_line(raw, 4)
    assert isinstance(found, Unparsed)
    assert (found.number, found.raw) == (4, raw)
    assert reason in found.reason


@given(st.binary(max_size=60))
def test_no_bytes_make_the_parser_raise(noise: bytes) -> None:
    for raw in (noise, b"time=" + noise, b"time=2017-05-26T20:23:25Z Event=ERROR " + noise):
        assert isinstance(LogfmtFormat.parse(raw, 2), (Line, Unparsed))
