"""The default format: its prefix, its pairs, and that nothing in a value can forge either."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewaylog.events import Event, IncomingRequest, LogLoss, RequestComplete, RequestError
from gatewaylog.formats import Line, LineOptions, Unparsed, Wso2Format, parse_line, wso2
from gatewaylog.formats.line import numbered_pairs
from gatewaylog.formats.wso2 import escape, prefix_text, unescape
from tests.formats.arbitrary import NOW, ROOMY, TEMPTING, events, text

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = (Path(__file__).parent.parent / "fixtures" / "seed_lines.txt").read_bytes().splitlines()
KEY = re.compile(r'([A-Za-z_.-]+)="')
PREFIX = b"2017-05-26T13:23:25.118-0700 [AM][main]{x}[-] INFO  "


@pytest.fixture
def los_angeles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The seed's own zone."""
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def encode(event: Event, options: LineOptions = ROOMY) -> bytes:
    return Wso2Format(options).encode(event, NOW, "1-main")


def parsed(raw: bytes) -> Line:
    line = parse_line(raw.removesuffix(b"\n"))
    assert isinstance(line, Line), line
    return line


def keys(raw: bytes) -> list[str]:
    return KEY.findall(raw.decode())


@given(events)
def test_what_is_encoded_parses_back_equal(event: Event) -> None:
    assert parsed(encode(event)).event == event


@given(events)
def test_one_event_is_one_line_for_every_reader_of_lines(event: Event) -> None:
    raw = encode(event)
    assert raw.index(b"\n") == len(raw) - 1
    assert len(raw.splitlines()) == 1
    assert len(raw.decode().splitlines()) == 1


@given(events)
def test_the_fast_way_writes_what_the_slow_way_writes(event: Event) -> None:
    for options in (LineOptions(), LineOptions(fields="seed")):
        written = Wso2Format(options)
        prefix = written._prefix(NOW, "1-main")
        for writer, seq in (("", 0), ("0123456789abcdef", 12)):
            pairs = numbered_pairs(event, options.fields, writer, seq)
            slow = wso2._render(prefix, pairs, options)
            assert written.encode(event, NOW, "1-main", writer, seq) == slow


def test_plain_events_take_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(wso2, "_render")
    assert encode(IncomingRequest("urn:uuid:1", "app", "/a?b=c", "GET", "curl", "::1"))
    assert encode(RequestComplete("urn:uuid:1", "app", "urn:uuid:2", status_code=200))
    assert encode(RequestError("main", "urn:uuid:1", status_code=404))
    loss = LogLoss("urn:uuid:1", 1, 2, 2, "No space left on device")
    assert Wso2Format(ROOMY).encode(loss, NOW, "1-main", "0123456789abcdef", 3)


@given(text)
@example("null")
def test_a_value_is_the_body_of_a_json_string_without_a_quotation_mark(value: str) -> None:
    body = escape(value)
    assert '"' not in body
    assert json.loads(f'"{body}"') == value
    assert unescape(body) == value
    assert body != "null"


@pytest.mark.parametrize(
    "code",
    [
        *range(0x20),
        *range(0x7F, 0xA0),
        *(0x2028, 0x2029, 0x61C, 0x200E, 0x200F),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *(0xDC80, 0xDCFF, 0x22),
    ],
)
def test_controls_and_direction_marks_are_escaped_by_their_number(code: int) -> None:
    assert escape(f"a{chr(code)}b") == f"a\\u{code:04x}b"


@pytest.mark.parametrize(
    "character", ["é", "😀", "\u00a0", "\ufeff", "\u2060", "漢", "'", "/", "<"]
)
def test_all_other_text_is_utf_8_as_it_is(character: str) -> None:
    raw = encode(IncomingRequest(user_agent=character))
    assert f'UserAgent="{character}"'.encode() in raw


def test_no_value_the_empty_text_and_the_text_null_are_three_things() -> None:
    for value, written in ((None, b'"null"'), ("", b'""'), ("null", b'"\\u006eull"')):
        raw = encode(IncomingRequest(user_agent=value))
        assert b"UserAgent=" + written in raw
        event = parsed(raw).call
        assert event.user_agent == value


def test_keys_without_a_value_are_left_out_or_null_as_the_specification_says() -> None:
    assert keys(encode(IncomingRequest())) == [
        *("Event", "MessageID", "API", "RequestInURL", "RequestInMethod", "UserAgent", "RemoteIP")
    ]
    assert keys(encode(RequestComplete())) == [
        *("Event", "MessageID", "API", "APPLICATION_NAME", "END_USER_NAME", "StatusCode"),
        *("RequestOutURL", "RequestOutMethod", "RequestInURL", "RequestInMethod", "UserAgent"),
        *("RemoteIP", "Outcome", "DurationMs", "BytesIn", "BytesOut"),
    ]
    assert keys(encode(RequestError())) == [
        *("ErrorSource", "Event", "MessageID", "StatusCode", "ERROR_CODE", "ERROR_MESSAGE"),
        *("RequestInURL", "RequestInMethod", "UserAgent", "RemoteIP"),
        *("Outcome", "DurationMs", "BytesIn", "BytesOut"),
    ]


