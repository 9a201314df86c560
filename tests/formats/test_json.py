"""One JSON object a line: any reader of JSON gets what the event held."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.events import Event, IncomingRequest, RequestComplete, RequestError
from gatewaylog.formats import JsonFormat, Line, LineOptions, Unparsed, parse_line
from tests.formats.arbitrary import NOW, ROOMY, events


def encode(event: Event, options: LineOptions = ROOMY) -> bytes:
    return JsonFormat(options).encode(event, NOW, "thread")


def parsed(raw: bytes) -> Line:
    line = parse_line(raw.removesuffix(b"\n"))
    assert isinstance(line, Line), line
    return line


@given(events)
def test_what_is_encoded_parses_back_equal(event: Event) -> None:
    assert parsed(encode(event)).event == event


@given(events)
def test_one_event_is_one_line_of_ascii(event: Event) -> None:
    raw = encode(event)
    assert raw.isascii()
    assert raw.index(b"\n") == len(raw) - 1
    assert len(raw.decode().splitlines()) == 1


def test_numbers_are_numbers_and_no_value_is_null() -> None:
    raw = encode(RequestComplete(status_code=200, duration_ms=1.23456, bytes_in=0, backend_ms=2.0))
    found = json.loads(raw)
    assert found["StatusCode"] == 200
    assert found["DurationMs"] == 1.235
    assert found["BytesIn"] == 0
    assert found["APPLICATION_NAME"] is None
    assert "Attempts" not in found


def test_the_time_stands_first_in_utc_with_microseconds() -> None:
    raw = JsonFormat(ROOMY).encode(IncomingRequest(), 1495830205.0, "thread")
    assert raw.startswith(b'{"@timestamp": "2017-05-26T20:23:25.000000Z", "Event": ')
    assert parsed(raw).time == datetime(2017, 5, 26, 20, 23, 25, tzinfo=UTC)


def test_fields_stand_in_the_order_of_the_line() -> None:
    raw = encode(RequestError("main", "m", status_code=404, extra=(("Header_X", "1"),)))
    assert list(json.loads(raw))[:5] == [
        "@timestamp",
        "ErrorSource",
        "Event",
        "MessageID",
        "StatusCode",
    ]
    assert list(json.loads(raw))[-1] == "Header_X"
    assert list(json.loads(encode(IncomingRequest(), LineOptions(fields="seed")))) == [
        *("@timestamp", "Event", "MessageID", "API", "RequestInURL", "RequestInMethod", "UserAgent")
    ]


@given(events, st.integers(-720, 720))
def test_a_parsed_line_is_written_again_with_its_own_time(event: Event, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    line = Line(time=datetime(2017, 5, 26, 1, 2, 3, 4005, tzinfo=zone), event=event)
    again = parsed(JsonFormat(ROOMY).write(line))
    assert (again.time, again.event) == (line.time, line.event)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (
            b'{"@timestamp":"2017-05-26T20:23:25Z","Event":"ERROR","API":"a","API":"b"}',
            "API stands",
        ),
        (b'{"@timestamp":"2017-05-26T20:23:25Z","Event":"SOMETHING"}', "unknown Event"),
        (b'{"@timestamp":"2017-05-26T20:23:25Z","Event":null}', "no Event"),
        (b'{"@timestamp":"2017-05-26T20:23:25Z","Event":{}}', "unknown Event"),
        (b'{"@timestamp":"2017-05-26T20:23:25Z"}', "no Event"),
        (b'{"@timestamp":"2017-05-26T20:23:25","Event":"ERROR"}', "no offset"),
        (b'{"@timestamp":"yesterday","Event":"ERROR"}', "no time"),
        (b'{"@timestamp":"0001-01-01T00:00:00+23:00","Event":"ERROR"}', "no time"),
        (b'{"@timestamp":5,"Event":"ERROR"}', "no @timestamp"),
        (b'{"Event":"ERROR"}', "no @timestamp"),
        (b'{"@timestamp":"2017-05-26T20:23:25Z","Event":"ERROR","StatusCode":"x"}', "no number"),
        (b'{"@timestamp":"2017-05-26T20:23:25Z","Event":"ERROR","StatusCode":2.5}', "no number"),
        (b'{"@timestamp":"2017-05-26T20:23:25Z","Event":"ERROR","StatusCode":true}', "no number"),
        (b'{"@timestamp":"2017-05-26T20:23:25Z","Event":"ERROR","StatusCode":1e999}', "no number"),
        (b'{"@timestamp":"2017-05-26T20:23:25Z","Event":"ERROR","DurationMs":NaN}', "no number"),
        (b'{"@timestamp":"2017-05-26T20:23:25Z","Event":"ERROR","StatusCode":[]}', "single value"),
        (b'{"@timestamp":"2017-05-26T20:23:25Z","Event":"ERROR","API":{"a":1}}', "single value"),
        (b'{"@timestamp":"2017-05-26T20:23:25Z","Event":"ERROR","mine":[1]}', "single value"),
        (b'{"@timestamp":"2017-05-26T20:23:25Z","Event":"ERR', "Unterminated"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b'{"a":"\xff"}', "utf-8"),
        (b"{", "Expecting"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_number_and_the_reason(
    raw: bytes, reason: str
) -> None:
    found = parse_line(raw, 12)
    assert isinstance(found, Unparsed)
    assert (found.number, found.raw) == (12, raw)
    assert reason in found.reason


def test_an_array_is_no_line() -> None:
    assert JsonFormat.parse(b"5", 1) == Unparsed(number=1, raw=b"5", reason="no JSON object")
    assert isinstance(JsonFormat.parse(b"[]", 1), Unparsed)
    assert isinstance(JsonFormat.parse(b'["ab"]', 1), Unparsed)


@given(st.binary(max_size=60))
def test_no_bytes_make_the_parser_raise(noise: bytes) -> None:
    for raw in (noise, b"{" + noise, b'{"@timestamp":' + noise):
        assert isinstance(JsonFormat.parse(raw, 2), Unparsed)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    )
)
def test_no_value_of_json_makes_the_parser_raise(value: object) -> None:
    for key in ("StatusCode", "DurationMs", "API", "Event", "@timestamp", "mine"):
        found = {"@timestamp": "2017-05-26T20:23:25Z", "Event": "ERROR", key: value}
        assert isinstance(parse_line(json.dumps(found).encode()), (Line, Unparsed))
