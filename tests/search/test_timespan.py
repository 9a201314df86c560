from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewaylog.search import QueryError, buckets, moment
from gatewaylog.search.buckets import AUTOMATIC, Span

CALIFORNIA = ZoneInfo("America/Los_Angeles")
NEPAL = ZoneInfo("Asia/Kathmandu")  # 5:45 before UTC


def at(text: str, zone: ZoneInfo = CALIFORNIA) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


NOW = at("2026-07-15T12:34:56.789")  # a Wednesday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-07-15T12:34:56.789"),
        ("-15m", "2026-07-15T12:19:56.789"),
        ("-2h", "2026-07-15T10:34:56.789"),
        ("-2hours", "2026-07-15T10:34:56.789"),
        ("-30s", "2026-07-15T12:34:26.789"),
        ("-s", "2026-07-15T12:34:55.789"),
        ("+1d", "2026-07-16T12:34:56.789"),
        ("-7d@d", "2026-07-08T00:00:00"),
        ("@d", "2026-07-15T00:00:00"),
        ("today", "2026-07-15T00:00:00"),
        ("yesterday", "2026-07-14T00:00:00"),
        ("@h", "2026-07-15T12:00:00"),
        ("@m", "2026-07-15T12:34:00"),
        ("@s", "2026-07-15T12:34:56"),
        ("@w", "2026-07-12T00:00:00"),
        ("@w0", "2026-07-12T00:00:00"),
        ("@w1", "2026-07-13T00:00:00"),
        ("@w6", "2026-07-11T00:00:00"),
        ("@w7", "2026-07-12T00:00:00"),
        ("-1w@w", "2026-07-05T00:00:00"),
        ("@mon", "2026-07-01T00:00:00"),
        ("-mon@mon", "2026-06-01T00:00:00"),
        ("@q", "2026-07-01T00:00:00"),
        ("-1q@q", "2026-04-01T00:00:00"),
        ("@y", "2026-01-01T00:00:00"),
        ("-1y", "2025-07-15T12:34:56.789"),
        ("-1d@d+3h", "2026-07-14T03:00:00"),
        ("@d-1h", "2026-07-14T23:00:00"),
        ("2026-07-01", "2026-07-01T00:00:00"),
        ("2026-07-01T10:00", "2026-07-01T10:00:00"),
        ("07/01/2026:10:00:00", "2026-07-01T10:00:00"),
        ("2026-07-01T10:00:00Z", "2026-07-01T03:00:00"),
        ("2026-07-01T10:00:00.5+02:00", "2026-07-01T01:00:00.5"),
    ],
)
def test_a_time_means_what_splunk_says(text: str, expected: str) -> None:
    assert moment(text, NOW, CALIFORNIA) == pytest.approx(at(expected), abs=1e-6)


def test_seconds_since_the_epoch_are_a_time() -> None:
    assert moment("1495830205.118", NOW) == 1495830205.118


def test_a_day_back_is_the_same_time_of_the_day_across_a_change_of_the_clock() -> None:
    after = at("2026-03-08T12:00:00")  # the clock was put forward that night
    assert moment("-1d", after, CALIFORNIA) == at("2026-03-07T12:00:00") == after - 23 * 3600
    assert moment("-24h", after, CALIFORNIA) == at("2026-03-07T11:00:00")