COMPLETE_FIELDS = {
    IncomingRequest: (
        "Event MessageID API RequestInURL RequestInMethod UserAgent",
        "RemoteIP RequestID TraceID",
    ),
    RequestComplete: (
        "Event MessageID API ResponseTo APPLICATION_NAME END_USER_NAME StatusCode RequestOutURL"
        " RequestOutMethod RequestInURL RequestInMethod",
        "UserAgent RemoteIP Outcome DurationMs BackendMs BytesIn BytesOut Attempts TokenRef"
        " RequestID TraceID",
    ),
    RequestError: (
        "ErrorSource Event MessageID API StatusCode ERROR_CODE ERROR_MESSAGE RequestInURL"
        " RequestInMethod UserAgent RemoteIP",
        "ResponseTo APPLICATION_NAME END_USER_NAME RequestOutURL RequestOutMethod Outcome"
        " DurationMs BytesIn BytesOut Attempts TokenRef RequestID TraceID",
    ),
}


@pytest.mark.parametrize("kind", COMPLETE_FIELDS)
def test_fields_stand_in_the_order_of_the_specification(
    kind: type[IncomingRequest | RequestComplete | RequestError],
) -> None:
    seed, ours = COMPLETE_FIELDS[kind]
    whole = kind._make([1] * (len(kind._fields) - 1) + [(("Header_X", "y"), ("zone", None))])
    assert keys(encode(whole)) == [*seed.split(), *ours.split(), "Header_X", "zone"]
    assert keys(encode(whole, LineOptions(fields="seed"))) == seed.split()


@pytest.mark.parametrize("raw", SEED, ids=lambda raw: raw.split(b'"')[1].decode())
def test_the_seeds_lines_are_read_and_written_byte_for_byte(raw: bytes) -> None:
    assert len(SEED) == 3
    line = parsed(raw)
    assert (line.node, line.level) == ("AM", "INFO")
    assert Wso2Format(LineOptions(fields="seed")).write(line) == raw + b"\n"


def test_the_seeds_error_is_understood() -> None:
    event = parsed(SEED[2]).event
    assert isinstance(event, RequestError)
    assert event.error_source == "_auth_failure_handler_"
    assert event.api == "g1zhang--ecoiws:vv2.0"
    assert event.status_code is None
    assert event.error_code == "900901"
    assert event.remote_ip == "172.16.180.45"


def test_an_event_of_the_seed_is_encoded_byte_for_byte(los_angeles: None) -> None:
    options = LineOptions(fields="seed", logger="D_APIAccessLog.AccessLogWriter")
    line = parsed(SEED[0])
    assert line.thread is not None
    assert Wso2Format(options).encode(line.event, NOW, line.thread) == SEED[0] + b"\n"


def test_local_time_has_milliseconds_and_the_offset_of_its_day(los_angeles: None) -> None:
    form = Wso2Format(LineOptions())
    winter = 1484000000.0
    stamps = [
        form.encode(IncomingRequest(), now, "t")[:28].decode()
        for now in (NOW, NOW + 0.001, 1495830205.9996, 1495830206.0, winter)
    ]
    assert stamps == [
        "2017-05-26T13:23:25.118-0700",
        "2017-05-26T13:23:25.119-0700",
        "2017-05-26T13:23:25.999-0700",
        "2017-05-26T13:23:26.000-0700",
        "2017-01-09T14:13:20.000-0800",
    ]


def test_the_default_prefix_is_the_seeds_shape() -> None:
    assert re.match(
        rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4} "
        rb'\[AM\]\[1-main\]\{gatewaylog\.AccessLogWriter\}\[-\] INFO  Event="',
        encode(IncomingRequest()),
    )


@given(st.text(max_size=30), st.text(max_size=60))
@example("", "")
def test_no_node_or_logger_can_forge_the_prefix(node: str, logger: str) -> None:
    raw = encode(IncomingRequest(api="a"), LineOptions(node=node, logger=logger))
    line = parsed(raw)
    assert line.node == prefix_text(node)
    assert line.logger == prefix_text(logger[-30:])
    assert line.event == IncomingRequest(api="a")


@given(st.text())
@example("")
@example('a"b=c[d]e{f}g\\h i')
def test_what_stands_in_a_prefix_is_never_empty_and_ends_nothing(value: str) -> None:
    shown = prefix_text(value)
    assert shown
    assert len(shown) == max(1, len(value))
    assert not re.search(r'["=\[\]{}\\\s]', shown)


def test_a_long_logger_keeps_its_last_thirty_characters() -> None:
    raw = encode(IncomingRequest(), LineOptions(logger="org.wso2.D_APIAccessLog.AccessLogWriter"))
    assert b"{D_APIAccessLog.AccessLogWriter}" in raw


