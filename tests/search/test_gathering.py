"""A log gathered in parts gives what one read from its end to its beginning gives."""

from __future__ import annotations

import pickle
import tracemalloc
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewaylog.events import IncomingRequest, LogLoss, RequestComplete, RequestError
from gatewaylog.formats import FORMATS, LineOptions
from gatewaylog.search import Together, gathering_of, row_reader
from gatewaylog.search.columns import Columns, Taken
from gatewaylog.search.views import View, Wanted
from tests.formats.arbitrary import events
from tests.search.access_log import LINES, planned
from tests.search.test_cases import CASES

if TYPE_CHECKING:
    from gatewaylog.events import Event
    from gatewaylog.search import Gathering, Result

DIVISIBLE = [case["query"] for case in CASES if gathering_of(planned(case["query"]))]
QUERIES = (
    "* | stats sum(DurationMs) avg(DurationMs) p95(DurationMs) max(DurationMs) by API",
    "* | stats count(eval(StatusCode>=500)) AS bad, values(API), dc(RemoteIP)",
    '* | eval x=if(Event=="ERROR", 1, "1") | stats count by x',
    '* | eval x=if(Event=="ERROR", 1, "1") | stats sum(DurationMs) by x, API',
    "* | timechart count by API",
    "* | timechart span=100ms cont=f avg(DurationMs)",
    "earliest=-1d | timechart count by API",
    "* | chart limit=2 sum(DurationMs) by StatusCode, API",
    "* | top 2 API by Event",
    "NOT INCOMING_REQUEST NOT GET | stats count by API",
    "API=*shop* | eval name=lower(API) | stats count by name | sort - count | head 1",
    '* | eval t=strftime(_time, "%S.%3N") | stats dc(t) count by Event',
    "* | bin _time span=1s | stats count by _time",
    "index=a OR API=x* | stats count",
    "* | stats stdev(DurationMs) stdev(StatusCode) by API",
    "* | stats count p95(DurationMs) stdev(DurationMs) values(API) | where count>=0",
)
FIELDS = ("API", "Event", "StatusCode", "DurationMs", "RequestInURL", "UserAgent", "x")

_FORM = FORMATS["wso2"](LineOptions())
apis = st.sampled_from(["shop", "Shop--x", "null", "a", "b", "é", None])
amounts = st.one_of(st.none(), st.floats(0, 1e6), st.sampled_from([0.1, 0.2, 1e16, 3.0]))
usual = st.one_of(
    st.builds(IncomingRequest, api=apis, request_in_method=st.sampled_from(["GET", "PUT"])),
    st.builds(RequestComplete, api=apis, duration_ms=amounts, status_code=st.integers(200, 204)),
    st.builds(RequestError, api=apis, duration_ms=amounts, status_code=st.just(504)),
)
moments = st.integers(1_495_800_000_000, 1_495_810_000_000).map(lambda ms: ms / 1000)
usual_lines = st.builds(lambda event, now: _FORM.encode(event, now, "t")[:-1], usual, moments)


def shown(result: Result) -> tuple[object, ...]:
    """Everything of a result, 1 told from 1.0."""
    rows = [sorted(map(repr, row.items())) for row in result.rows]
    return result.columns, result.kind, result.axis, rows


def in_order(query: str, lines: list[bytes]) -> tuple[object, ...]:
    plan = planned(query)
    return shown(plan.run(plan.rows(reversed(lines)), prefiltered=True))


@cache  # a gathering can be used again, and takes a while to make
def gathering(query: str) -> Gathering:
    found = gathering_of(planned(query))
    assert found is not None
    return found


def in_parts(query: str, parts: list[list[bytes]]) -> tuple[object, ...]:
    states = [gathering(query).state([b"\n".join(part) + b"\n"]) for part in parts]
    return shown(gathering(query).result(map(pickle.loads, map(pickle.dumps, states))))


def parted(lines: list[bytes], cuts: list[int]) -> list[list[bytes]]:
    places = [0, *sorted(cut % (len(lines) + 1) for cut in cuts), len(lines)]
    return [lines[begin:end] for begin, end in pairwise(places)]


