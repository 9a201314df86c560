"""How long values and lines are cut, in every format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.events import Event, IncomingRequest
from gatewaylog.formats import FORMATS, Line, LineOptions, parse_line
from gatewaylog.formats.wso2 import escape
from tests.formats.arbitrary import NOW, events, text

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


def parsed(raw: bytes) -> Event:
    line = parse_line(raw.removesuffix(b"\n"))
    assert isinstance(line, Line), line
    return line.event


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
    found = parsed(raw)
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
