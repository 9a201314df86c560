from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewaylog.formats import FORMATS, LineOptions, Unparsed, parse_line
from gatewaylog.search import row_reader
from tests.formats.arbitrary import events
from tests.search.access_log import LINES, planned
from tests.search.test_cases import CASES

SEARCHES = sorted({case["query"].split("|")[0] for case in CASES})


@pytest.mark.parametrize("query", SEARCHES)
def test_a_prefilter_refuses_no_line_that_matches(query: str) -> None:
    plan, read = planned(query), row_reader()
    rows = [row for row in map(read, LINES) if row]
    matching = [row["_raw"] for row in plan.run(rows).rows]
    passed = [row for row in rows if plan.prefilter.passes(row.raw)]
    assert [row["_raw"] for row in plan.run(passed, prefiltered=True).rows] == matching
    block = b"\n".join(LINES) + b"\n"
    assert list(plan.prefilter.lines(block)) == [row.raw for row in passed]


def test_a_prefilter_refuses_most_lines_that_do_not_match() -> None:
    passes = planned("API=*Orders* Credentials").prefilter.passes
    assert [passes(line) for line in LINES].count(True) == 1


@settings(max_examples=150, deadline=None)
@given(events, st.sampled_from(sorted(FORMATS)), st.data())
def test_a_value_is_found_however_its_format_writes_it(
    event: object, name: str, data: st.DataObject
) -> None:
    raw = FORMATS[name](LineOptions()).encode(event, 1495830205.118, "t")[:-1]  # type: ignore[arg-type]
    assert not isinstance(parse_line(raw), Unparsed)
    row = row_reader()(raw)
    assert row is not None
    key = data.draw(st.sampled_from(sorted(row.fields)))
    value = row.fields[key]
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    for query in (f'"{key}"="{quoted}"', f'"{key}"="{quoted.upper()}" OR "{key}"="{quoted}"'):
        plan = planned(query)
        assert list(plan.run([row]).rows)
        assert plan.prefilter.passes(raw)


def test_lines_of_a_block_need_no_line_feed_at_its_end() -> None:
    prefilter = planned("g2 OR b1").prefilter
    assert list(prefilter.lines(b"\n".join(LINES))) == [LINES[2], LINES[3], LINES[11]]
    assert list(prefilter.lines(b"")) == []
    assert list(planned("*").prefilter.lines(b"a\nb\n")) == [b"a", b"b"]


@pytest.mark.parametrize(
    "query",
    [
        "NOT GET",
        "NOT INCOMING_REQUEST NOT GET",
        "NOT *b",
        "NOT g*t",
        "NOT 20b",
        "GET",
        "GET NOT b",
        "GET API=t e",
        "g OR t",
        "API=*orders*",
        "*",
    ],
)
@given(
    st.lists(
        st.text('gGeEtTbB%20 ="\nincoming_request', max_size=12).map(str.encode), max_size=12
    ).map(b"\n".join)
)
def test_the_lines_of_a_block_that_are_kept_are_those_that_pass(query: str, block: bytes) -> None:
    prefilter = planned(query).prefilter
    kept = [line for line in prefilter.kept(block).split(b"\n") if line]
    assert kept == [line for line in block.split(b"\n") if line and prefilter.passes(line)]