@pytest.mark.parametrize("query", DIVISIBLE)
def test_parts_of_the_log_give_what_the_whole_gives(query: str) -> None:
    whole = in_order(query, LINES)
    assert in_parts(query, [LINES]) == whole
    for cut in range(len(LINES)):
        assert in_parts(query, [LINES[cut:], LINES[:cut]]) == whole


@pytest.mark.parametrize("query", [*DIVISIBLE, *QUERIES])
def test_no_part_at_all_gives_what_an_empty_log_gives(query: str) -> None:
    assert in_parts(query, []) == in_order(query, [])


def test_a_count_of_nothing_is_0() -> None:
    assert list(gathering("* | stats count").result([]).rows) == [{"count": 0}]
    (row,) = gathering("* | stats count | where count=0").result([]).rows
    assert row == {"count": 0}


def test_most_queries_that_count_can_be_had_in_parts() -> None:
    assert len(DIVISIBLE) > 100
    assert all(gathering_of(planned(query)) for query in QUERIES)


@pytest.mark.parametrize(
    "query",
    [
        "API=a",
        "API=a | head 5 | stats count",
        "* | stats list(API)",
        "* | stats latest(API)",
        "(GET OR API=a) | stats count",
        "* | eval x=len(_raw) | stats sum(x)",
        "_time>0 | stats count",
        "* | bin _time | stats count by _time",
        "* | fillnull | stats count by API",
        "* | chart count by _time",
        "* | dedup API",
    ],
)
def test_what_asks_for_the_order_or_the_line_is_not_had_in_parts(query: str) -> None:
    assert gathering_of(planned(query)) is None


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(QUERIES),
    st.lists(st.one_of(usual_lines, st.sampled_from(LINES)), max_size=25),
    st.lists(st.integers(0, 1000), max_size=4),
)
def test_parts_of_any_log_give_what_the_whole_gives(
    query: str, lines: list[bytes], cuts: list[int]
) -> None:
    assert in_parts(query, parted(lines, cuts)) == in_order(query, lines)


def test_a_range_of_time_holds_in_parts_to_the_millisecond() -> None:
    lines = [_FORM.encode(IncomingRequest(api="a"), at / 10, "t")[:-1] for at in range(40)]
    plan = planned("* | stats count", earliest=0.6, latest=2.9)
    found = gathering_of(plan)
    assert found is not None
    rows = list(found.result([found.state([b"\n".join(lines)])]).rows)
    assert rows == [{"count": 23}] == list(plan.run(plan.rows(lines), prefiltered=True).rows)


def test_rows_get_the_fields_that_only_the_reader_knows() -> None:
    found = gathering("index=a | stats count by index")
    block = b"\n".join(LINES)
    states = [found.state([block], also={"index": name}) for name in "ab"]
    assert list(found.result(states).rows) == [{"index": "a", "count": len(LINES)}]


def test_lines_that_cannot_be_read_are_counted() -> None:
    found = gathering_of(planned("* | stats count"))
    assert found is not None
    block = b"\n".join([b"what", LINES[0], b"", b"what", b" ", b'2017 x="'])
    assert list(found.result([found.state([block])]).rows) == [{"count": 1}]
    assert found.unread == 3


arbitrary_lines = st.builds(
    lambda event, name: FORMATS[name](LineOptions()).encode(event, 1495830205.118, "t")[:-1],
    events,
    st.sampled_from(sorted(FORMATS)),
)


@st.composite
def broken_lines(draw: st.DrawFn) -> bytes:
    """A good line of which a few bytes are others."""
    line = bytearray(draw(st.one_of(usual_lines, arbitrary_lines)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(line) - 1))
        line[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"", b'"', b", ", b"=", b"\\", b"\r", b"0", b"-", b"x", b" ", b"]"])
        )
    return bytes(line)


SPLIT = (b'2017-05-26T09:00:00.000+0000 [AM][t]{l}[-] INFO  Event="INCOMING_REQUEST", API="a', b'"')


