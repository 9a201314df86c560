"""What ClickHouse is asked gives, over real sockets, the very answer that a file gives."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewaylog.remote.clickhouse import ClickHouse
from gatewaylog.remote.http import store_at
from gatewaylog.search import QueryError
from gatewaylog.search.clickhouse import Counts, statement_of
from gatewaylog.search.tree import Match
from tests.search.access_log import LINES, planned
from tests.search.test_cases import CASES
from tests.search.test_fuzz import changed, glued, piped, words
from tests.search.test_gathering import QUERIES as DIVISIBLE
from tests.search.test_gathering import moments, shown, usual_lines
from tests.search.test_seed_queries import CHART

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.remote.stores import RunningClickHouse

QUERIES = [case["query"] for case in CASES]
SEED = [
    "index=soa_api_public_i",
    "index=soa_api_public_i INCOMING_REQUEST | timechart count by API",
    "index=soa_api_public_i API=*Echo*",
    "index=soa_api_public_i  NOT API=*Echo*",
    'index=soa_api_public_i RequestInURL="*CCES*"',
    CHART,
    "index=soa_api_public_i StatusCode=404 | stats count by RequestInURL",
]


class Table:
    """A log in ClickHouse, and the same lines here."""

    def __init__(self, running: RunningClickHouse, lines: list[bytes]) -> None:
        self.running = running
        self.lines = sorted((line for line in lines if _times(line)), key=_times)
        self.name = running.table_of(self.lines)
        self.store = store_at(running.url, name="ClickHouse", timeout=60)

    def there(self, query: str, **bounds: float) -> object:
        return answer_of(lambda: shown(self.engine().result(planned(query, **bounds))))

    def here(self, query: str, **bounds: float) -> object:
        def run() -> object:
            plan = planned(query, **bounds)
            return shown(plan.run(plan.rows(reversed(self.lines)), prefiltered=True))

        return answer_of(run)

    def engine(self) -> ClickHouse:
        return ClickHouse(self.store, self.name)


def _times(line: bytes) -> list[float]:
    return [row.time for row in planned("*").rows([line])]


def answer_of(run: Callable[[], object]) -> object:
    try:
        return run()
    except QueryError as error:
        return str(error)


@pytest.fixture(scope="session")
def table(running_clickhouse: RunningClickHouse) -> Table:
    return Table(running_clickhouse, LINES)


@pytest.mark.parametrize("query", [*QUERIES, *DIVISIBLE, *SEED])
def test_a_query_gives_what_a_file_gives(query: str, table: Table) -> None:
    assert table.there(query) == table.here(query)


def test_most_queries_that_count_are_counted_there() -> None:
    counted = [statement_of(planned(query), "t") for query in (*QUERIES, *SEED)]
    counts = [statement for statement in counted if isinstance(statement, Counts)]
    assert len(counts) >= 100
    assert all(statement.matched for statement in counts)


def test_events_are_limited_where_the_query_says_how_many(table: Table) -> None:
    for query, limit in (
        ("INCOMING_REQUEST | head 3", "LIMIT 3"),
        ("API=*Echo* | head limit=2 | table API", "LIMIT 2"),
        ("RemoteIP=10.0.0.0/8 | head 2", None),  # what is not exact may be refused here
        ("* | head DurationMs>1", None),
        ("* | eval x=1 | head 2", None),
    ):
        sql = statement_of(planned(query), "t").sql
        assert re.findall("LIMIT.*(?= FORMAT)", sql) == ([limit] if limit else [])
        assert table.there(query) == table.here(query)


def test_only_the_fields_that_are_looked_at_are_grouped() -> None:
    assert statement_of(planned("RequestInURL=*cces* | stats count by API"), "a.b").sql == (
        "SELECT `API`, count(), '.' FROM `a`.`b` WHERE ((`RequestInURL` != '')"
        " AND (position(lower(`RequestInURL`), 'cces', 1) > 0)) GROUP BY `API` FORMAT TabSeparated"
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    query=st.one_of(
        changed(), piped, words, glued, words.map("* | where {}".format), st.text(max_size=30)
    )
)
def test_any_query_gives_what_a_file_gives(query: str, table: Table) -> None:
    assert table.there(query) == table.here(query)


WORDS = [
    *("a", "20", "2", "25", "252", "2520b", "0", "%20", "%", "3d", "%3Db", "b", "*b", "b*", "2*"),
    *("*", "a*b", "*a b*", "a.b", "a-b", "é", "é*", "\u212a", "k", "ſ", "s", "\\", "_", "'", "`"),
    *("{", "}", "{x:String}", "%s", "\\'", "; DROP TABLE x --", "\x00", "\n", "\t", "\udcff", "İ"),
]
texts = st.one_of(
    st.sampled_from(WORDS),
    st.text("aAbkKsS20%35dD.-_*\\'\"`{}; é\u212aſİ\x00\t\udcff", max_size=6),
)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


searches = st.recursive(
    st.one_of(
        texts.map(quoted),
        st.builds(
            "{}{}{}".format,
            st.sampled_from(["API", "RequestInURL", "odd", "StatusCode", "index", "_raw"]),
            st.sampled_from(["=", "!=", "<", ">=", " IN "]),
            texts.map(quoted),
        ).map(lambda text: re.sub(r" IN (.*)\Z", r" IN (\1, x)", text, flags=re.DOTALL)),
    ),
    lambda parts: st.one_of(
        parts.map("NOT {}".format),
        st.lists(parts, min_size=2, max_size=3).map(lambda some: f"({' OR '.join(some)})"),
        st.lists(parts, min_size=2, max_size=3).map(lambda some: f"({' '.join(some)})"),
    ),
    max_leaves=4,
)
endings = st.sampled_from(["", "| stats count", "| stats count by API", "| head 2 | table API"])


def _hostile(value: str) -> bytes:
    escaped = value.replace("\\", "\\\\").replace('"', "\\u0022").replace("\n", "\\n")
    return (
        (
            b'2017-05-26T11:59:59.999-0700 [AM][w]{l}[-] INFO  Event="INCOMING_REQUEST",'
            b' API="' + escaped.encode("utf-8", "surrogatepass").replace(b"\0", b"\\u0000") + b'",'
            b' odd="' + value.encode("utf-8", "surrogateescape").replace(b'"', b"") + b'"'
        )
        .replace(b"\n", b" ")
        .replace(b"\r", b" ")
    )


HOSTILE = [
    *map(_hostile, WORDS),
    *(_hostile(f"x{one}{two}y") for one in ("%", "%20", ".", "", "é") for two in WORDS),
    LINES[0] + b', StatusCode="1e3", _raw="no", _time="1", time="x", raw="y", extra="z"',
    *(LINES[1].replace(b'"200"', b'"%s"' % text) for text in (b"null", b"007", b"", b"99")),
    *(LINES[1].replace(b'"50.000"', b'"%s"' % text) for text in (b"1e2", b"50", b"0.001")),
]


@pytest.fixture(scope="session")
def hostile(running_clickhouse: RunningClickHouse) -> Table:
    return Table(running_clickhouse, HOSTILE)


@settings(max_examples=400, deadline=None)
@given(search=searches, ending=endings)
def test_hostile_text_is_found_as_in_a_file(search: str, ending: str, hostile: Table) -> None:
    query = f"{search} {ending}"
    assert hostile.there(query) == hostile.here(query)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_found_between_its_breakers_alone(word: str, hostile: Table) -> None:
    for query in (
        quoted(word),
        f"NOT {quoted(word)}",
        f"odd={quoted(word)}",
        f"API!={quoted(word)}",
    ):
        for ending in ("", "| stats count by API"):
            assert hostile.there(query + ending) == hostile.here(query + ending)


NAMES = ["é", "\ud800", "\udcff", "a'b", "a\\", "a`b", "\\'", "{x:String}", "a\x00b", "extra['x']"]
SIMPLE = ["a", "aa", "ab", "ba", "aba", "abab", "bab", "b", "axb", "AB", "aéb", "x1x"]
GLOBS = [
    "a*a",
    "a*a*",
    "*a*a",
    "a*b",
    "*a*b*",
    "*b*a*",
    "a*b*a",
    "ab*b",
    "ab*b*",
    "a**b",
    "*1*",
    "*x",
]


def _in_json(**fields: str) -> bytes:
    stamp = {"@timestamp": "2017-05-26T12:00:00.000001Z", "Event": "INCOMING_REQUEST"}
    return json.dumps(stamp | fields).encode()


@pytest.fixture(scope="module")
def named(running_clickhouse: RunningClickHouse) -> Table:
    return Table(
        running_clickhouse,
        [
            *(_in_json(**{name: f"of {number}"}) for number, name in enumerate(NAMES)),
            *(_in_json(API=value) for value in SIMPLE),
        ],
    )


@pytest.mark.parametrize("name", NAMES)
def test_fields_of_any_name_are_found_under_it(name: str, named: Table) -> None:
    for query in (f'* | stats count by "{name}"', f'* | rename "{name}" as x | top x'):
        query = query.replace("\\", "\\\\")
        assert named.there(query) == named.here(query)
    plan = replace(planned("*"), first=Match(name, "=", "OF*"))
    found = list(named.engine().result(plan).rows)
    assert [row[name] for row in found] == [f"of {NAMES.index(name)}"]


@pytest.mark.parametrize("glob", GLOBS)
def test_parts_between_wildcards_stand_behind_each_other(glob: str, named: Table) -> None:
    for query in (f"API={glob}", f"API!={glob}", f"NOT API={glob}", f"API IN ({glob}, b)"):
        for ending in ("", "| stats count by API", "| stats count"):
            assert named.there(query + ending) == named.here(query + ending)


ODD = [
    b"time=1969-12-31T23:59:59.999999Z Event=INCOMING_REQUEST API=a",
    b"time=2016-12-31T23:59:59.000001Z Event=INCOMING_REQUEST API=b",
    b"time=2262-12-31T23:59:59.123457Z Event=INCOMING_REQUEST API=c",
    b'{"@timestamp":"1900-01-01T00:00:00.000001Z","Event":"INCOMING_REQUEST","API":"d"}',
]


def test_times_are_kept_to_the_microsecond(running_clickhouse: RunningClickHouse) -> None:
    table = Table(running_clickhouse, ODD)
    for query in (
        "* | table _time API",
        "* | stats max(_time) min(_time)",
        "* | bin _time span=1s | stats count by _time",
        "* | timechart span=1y count",
        "* | timechart span=1s cont=f count",
    ):
        assert table.there(query) == table.here(query)
    for line in ODD:
        (row,) = planned("*").rows([line])
        for moment in (row.time, row.time + 1e-6, row.time - 1e-6, row.time + 0.5):
            for bounds in ({"earliest": moment}, {"latest": moment}):
                for query in ("* | stats count by API", "*"):
                    assert table.there(query, **bounds) == table.here(query, **bounds)


_lines = st.lists(st.one_of(usual_lines, st.sampled_from(LINES)), max_size=25)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=_lines, query=st.sampled_from([*DIVISIBLE, *SEED]), since=moments, until=moments)
def test_any_log_gives_what_a_file_gives(
    lines: list[bytes],
    query: str,
    since: float,
    until: float,
    running_clickhouse: RunningClickHouse,
) -> None:
    table = Table(running_clickhouse, lines)
    assert table.there(query) == table.here(query)
    bounds = {"earliest": since, "latest": until}
    assert table.there(query, **bounds) == table.here(query, **bounds)
    running_clickhouse.drop(table.name)
