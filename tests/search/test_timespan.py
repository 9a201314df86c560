from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewaylog.search import (
    QueryError,
    Row,
    buckets,
    compile_query,
    gathering_of,
    moment,
    timespan,
)
from gatewaylog.search.buckets import AUTOMATIC, Span
from gatewaylog.search.columns import Taken

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


@pytest.mark.parametrize(
    ("name", "day", "expected"),
    [
        # Midnight is left out: the day begins at one.
        ("America/Santiago", "2026-09-06T12:00", "2026-09-06T01:00:00-03:00"),
        ("Africa/Cairo", "2026-04-24T12:00", "2026-04-24T01:00:00+03:00"),
        ("America/Asuncion", "2023-10-01T12:00", "2023-10-01T01:00:00-03:00"),
        # Midnight comes twice.
        ("America/Havana", "2026-11-01T12:00", "2026-11-01T00:00:00-04:00"),
        # The clock is put from half past eleven to half past midnight, and over a whole day.
        ("America/Toronto", "1919-03-31T12:00", "1919-03-31T00:30:00-04:00"),
        ("Pacific/Apia", "2011-12-31T12:00", "2011-12-31T00:00:00+14:00"),
    ],
)
def test_a_day_begins_with_its_first_moment_and_the_next_ones_at_midnight(
    name: str, day: str, expected: str
) -> None:
    zone, span = ZoneInfo(name), Span(1, "d")
    start = span.floor(at(day, zone), zone)
    assert start == datetime.fromisoformat(expected).timestamp()
    following = datetime.fromtimestamp(span.after(start, zone), zone)
    assert (following.hour, following.minute) == (0, 0)
    before = span.floor(start - 1, zone)
    assert span.after(before, zone) == start


@pytest.mark.parametrize("span", [Span(2, "h"), Span(4, "h"), Span(6, "h"), Span(12, "h")])
def test_no_bucket_comes_twice_where_the_clock_is_put_back(span: Span) -> None:
    first = at("2026-11-01T00:00")
    walls = [
        datetime.fromtimestamp(start, CALIFORNIA).hour
        for start in span.starts(first, first + 24 * 3600, CALIFORNIA)
    ]
    assert walls == list(range(0, 24, span.size))


def test_a_bucket_within_which_half_an_hour_is_said_again_is_two() -> None:
    island = ZoneInfo("Australia/Lord_Howe")  # from two to half past one
    change = datetime(2026, 4, 4, 15, tzinfo=UTC).timestamp()
    starts = list(Span(1, "h").starts(change - 3600, change + 1800, island))
    assert starts == [change - 3600, change, change + 1800]


@pytest.mark.parametrize("span", [Span(1, "d"), Span(1, "w"), Span(2, "mon"), Span(12, "h")])
@pytest.mark.parametrize("zone", [CALIFORNIA, NEPAL])
def test_the_ends_of_the_calendar_have_buckets(span: Span, zone: ZoneInfo) -> None:
    for moment_ in (-62135647200.0, -62135596800.0, 253402300799.0, 253402340399.0):
        start = span.floor(moment_, zone)
        assert start <= moment_ < span.after(start, zone)
        assert list(span.starts(moment_, moment_, zone)) == [start]


# Changes at midnight, before and behind it, of half an hour, of a day, back by a day, of seconds.
ODD_ZONES = [
    ZoneInfo(f"America/{name}")
    for name in ("Santiago", "Havana", "Asuncion", "Los_Angeles", "St_Johns", "Toronto")
] + [
    ZoneInfo(name)
    for name in (
        *("Asia/Beirut", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Monrovia"),
        *("Pacific/Kwajalein", "Asia/Kathmandu", "UTC"),
    )
]
ODD_SPANS = [
    *(Span(size, "d") for size in (1, 2, 3)),
    *(Span(size, "h") for size in (1, 2, 4, 6, 12, 24, 36)),
    *(Span(size, "m") for size in (1, 7, 30, 45, 90)),
    *(Span(1, unit) for unit in ("s", "w", "mon", "q", "y")),
    Span(3, "mon"),
]


def changes(zone: ZoneInfo) -> list[int]:
    """When the clock of a place was changed, from 1900 to 2030."""
    days = range(-2_208_988_800, 1_893_456_000, 10 * 86400)
    offsets = [timespan.offset_of(day, zone) for day in days]
    pairs = zip(pairwise(days), pairwise(offsets), strict=True)
    return [timespan.change(*days, zone) for days, (one, other) in pairs if one != other] or [0]


CHANGES = {zone: changes(zone) for zone in ODD_ZONES}
near = st.one_of(
    st.integers(-4000, 4000),
    st.integers(-100_000, 100_000),
    st.sampled_from([-1, 0, 1, -3600, 3600, -0.001]),
)


@st.composite
def odd_moments(draw: st.DrawFn) -> tuple[ZoneInfo, list[float]]:
    """Draw a place, and moments around one or two changes of its clock."""
    zone = draw(st.sampled_from(ODD_ZONES))
    change = draw(st.sampled_from(CHANGES[zone]))
    return zone, [change + after for after in draw(st.lists(near, min_size=1, max_size=12))]


@settings(max_examples=400, deadline=None)
@given(odd_moments(), st.sampled_from(ODD_SPANS))
def test_buckets_follow_each_other_wherever_the_clock_is_changed(
    drawn: tuple[ZoneInfo, list[float]], span: Span
) -> None:
    zone, moments = drawn
    for moment_ in moments:
        start = span.floor(moment_, zone)
        end = span.after(start, zone)
        assert start <= moment_ < end
        assert span.floor(start, zone) == span.floor((start + end) / 2, zone) == start
        assert span.floor(end, zone) == end
        assert span.floor(end - 0.001, zone) == start


@settings(max_examples=400, deadline=None)
@given(odd_moments(), st.sampled_from(ODD_SPANS), st.booleans())
def test_every_event_is_in_the_row_of_a_time_chart_that_bin_gives(
    drawn: tuple[ZoneInfo, list[float]], span: Span, gathered: bool
) -> None:
    zone, moments = drawn
    rows = [Row(moment_, b"", {}) for moment_ in moments]

    def counted(query: str) -> dict[object, object]:
        plan = compile_query(query.format(f"{span.size}{span.unit}"), now=0, zone=zone)
        found = gathering_of(plan)
        result = plan.run(rows)
        if gathered and found:
            takings = [[Taken({}, moment_, 1)] for moment_ in moments]
            result = found.result([found.state_of(taking) for taking in takings])
        return {row["_time"]: row["count"] for row in result.rows if row["count"]}

    buckets_ = counted("* | bin _time span={} | stats count by _time")
    # Rows without events would be too many for short spans.
    chart = counted("* | timechart cont=f span={} count")
    assert chart == buckets_
    assert sum(map(int, map(str, chart.values()))) == len(moments)
    if span.seconds() >= 60:
        assert counted("* | timechart span={} count") == buckets_


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 4e9), st.integers(0, len(AUTOMATIC) - 2))
def test_automatic_spans_are_made_of_whole_smaller_ones(moment_: float, at_: int) -> None:
    small, large = AUTOMATIC[at_], AUTOMATIC[at_ + 1]
    start = small.floor(moment_, CALIFORNIA)
    assert large.floor(start, CALIFORNIA) == large.floor(moment_, CALIFORNIA)
