"""Whatever is asked, a query makes a result or a QueryError."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewaylog.search import QueryError, row_reader
from tests.search.access_log import LINES, planned
from tests.search.test_cases import CASES

ROWS = [row for row in map(row_reader(), reversed(LINES)) if row]
QUERIES = [case["query"] for case in CASES]
PIECES = (
    *(" ", "|", "(", ")", '"', "'", "=", "!=", "<", ">=", ",", "*", "-", "+", ".", "/", "%", "\\"),
    *("NOT", "AND", "OR", "XOR", "IN", "LIKE", "by", "AS", "over", "x", "API", "_time", "_raw"),
    *("1", "0", "404", "1e308", "99999999999999999999", "-1", "0.1", '"%Y"', '"a"', '"(?<x>.)"'),
    *("search", "where", "eval", "stats", "chart", "timechart", "top", "rare", "table", "fields"),
    *("rename", "sort", "head", "tail", "dedup", "rex", "bin", "fillnull", "transaction"),
    *("count", "sum(BytesOut)", "p95(DurationMs)", "values(API)", "count(eval(x=1))", "limit=1"),
    *(
        "if(",
        "case(",
        "coalesce(",
        "isnull(",
        "match(",
        "replace(",
        "substr(",
        "split(",
        "mvindex(",
    ),
    *("tonumber(", "tostring(", "round(", "strftime(", "strptime(", "now()", "null()", "true()"),
    *("span=1h", "span=1mon", "span=10", "maxspan=1m", "field=API", "mode=sed", "max_match=0"),
    *("startswith=", "endswith=eval(", "keepevicted=t", "useother=f", "earliest=-1h", "index=a"),
    *(
        "StatusCode",
        "DurationMs",
        "UserAgent",
        "é",
        "\x00",
        "\udcff",
        "\n",
        "[",
        "]",
        "`",
        "{",
        "}",
    ),
)

words = st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join)
glued = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
piped = st.lists(st.sampled_from(QUERIES), min_size=1, max_size=3).map(
    lambda queries: " | ".join([queries[0], *(query.partition("|")[2] for query in queries[1:])])
)


@st.composite
def changed(draw: st.DrawFn) -> str:
    """Draw a query that is right but for a place."""
    query = draw(st.sampled_from(QUERIES))
    at = draw(st.integers(0, len(query)))
    cut = draw(st.integers(0, 4))
    return str(query[:at] + draw(st.sampled_from(PIECES)) + query[at + cut :])


def answer(query: str) -> object:
    try:
        return list(planned(query).run(ROWS).rows)
    except QueryError as error:
        return str(error) if 0 <= error.position <= len(query) else None


@settings(max_examples=300, deadline=None)
@given(st.one_of(changed(), piped))
def test_a_query_that_is_nearly_right_gives_a_result_or_an_error(query: str) -> None:
    assert isinstance(answer(query), (list, str))


@settings(max_examples=300, deadline=None)
@given(st.one_of(words, glued, words.map("* | where {}".format), words.map("* | eval x={}".format)))
def test_a_query_of_anything_gives_a_result_or_an_error(query: str) -> None:
    assert isinstance(answer(query), (list, str))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_any_text_gives_a_result_or_an_error(query: str) -> None:
    assert isinstance(answer(query), (list, str))


def test_a_query_changes_no_row_that_it_is_given() -> None:
    before = [(row.time, row.raw, dict(row.fields)) for row in ROWS]
    for query in QUERIES:
        answer(query)
    assert [(row.time, row.raw, dict(row.fields)) for row in ROWS] == before