@settings(max_examples=300, deadline=None)
@given(st.lists(broken_lines(), max_size=8), st.sampled_from(["", "s", "ms"]))
@example([*SPLIT], "ms")
@example([SPLIT[0], b"", b'x", RemoteIP="1"'], "")
@example([b'2017-02-30T09:00:00.000+0000 [AM][t]{l}[-] INFO  Event="ERROR"'], "s")
def test_values_are_taken_of_a_line_as_a_row_has_them(lines: list[bytes], time: str) -> None:
    read, found = row_reader(FIELDS), []
    takings, others = taken_of(b"\n".join(lines), FIELDS, time)
    for taken in takings:
        found += [(sorted(taken.fields.items()), taken.time)] * taken.times
    for row in filter(None, map(read, others)):
        found.append((sorted(row.fields.items()), _part(row.time, time)))
    rows = [row for row in map(read, lines) if row]
    expected = [(sorted(row.fields.items()), _part(row.time, time)) for row in rows]
    if not time:
        found, expected = [(fields, 0) for fields, _ in found], [(f, 0) for f, _ in expected]
    assert sorted(found) == sorted(expected)


def taken_of(
    block: bytes, names: tuple[str, ...], time: str = ""
) -> tuple[list[Taken], list[bytes]]:
    columns = Columns(names, time)
    found, others = columns.found(block)
    events = frozenset(columns.places)
    view = View(columns, Wanted(names=frozenset(names), events=events, time=time))
    view.add(found)
    return list(view.takings()), others


def _part(moment: float, time: str) -> float:
    return moment if time == "ms" else moment // 1


def test_lines_of_the_default_format_need_no_reading_one_by_one() -> None:
    lines = [
        _FORM.encode(RequestComplete(api="a", status_code=200, duration_ms=1.5), at / 7, "t")
        for at in range(100)
    ]
    takings, others = taken_of(b"".join(lines), ("API", "StatusCode"))
    assert takings == [Taken({"API": "a", "StatusCode": "200"}, 0, 100)]
    assert not others


@pytest.mark.parametrize(
    "event",
    [IncomingRequest(), RequestError(), RequestError("auth", api="a", attempts=2, trace_id="t")],
)
def test_lines_of_every_event_need_no_reading_one_by_one(event: Event) -> None:
    takings, others = taken_of(_FORM.encode(event, 7.0, "t"), ("API",))
    assert (len(takings), others) == (1, [])


def test_numbered_lines_and_losses_need_no_reading_one_by_one() -> None:
    events: list[Event] = [RequestComplete(api="a", status_code=200)]
    events.append(LogLoss("urn:uuid:1", 2, 3, 4, "full"))
    lines = [
        _FORM.encode(event, 7.0, "t", "0123456789abcdef", at) for at, event in enumerate(events, 5)
    ]
    takings, others = taken_of(b"".join(lines), ("API", "Count", "Seq", "Writer"))
    assert takings == [
        Taken({"API": "a", "Writer": "0123456789abcdef", "Seq": "5"}, 0, 1),
        Taken({"Count": "2", "Writer": "0123456789abcdef", "Seq": "6"}, 0, 1),
    ]
    assert not others


