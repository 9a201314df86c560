"""The cache gives the same answer as the lines, to the last digit, and by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewaylog.analytics import building
from gatewaylog.analytics.querying import CachedPart
from gatewaylog.events import IncomingRequest, RequestComplete
from gatewaylog.formats import FORMATS, LineOptions
from gatewaylog.reader import LONGEST
from gatewaylog.search import QueryError, compile_query, gathering_of
from tests.analytics.answers import by_cache, by_lines, bytes_held, cached, held
from tests.search.access_log import LINES, NOW, planned
from tests.search.test_cases import CASES
from tests.search.test_fuzz import changed, piped
from tests.search.test_gathering import QUERIES, arbitrary_lines, broken_lines, usual_lines

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.analytics.parts import Given
    from gatewaylog.reader import Source
    from gatewaylog.search import Together

TAKEN = [case["query"] for case in CASES if gathering_of(planned(case["query"]))]
WORDS = (
    "INCOMING_REQUEST | stats count by API",
    "NOT INCOMING_REQUEST (GET OR POST) | stats count by Event, API",
    "404 | stats count",
    "200 | stats count by StatusCode",
    "09 | stats count",
    "t | stats count",
    "*T* | stats count",
    "INFO | stats count",
    "AM | stats count",
    "ErrorSource | stats count by Event",
    "Event | stats count",
    "*request* | stats count by Event",
    "echo NOT *00 | stats count by API",
    '"GET /" | stats count',
    "https://backend | stats count",
    "null | stats count by API",
    "urn | stats count",
    "é | stats count",
    "k | stats count",
    "NOT (a OR b) | stats count by API",
)
FIELDS = (
    "API=k* | stats count by API",
    "Event=ERROR | stats count by API, StatusCode",
    "Event!=incoming_request DurationMs>=0 | stats count by Event",
    "API=K | stats count by API",
    "NOT API=shop | stats count by Event",
    "API!=shop | stats count",
    "StatusCode>=202 DurationMs<10 | stats count avg(DurationMs) by API",
    "NOT (StatusCode>202 OR API=a) | stats count",
    "StatusCode IN (200, 20*) | stats count by StatusCode",
    "RemoteIP=10.0.0.0/8 | stats count by RemoteIP",
    "x=* | stats count by x",
    "ErrorSource=main | stats count by Event",
    'API="" | stats count',
    "API=* | stats dc(MessageID), values(Outcome)",
    "* | stats min(_time) max(_time) p95(DurationMs) sum(BackendMs) by API",
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The log of the case table."""
    path = tmp_path_factory.mktemp("log") / "access.log"
    path.write_bytes(b"\n".join(LINES) + b"\n")
    return cached(path)


