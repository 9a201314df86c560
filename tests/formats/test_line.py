"""How long values and lines are cut, in every format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.events import CallEvent, Event, IncomingRequest, LogLoss
from gatewaylog.formats import FORMATS, Line, LineOptions, Unparsed, parse_line
from gatewaylog.formats.wso2 import escape
from tests.formats.arbitrary import NOW, ROOMY, events, text

if TYPE_CHECKING:
    from collections.abc import Callable

in_every_format = pytest.mark.parametrize("format_name", FORMATS)
limits = st.builds(
    LineOptions,
    max_value_length=st.integers(1, 60),
    max_line=st.integers(100, 1200),
)


def encode(format_name: str, event: Event, options: LineOptions) -> bytes:
    return FORMATS[format_name](options).encode(event, NOW, "1-main")


def parsed(raw: bytes) -> CallEvent:
    line = parse_line(raw.removesuffix(b"\n"))
    assert isinstance(line, Line), line
    return line.call


def truncated(event: Event) -> str | None:
    return dict(event.extra).get("Truncated")


@in_every_format
def test_a_value_is_cut_at_the_limit_and_its_whole_length_is_told(format_name: str) -> None:
    event = IncomingRequest(request_in_url="/" + "a" * 4999, user_agent="u" * 4096)
    raw = encode(format_name, event, LineOptions())
    found = parsed(raw)
    assert found.request_in_url == "/" + "a" * 4095
    assert found.user_agent == "u" * 4096
    assert truncated(found) == "RequestInURL:5000"


def test_truncated_is_the_last_field_and_names_every_value_that_was_cut() -> None:
    event = IncomingRequest(
        request_in_url="é" * 20, user_agent="u" * 11, api="a" * 10, extra=(("mine", "m" * 12),)
    )
    raw = encode("wso2", event, LineOptions(max_value_length=10))
    assert raw.endswith(b', mine="mmmmmmmmmm", Truncated="RequestInURL:20;UserAgent:11;mine:12"\n')


@in_every_format
def test_a_line_with_the_seeds_fields_is_cut_without_a_word(format_name: str) -> None:
    event = IncomingRequest(request_in_url="/" * 50)
    raw = encode(format_name, event, LineOptions(fields="seed", max_value_length=10))
    assert parsed(raw) == IncomingRequest(request_in_url="/" * 10)


@in_every_format
def test_a_line_over_its_limit_has_values_cut_at_a_quarter_of_it(format_name: str) -> None:
    event = IncomingRequest(request_in_url="u" * 4000, user_agent="a" * 4000, api="x" * 3000)
    raw = encode(format_name, event, LineOptions())
    found = parsed(raw)
    assert len(raw) <= 9500
    assert found.request_in_url == "u" * 2375
    assert found.api == "x" * 2375
    assert truncated(found) == "API:3000;RequestInURL:4000;UserAgent:4000"


@in_every_format
def test_a_line_still_over_its_limit_has_values_cut_at_a_sixteenth_of_it(format_name: str) -> None:
    event = IncomingRequest(
        *(None, "x" * 3000, "u" * 4000, "m" * 3000, "a" * 4000, "i" * 3000, "r" * 100)
    )
    raw = encode(format_name, event, LineOptions())
    found = parsed(raw)
    assert len(raw) <= 9500
    assert found.request_in_url == "u" * 593
    assert found.request_id == "r" * 100
    assert truncated(found) == (
        "API:3000;RequestInURL:4000;RequestInMethod:3000;UserAgent:4000;RemoteIP:3000"
    )


@in_every_format
def test_a_limit_counts_bytes_as_they_are_written(format_name: str) -> None:
    event = IncomingRequest(request_in_url="\udcff" * 4000, user_agent="😀" * 4000)
    raw = encode(format_name, event, LineOptions())
    found = parsed(raw)
    assert len(raw) <= 9500
    assert found.request_in_url == "\udcff" * (2375 // 6)
    assert found.user_agent == "😀" * (2375 // (12 if format_name == "json" else 4))


def test_the_name_of_the_event_is_never_cut() -> None:
    raw = encode("wso2", IncomingRequest(api="abc"), LineOptions(max_value_length=1, max_line=1))
    assert parsed(raw).api == ""


def test_a_line_at_its_limit_is_whole_and_one_byte_more_cuts_it() -> None:
    event = IncomingRequest(request_in_url="/" * 2000)
    length = len(encode("wso2", event, LineOptions()))
    assert truncated(parsed(encode("wso2", event, LineOptions(max_line=length)))) is None
    assert truncated(parsed(encode("wso2", event, LineOptions(max_line=length - 1)))) is not None


def cut_fields(before: Event, after: Event) -> dict[str, int]:
    return {
        name: len(whole)
        for name, whole, kept in zip(before._fields, before, after, strict=True)
        if isinstance(whole, str) and whole != kept
    }


@in_every_format
@given(event=events, options=limits)
def test_what_is_cut_is_a_beginning_and_the_line_stays_readable(
    format_name: str, event: Event, options: LineOptions
) -> None:
    event = event._replace(extra=())
    raw = encode(format_name, event, options)
    line = parse_line(raw[:-1])
    assert isinstance(line, Line), line
    found = line.event
    assert raw.count(b"\n") == 1
    for whole, kept in zip(event[:-1], found[:-1], strict=True):
        if isinstance(whole, str):
            assert isinstance(kept, str)
            assert whole.startswith(kept)
            assert len(kept) <= options.max_value_length
        else:
            assert whole == kept
    told = re.findall(r":(\d+)(?:;|\Z)", truncated(found) or "")
    assert sorted(map(int, told)) == sorted(cut_fields(event, found).values())


@given(text, st.integers(1, 40))
def test_a_cut_never_falls_inside_an_escape(value: str, limit: int) -> None:
    event = IncomingRequest(request_in_url=value * 3)
    options = LineOptions(max_value_length=limit)
    assert parsed(encode("wso2", event, options)).request_in_url == (value * 3)[:limit]


def quarter(event: Event, written: Callable[[str], str]) -> int:
    return max(len(written(value).encode()) for value in event if isinstance(value, str))


@given(st.lists(text.filter(bool), min_size=6, max_size=6))
def test_no_value_of_a_line_over_its_limit_takes_more_than_a_quarter_of_it(
    values: list[str],
) -> None:
    event = IncomingRequest._make(
        [*(value * (400 // len(value)) for value in values), None, None, ()]
    )
    found = parsed(encode("wso2", event, LineOptions(max_line=900)))
    assert quarter(found, escape) <= 900 // 4


WRITER = "0123456789abcdef"


@in_every_format
@given(event=events, seq=st.integers(1, 2**63))
def test_whose_line_it_is_and_which_one_stand_last_and_are_read_back(
    format_name: str, event: Event, seq: int
) -> None:
    written = FORMATS[format_name](ROOMY)
    line = parse_line(written.encode(event, NOW, "1-main", WRITER, seq)[:-1])
    assert isinstance(line, Line)
    assert (line.event, line.writer, line.seq) == (event, WRITER, seq)
    assert line.pairs[-2:] == [("Writer", WRITER), ("Seq", seq)]
    again = parse_line(written.write(line)[:-1])
    assert again == line


@in_every_format
def test_only_truncated_stands_behind_writer_and_seq(format_name: str) -> None:
    options = LineOptions(max_value_length=10)
    event = IncomingRequest(user_agent="u" * 11, extra=(("mine", "m"),))
    raw = FORMATS[format_name](options).encode(event, NOW, "1-main", WRITER, 7)
    line = parse_line(raw[:-1])
    assert isinstance(line, Line)
    keys = [key for key, _ in line.pairs]
    assert keys[-4:] == ["mine", "Writer", "Seq", "Truncated"]
    positions = [raw.index(key.encode() + raw[raw.index(b"mine") + 4 :][:1]) for key in keys[-4:]]
    assert positions == sorted(positions)
    assert FORMATS[format_name](ROOMY).write(line).endswith(raw[raw.index(b"mine") :])
    assert line.writer == WRITER


@in_every_format
def test_the_seeds_fields_name_no_writer(format_name: str) -> None:
    options = LineOptions(fields="seed")
    raw = FORMATS[format_name](options).encode(IncomingRequest(), NOW, "1-main", WRITER, 7)
    line = parse_line(raw[:-1])
    assert isinstance(line, Line)
    assert (line.writer, line.seq) == (None, None)
    assert b"Seq" not in raw


@in_every_format
def test_a_seq_that_is_no_number_makes_the_line_unread(format_name: str) -> None:
    raw = FORMATS[format_name](ROOMY).encode(IncomingRequest(), NOW, "1-main", WRITER, 777)
    assert isinstance(
        parse_line(raw.replace(b"777", b'"x"' if raw[:1] == b"{" else b"x")[:-1]), Unparsed
    )


@in_every_format
def test_a_loss_tells_of_no_call(format_name: str) -> None:
    loss = LogLoss("urn:uuid:1", 3, 5, 7, "No space left on device")
    line = parse_line(
        FORMATS[format_name](LineOptions()).encode(loss, NOW, "1-main", WRITER, 8)[:-1]
    )
    assert isinstance(line, Line)
    assert line.event == loss
    with pytest.raises(TypeError, match="no call"):
        _ = line.call
    incoming = Line(time=line.time, event=IncomingRequest(api="app"))
    assert incoming.call.api == "app"