TOGETHER = (
    '* | stats min(_time) as a, max(_time) as b, count(eval(Event=="ERROR")) as c, dc(API) as d',
    "Event!=INCOMING_REQUEST API=* | stats count, p50(DurationMs) as p, p99(DurationMs),"
    " sum(BytesIn), avg(DurationMs), sum(DurationMs) by API",
    "Event=ERROR | stats max(_time) as last by ERROR_MESSAGE",
    "* | eval DurationMs=DurationMs*2 | stats sum(DurationMs) by API",
    "* | fillnull value=7 DurationMs | chart avg(DurationMs) by API, StatusCode",
    "DurationMs>2 | timechart span=1m median(DurationMs) by API",
    "* | stats p50(DurationMs), max(DurationMs), p90(StatusCode) by StatusCode",
    "* | stats dc(API), dc(StatusCode), avg(StatusCode), dc(index), dc(DurationMs) by Event",
    "* | chart dc(RemoteIP) by API, Event",
    "* | timechart dc(API) by Event",
    "earliest=1495800000 latest=1495805000.5 | stats count, max(_time), sum(DurationMs)",
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(usual_lines, arbitrary_lines, st.sampled_from(LINES)), max_size=25),
    st.lists(st.integers(0, 1000), max_size=3),
)
def test_queries_over_one_pass_give_what_each_gives(lines: list[bytes], cuts: list[int]) -> None:
    together = Together([gathering(query) for query in TOGETHER])
    states = [together.states([b"\n".join(part) + b"\n"]) for part in parted(lines, cuts)]
    results = together.results(map(pickle.loads, map(pickle.dumps, states)))
    assert [shown(result) for result in results] == [in_order(query, lines) for query in TOGETHER]


def test_more_than_is_kept_at_once_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewaylog.search.together._MOST", 3)
    together = Together([gathering(query) for query in TOGETHER])
    results = together.results([together.states(LINES)])
    assert [shown(result) for result in results] == [in_order(query, LINES) for query in TOGETHER]


def test_what_waits_does_not_grow_with_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewaylog.search.together._MOST", 500)
    together = Together([gathering(query) for query in TOGETHER])
    peaks = []
    for times in (20, 20, 400):  # the first fills caches
        tracemalloc.start()
        together.states(b"\n".join(LINES) + b"\n" for _ in range(times))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Percentiles keep their numbers, four bytes each or eight.
    assert peaks[2] < peaks[1] + 100 * 400 * len(LINES)


def test_events_whose_layout_lacks_what_is_searched_for_are_not_looked_at() -> None:
    assert gathering("ErrorSource=main | stats count").wanted.events == {"ERROR"}
    answered = gathering("StatusCode>0 API=a | stats count").wanted.events
    assert answered == {"REQUEST_COMPLETE", "ERROR"}
    for query in ("NOT StatusCode=1 | stats count", "index=a OR StatusCode=1 | stats count"):
        assert len(gathering(query).wanted.events) == 4


@pytest.mark.parametrize("form", ["wso2", "json", "logfmt"])
def test_an_event_with_a_field_that_its_layout_lacks_is_found_by_it(form: str) -> None:
    event = IncomingRequest(api="a", extra=(("ErrorSource", "main"),))
    lines = [FORMATS[form](LineOptions()).encode(event, 1e9, "t")[:-1]]
    query = "ErrorSource=main | stats count by Event"
    assert in_parts(query, [lines]) == in_order(query, lines)
    assert "INCOMING_REQUEST" in str(in_parts(query, [lines]))


def test_durations_are_no_part_of_what_is_compared() -> None:
    found = [gathering(query).wanted for query in TOGETHER]
    assert found[0].measures == ("_time",)
    assert found[1].measures == ("BytesIn", "DurationMs")
    assert found[1].events == {"REQUEST_COMPLETE", "ERROR"}
    assert not any(each.measures for each in (found[3], found[4]))
    assert found[6].measures == ()


def test_queries_together_look_at_the_range_of_all() -> None:
    bounds = (("earliest=1 latest=5", (1, 5)), ("earliest=3 latest=9", (1, 9)), ("*", (None, None)))
    found = []
    for query, expected in bounds:
        found.append(gathering(f"{query} | stats count"))
        together = Together(found)
        assert (together.earliest, together.latest) == expected


def test_texts_that_are_only_counted_are_no_part_of_what_is_compared_either() -> None:
    wanted = gathering("* | stats dc(API), dc(RemoteIP), count by Event").wanted
    assert wanted.names == {"Event"}
    assert wanted.told == ("API", "RemoteIP")
    assert not gathering("* | stats dc(API), values(API)").wanted.told
    assert not gathering("API=a | stats dc(API)").wanted.told
    assert gathering("* | stats dc(StatusCode), sum(StatusCode)").wanted.names == {"StatusCode"}