@given(events)
def test_a_parsed_line_can_be_written_whatever_its_prefix_held(event: Event) -> None:
    raw = encode(event).replace(b"[AM]", b"[\xff\x00n]").replace(b"{gate", b"{\x85gate")
    again = Wso2Format(ROOMY).write(parsed(raw))
    assert parsed(again).event == event
    assert again.count(b"\n") == 1


def test_quotation_marks_escaped_as_other_writers_do_are_read() -> None:
    raw = PREFIX + b'Event="INCOMING_REQUEST", UserAgent="a \\"b\\" c\\\\", API="x"'
    event = parsed(raw).call
    assert event.user_agent == 'a "b" c\\'
    assert event.api == "x"


def test_controls_left_raw_by_other_writers_are_read() -> None:
    raw = PREFIX + b'Event="INCOMING_REQUEST", UserAgent="a\tb\x01\x85\xffc\x0b", API="\\t\x02"'
    event = parsed(raw).call
    assert event.user_agent == "a\tb\x01\udc85\udcffc\x0b"
    assert event.api == "\t\x02"


def test_a_backslash_that_escapes_nothing_stands_for_itself() -> None:
    raw = PREFIX + rb'Event="INCOMING_REQUEST", UserAgent="C:\dir \u12", API="x"'
    assert parsed(raw).call.user_agent == r"C:\dir \u12"


def test_a_carriage_return_at_the_end_is_no_part_of_a_line() -> None:
    assert parsed(PREFIX + b'Event="INCOMING_REQUEST", API="x"\r').event == IncomingRequest(api="x")


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        (b'Event="INCOMING_REQUEST", API="a", API="b"', "API stands twice"),
        (b'Event="INCOMING_REQUEST", Event="ERROR"', "Event stands twice"),
        (b'Event="SOMETHING", API="a"', "unknown Event"),
        (b'Event="null"', "no Event"),
        (b'API="a"', "no Event"),
        (b"", "no Event"),
        (b'Event="INCOMING_REQUEST", API="a', 'no Key="value" at column 79'),
        (b'Event="INCOMING_REQUEST", API=', 'no Key="value" at column 79'),
        (b'Event="INCOMING_REQUEST", ', 'no Key="value" at column 53'),
        (b'Event="INCOMING_REQUEST" API="a"', 'no Key="value" at column 53'),
        (b'Event="REQUEST_COMPLETE", StatusCode="2x"', "StatusCode is no number"),
        (b'Event="REQUEST_COMPLETE", StatusCode="1_0"', "StatusCode is no number"),
        ('Event="REQUEST_COMPLETE", StatusCode="٢"'.encode(), "StatusCode is no number"),
        (b'Event="REQUEST_COMPLETE", DurationMs="nan"', "DurationMs is no number"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_number_and_the_reason(
    rest: bytes, reason: str
) -> None:
    found = parse_line(PREFIX + rest, 7)
    assert found == Unparsed(number=7, raw=PREFIX + rest, reason=reason)


@pytest.mark.parametrize(
    "raw",
    [
        PREFIX.replace(b"2017-05-26", b"2017-13-26"),
        PREFIX.replace(b"-0700", b"-9900"),
        PREFIX.replace(b"2017", "２０１７".encode()),
        PREFIX.replace(b"[AM]", b""),
        b"2017",
        b"",
    ],
)
def test_a_line_without_a_prefix_is_told(raw: bytes) -> None:
    found = parse_line(raw + b'Event="INCOMING_REQUEST"', 3)
    assert isinstance(found, Unparsed)
    assert (found.number, bool(found.reason)) == (3, True)


@given(events, st.data())
def test_a_line_cut_anywhere_is_never_read_as_another_event(
    event: Event, data: st.DataObject
) -> None:
    raw = encode(event).removesuffix(b"\n")
    at = data.draw(st.integers(0, len(raw) - 1))
    found = parse_line(raw[:at], 5)
    if isinstance(found, Line):
        assert raw[:at].endswith(b'"')  # whole pairs alone: what is missing can't be known
        assert raw[at:].startswith(b", ")
    else:
        assert (found.number, found.raw) == (5, raw[:at])


@given(st.binary(max_size=60), st.sampled_from([b"", PREFIX, PREFIX + b'Event="ERROR", A="']))
def test_no_bytes_make_the_parser_raise(noise: bytes, before: bytes) -> None:
    found = parse_line(before + noise, 9)
    assert isinstance(found, (Line, Unparsed))
    if isinstance(found, Unparsed):
        assert (found.number, found.raw) == (9, before + noise)
        assert found.reason


@given(st.sampled_from(TEMPTING), st.sampled_from(TEMPTING))
def test_a_value_never_becomes_a_field(first: str, second: str) -> None:
    raw = encode(IncomingRequest(user_agent=first, request_in_url=second, remote_ip="x"))
    assert keys(raw).count("Event") == 1
    assert raw.count(b'"') == 2 * 7
