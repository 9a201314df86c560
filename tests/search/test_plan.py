from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from gatewaylog.search import Row, compile_query
from tests.search.access_log import LINES, NOW, ZONE, planned, searched

if TYPE_CHECKING:
    from collections.abc import Iterator


def endless() -> Iterator[Row]:
    for at in count():
        yield Row(NOW - at, b'a="b"', {"n": str(at), "k": "x"})


@pytest.mark.parametrize(
    "query",
    [
        "* | head 3",
        "* | where n>5 | eval m=n*2 | head 3",
        "* | search n=1* | rename n AS m | fields m | head 3",
        "* | table n | head 3",
        '* | rex field=n "(?<first>.)" | bin _time span=1h | fillnull value=x y | head 3',
        "* | dedup n | head 3",
    ],
)
def test_what_streams_takes_no_more_than_it_needs(query: str) -> None:
    result = planned(query).run(endless())
    assert len(list(result.rows)) == 3


@pytest.mark.parametrize(
    ("query", "reads"),
    [
        ("*", None),
        ("* | stats count", set()),
        ("API=*echo* | stats count", {"API"}),
        ("INCOMING_REQUEST | timechart count by API", {"API", "_time"}),
        ('* | eval r=if(Event=="x", "y", M) | chart count by API, r', {"API", "Event", "M"}),
        (
            "* | where StatusCode>1 | sort -DurationMs | table API",
            {"StatusCode", "DurationMs", "API"},
        ),
        ("* | rename API AS x | stats count by x", {"API"}),
        ("* | fields API Event | stats count by Event", {"Event"}),
        ("* | table *", None),
        ('* | rex "(?<x>.)" | stats count by x', {"_raw", "x"}),
        ("* | stats earliest(API)", {"API", "_time"}),
        ("* | transaction x | stats avg(duration)", {"x", "_time"}),
        ("* | top API by Event", {"API", "Event"}),
    ],
)
def test_a_plan_reads_no_more_than_it_needs(query: str, reads: set[str] | None) -> None:
    assert planned(query).reads == (None if reads is None else frozenset(reads))


def test_a_range_holds_its_first_moment_and_not_its_last() -> None:
    rows = [Row(float(moment), b"", {"n": str(moment)}) for moment in (3, 2, 1)]
    plan = compile_query("* | table n", now=NOW, zone=ZONE, earliest=1, latest=3)
    assert [row["n"] for row in plan.run(rows).rows] == ["2", "1"]
    assert (plan.earliest, plan.latest) == (1, 3)


def test_a_query_that_tells_its_range_has_that_range() -> None:
    plan = compile_query("earliest=-1h latest=now x", now=NOW, zone=ZONE, earliest=1, latest=3)
    assert (plan.earliest, plan.latest) == (NOW - 3600, NOW)


def test_an_index_of_a_row_is_looked_at_where_it_tells_one() -> None:
    rows = [Row(NOW, b"", {"index": "a", "n": "1"}), Row(NOW, b"", {"n": "2"})]
    plan = compile_query("index=b OR index=c | table n", now=NOW, indexes=["b"])
    assert [row["n"] for row in plan.run(rows).rows] == ["2"]
    assert (plan.indexes, plan.unknown_indexes) == (("b", "c"), ("c",))


def test_events_bring_their_line_and_time() -> None:
    (row,) = searched("MessageID=a1").rows
    assert str(row["_raw"]).encode() == LINES[0]
    assert row["_time"] == 1495814400
    assert searched("MessageID=a1").columns is None


def test_a_line_that_cannot_be_read_is_no_row() -> None:
    plan = planned("*")
    assert len(list(plan.rows([b"nonsense", LINES[0], b""]))) == 1