@pytest.fixture
def _no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a part is read line by line instead."""

    def read(self: CachedPart, _together: Together, _begin: int, _end: int) -> Given:
        raise AssertionError(self)

    monkeypatch.setattr(CachedPart, "_read", read)


@pytest.mark.usefixtures("_no_lines")
@pytest.mark.parametrize("query", [*TAKEN, *QUERIES, *FIELDS])
def test_a_query_gives_what_the_lines_give(log: Source, query: str) -> None:
    assert by_cache(planned(query), log) == by_lines(planned(query), log)


@pytest.mark.parametrize("query", WORDS)
def test_words_are_found_as_in_the_lines(log: Source, query: str) -> None:
    assert by_cache(planned(query), log) == by_lines(planned(query), log)


def test_most_queries_of_the_case_table_are_taken(log: Source) -> None:
    assert len(TAKEN) >= 100
    assert bytes_held(log) == log.path.stat().st_size


@pytest.mark.usefixtures("_no_lines")
def test_most_words_are_told_without_the_lines(log: Source) -> None:
    for query in WORDS:
        if "é" not in query:
            by_cache(planned(query), log)


_FORMS = {name: form(LineOptions()) for name, form in FORMATS.items()}
odd_events = st.builds(
    RequestComplete,
    api=st.sampled_from(["K", "k", "a\0b", "\udcff", "a\nb", 'say "x"', "a,b", "\r", "", "null"]),
    status_code=st.sampled_from([200, 404]),
    duration_ms=st.sampled_from([None, 0.1, 1e16, 12.5]),
    extra=st.sampled_from(
        [(), (("x", "1"),), (("x", None), ("y", "K")), (("ErrorSource", "main"),)]
    ),
)
odd_lines = st.builds(
    lambda event, form: _FORMS[form].encode(event, 1495830205.404, "t")[:-1],
    odd_events,
    st.sampled_from(sorted(FORMATS)),
)
few_lines = st.sampled_from([b"", b"\r", b"no line", b"\xff\xfe", b"\0", b"{}", b"time=x a=b"])
lines = st.lists(
    st.one_of(usual_lines, odd_lines, few_lines, arbitrary_lines, broken_lines()), max_size=20
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines, st.lists(st.sampled_from([*QUERIES, *WORDS, *FIELDS]), min_size=4, max_size=8))
def test_any_log_gives_what_its_lines_give(
    tmp_path_factory: pytest.TempPathFactory, found: list[bytes], queries: list[str]
) -> None:
    path = tmp_path_factory.mktemp("log") / "a.log"
    path.write_bytes(b"".join(line + b"\n" for line in found))
    source = cached(path) if found else None
    if source is None:
        return
    assert bytes_held(source) == path.stat().st_size
    for query in queries:
        assert by_cache(planned(query), source) == by_lines(planned(query), source), query


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(changed(), piped))
def test_any_query_that_is_taken_gives_what_the_lines_give(log: Source, query: str) -> None:
    try:
        plan = planned(query)
    except QueryError:
        return
    if gathering_of(plan):
        assert _told(by_cache, query, log) == _told(by_lines, query, log)


def _told(ask: object, query: str, log: Source) -> object:
    try:
        return ask(planned(query), log)  # type: ignore[operator]
    except QueryError as error:
        return str(error)


@pytest.mark.parametrize(
    "search", ["API=k", "API=K", "API!=k", "NOT API=k", "API IN (k, i)", "API=i", "NOT API=i"]
)
def test_no_letter_outside_ascii_is_one_inside(tmp_path: Path, search: str) -> None:
    """U+212A KELVIN SIGN and U+0130 are k and i in lower case, but not here."""
    path, form = tmp_path / "a.log", FORMATS["wso2"](LineOptions())
    events = [IncomingRequest(api=api) for api in ("k", "K", "\u212a", "\u0130", "i", None)]
    path.write_bytes(b"".join(form.encode(event, 1.4e9, "t") for event in events))
    source, plan = cached(path), planned(f"{search} | stats count")
    assert by_cache(plan, source) == by_lines(plan, source)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_an_event_with_a_field_that_its_layout_lacks_is_found_by_it(
    tmp_path: Path, form: str
) -> None:
    event = RequestComplete(api="a", extra=(("ErrorSource", "main"),))
    path = tmp_path / "a.log"
    path.write_bytes(_FORMS[form].encode(event, 1.4e9, "t"))
    source, plan = cached(path), planned("ErrorSource=main | stats count by Event")
    assert by_cache(plan, source) == by_lines(plan, source)
    assert "REQUEST_COMPLETE" in str(by_cache(plan, source))


def test_a_line_that_is_too_long_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"".join([LINES[0], b"\n", b"API " * LONGEST, b"\n", LINES[1], b"\n"]))
    plan = planned("API=* | stats count")
    source = cached(path)
    assert by_cache(plan, source) == by_lines(plan, source)
    assert by_cache(plan, source)[-1] == 1


def test_a_span_of_time_gives_what_the_same_span_of_the_lines_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines far from their place count as where they stand, and so do those that can't be read."""
    monkeypatch.setattr(building, "SIZE", 2_000_000)
    form, path = _FORMS["wso2"], tmp_path / "a.log"
    with path.open("wb") as file:
        for at in range(30_000):
            event = RequestComplete(api=f"a{at % 7}", duration_ms=at / 7)
            file.write(form.encode(event, 1_495_800_000 + at, "t"))
            if at % 1000 == 500:
                file.write(b"what is this\n")
    source = cached(path)
    assert len(held(source)) > 2
    for first, last in ((0, 30_000), (3000, 3100), (10_000.5, 25_000.25), (29_000, 40_000)):
        plan = planned(
            "* | timechart count by API",
            earliest=1_495_800_000 + first,
            latest=1_495_800_000 + last,
        )
        assert by_cache(plan, source) == by_lines(plan, source)
    nothing = planned("* | stats count | where count=0", earliest=1_495_800_000 + 40_000)
    assert by_cache(nothing, source) == by_lines(nothing, source)
    assert "('count', 0)" in str(by_cache(nothing, source))


@pytest.mark.parametrize(
    ("zone", "change"),
    [("America/Santiago", 1_788_667_200), ("America/Los_Angeles", 1_793_523_600)],
)
@pytest.mark.parametrize("span", ["1d", "12h", "2h", "1w"])
def test_where_the_clock_is_changed_the_cache_and_the_lines_fill_the_same_buckets(
    tmp_path: Path, zone: str, change: int, span: str
) -> None:
    path, form = tmp_path / "a.log", _FORMS["wso2"]
    moments = [change + 1800 * at for at in range(-200, 200)]
    path.write_bytes(b"".join(form.encode(IncomingRequest(api="a"), at, "t") for at in moments))
    source = cached(path)
    plan = compile_query(f"* | timechart span={span} count", now=NOW, zone=ZoneInfo(zone))
    found = by_cache(plan, source)
    assert found == by_lines(plan, source)
    rows: list[list[str]] = found[3]  # type: ignore[assignment]
    counts = [int(re.sub(r"\D", "", count)) for _, count in rows]
    assert sum(counts) == len(moments)
    assert all(counts)