def test_a_month_back_from_its_last_day_is_the_last_of_a_shorter_one() -> None:
    assert moment("-1mon", at("2026-03-31T08:00:00"), CALIFORNIA) == at("2026-02-28T08:00:00")


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "-", "-5", "-5parsec", "@", "@w9", "@d7", "5m", "-1d@", "-1d@d!"),
        *("-999999999y", "+99999999d", "2026-13-01", "99/99/2026:00:00:00", "1e400", "nan"),
    ],
)
def test_what_is_no_time_is_an_error_with_its_place(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        moment(text, NOW, CALIFORNIA)
    assert caught.value.query == text


@settings(max_examples=150, deadline=None)
@given(st.text("+-@0123456789smhdwmonqy:.TZ /", max_size=12))
def test_no_text_makes_anything_but_a_time_or_a_query_error(text: str) -> None:
    try:
        found: object = moment(text, NOW, CALIFORNIA)
    except QueryError as error:
        found = error
    assert isinstance(found, (float, QueryError))
    assert str(found)


@pytest.mark.parametrize(
    ("back", "span"),
    [
        ("-15m", Span(10, "s")),
        ("-60m", Span(1, "m")),
        ("-4h", Span(5, "m")),
        ("-24h", Span(30, "m")),
        ("-7d", Span(1, "d")),
        ("-30d", Span(1, "d")),
        ("-1y", Span(1, "mon")),
        ("-100y", Span(1, "mon")),
        ("-1s", Span(1, "s")),
    ],
)
def test_the_automatic_span_is_splunks(back: str, span: Span) -> None:
    earliest = moment(back, NOW, CALIFORNIA)
    assert buckets.automatic(earliest, NOW - 0.001, CALIFORNIA) == span


@pytest.mark.parametrize(
    ("span", "text", "expected"),
    [
        (Span(1, "h"), "2026-07-15T12:34:56", "2026-07-15T12:00:00"),
        (Span(4, "h"), "2026-07-15T13:34:56", "2026-07-15T12:00:00"),
        (Span(1, "d"), "2026-07-15T23:59:59", "2026-07-15T00:00:00"),
        (Span(1, "w"), "2026-07-15T12:34:56", "2026-07-12T00:00:00"),
        (Span(1, "mon"), "2026-07-15T12:34:56", "2026-07-01T00:00:00"),
        (Span(3, "mon"), "2026-08-15T12:34:56", "2026-07-01T00:00:00"),
        (Span(1, "q"), "2026-05-15T12:34:56", "2026-04-01T00:00:00"),
        (Span(1, "y"), "2026-07-15T12:34:56", "2026-01-01T00:00:00"),
        (Span(10, "s"), "2026-07-15T12:34:56", "2026-07-15T12:34:50"),
        (Span(100, "ms"), "2026-07-15T12:34:56.789", "2026-07-15T12:34:56.7"),
        # The clock was put forward at two: the bucket began at midnight of then.
        (Span(4, "h"), "2026-03-08T03:30:00", "2026-03-08T00:00:00"),
        (Span(1, "d"), "2026-03-08T03:30:00", "2026-03-08T00:00:00"),
    ],
)
def test_buckets_begin_where_local_time_says(span: Span, text: str, expected: str) -> None:
    assert span.floor(at(text), CALIFORNIA) == pytest.approx(at(expected), abs=1e-6)


def test_an_hour_begins_on_the_hour_where_local_time_is_45_minutes_off() -> None:
    noon = at("2026-07-15T12:20:00", NEPAL)
    assert Span(1, "h").floor(noon, NEPAL) == at("2026-07-15T12:00:00", NEPAL)


def test_both_hours_of_one_name_have_a_bucket_when_the_clock_is_put_back() -> None:
    first = datetime(2026, 11, 1, 7, tzinfo=UTC).timestamp()  # midnight
    starts = list(Span(1, "h").starts(first, first + 4 * 3600, CALIFORNIA))
    assert starts == [first + 3600 * hour for hour in range(5)]


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0, 4e9),
    st.sampled_from([*AUTOMATIC, Span(4, "h"), Span(1, "w"), Span(2, "d"), Span(3, "mon")]),
    st.sampled_from([CALIFORNIA, NEPAL, ZoneInfo("UTC"), ZoneInfo("Australia/Lord_Howe")]),
)
def test_every_moment_lies_in_its_bucket_and_buckets_go_on(
    moment_: float, span: Span, zone: ZoneInfo
) -> None:
    start = span.floor(moment_, zone)
    assert start <= moment_
    assert span.floor(start, zone) == start
    assert span.after(start, zone) > start


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 4e9), st.integers(0, len(AUTOMATIC) - 2))
def test_automatic_spans_are_made_of_whole_smaller_ones(moment_: float, at_: int) -> None:
    small, large = AUTOMATIC[at_], AUTOMATIC[at_ + 1]
    start = small.floor(moment_, CALIFORNIA)
    assert large.floor(start, CALIFORNIA) == large.floor(moment_, CALIFORNIA)
