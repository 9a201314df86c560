"""What is drawn from a Loki gives the very answer that a file gives."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewaylog.events import IncomingRequest
from gatewaylog.exceptions import RemoteError
from gatewaylog.formats import FORMATS, LineOptions
from gatewaylog.remote.http import store_at
from gatewaylog.remote.loki import ENCODING, LIMIT, Loki
from gatewaylog.search.logql import query_of
from gatewaylog.search.re2 import word_pattern
from tests.remote import loki_server
from tests.remote.loki_server import HOUR, Entry
from tests.remote.test_clickhouse_answers import (
    HOSTILE,
    QUERIES,
    SEED,
    answer_of,
    endings,
    searches,
)
from tests.search.access_log import LINES, NOW, planned
from tests.search.test_gathering import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

EARLIEST = NOW - 86400
NUMBERED = [line + f', Writer="w1", Seq="{at}"'.encode() for at, line in enumerate(LINES, 1)]


class Log:
    """A log in Loki, and the same lines here."""

    def __init__(self, url: str, server: loki_server.Loki, lines: list[bytes]) -> None:
        self.server = server
        self.pauses: list[float] = []
        self.lines = lines
        self.store = store_at(url, name="Loki", headers=ENCODING, timeout=60)

    def engine(self, selector: str = '{job="gatewaylog"}') -> Loki:
        return Loki(self.store, selector, pause=self.pauses.append)

    def there(self, query: str, **bounds: float) -> object:
        asked = {"earliest": EARLIEST} | bounds
        return answer_of(lambda: shown(self.engine().result(planned(query, **asked))))

    def here(self, query: str, **bounds: float) -> object:
        def run() -> object:
            plan = planned(query, **({"earliest": EARLIEST} | bounds))
            return shown(plan.run(plan.rows(reversed(self.lines)), prefiltered=True))

        return answer_of(run)


def nanoseconds(line: bytes) -> int:
    (row,) = planned("*").rows([line])
    return round(row.time * 1000) * 1_000_000


def in_one_stream(server: loki_server.Loki, lines: list[bytes]) -> list[bytes]:
    """As an agent sends a file: one stream. What Loki would change is left out."""
    told = [line for line in lines if line.decode("utf-8", "replace").encode() == line]
    told = sorted((line for line in told if list(planned("*").rows([line]))), key=nanoseconds)
    server.push({"job": "gatewaylog"}, *(Entry(nanoseconds(line), line.decode()) for line in told))
    return list(dict.fromkeys(told))


def in_many_streams(server: loki_server.Loki, lines: list[bytes]) -> None:
    """As our shipper sends them: labels, and metadata that tells each line."""
    for line in lines:
        (row,) = planned("*").rows([line])
        labels = {"job": "gatewaylog", "event": row.fields["Event"]}
        if "API" in row.fields:
            labels["api"] = row.fields["API"]
        metadata = (("message_id", row.fields["MessageID"]),)
        server.push(labels, Entry(nanoseconds(line), line.decode(), metadata))


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    server = loki_server.Loki()
    lines = in_one_stream(server, LINES)
    with loki_server.serving(server) as url:
        yield Log(url, server, lines)


@pytest.fixture(scope="module")
def numbered() -> Iterator[Log]:
    server = loki_server.Loki()
    in_many_streams(server, NUMBERED)
    with loki_server.serving(server) as url:
        yield Log(url, server, NUMBERED)


@pytest.fixture(scope="module")
def hostile() -> Iterator[Log]:
    server = loki_server.Loki()
    lines = in_one_stream(server, HOSTILE)
    with loki_server.serving(server) as url:
        yield Log(url, server, lines)


@pytest.mark.parametrize("query", [*QUERIES, *SEED])
def test_a_query_gives_what_a_file_gives(query: str, log: Log) -> None:
    assert log.there(query) == log.here(query)


@pytest.mark.parametrize("query", [*QUERIES, *SEED])
def test_streams_are_put_in_order_by_writer_and_seq(query: str, numbered: Log) -> None:
    assert numbered.there(query) == numbered.here(query)


@settings(max_examples=300, deadline=None)
@given(search=searches, ending=endings)
def test_hostile_text_is_found_as_in_a_file(search: str, ending: str, hostile: Log) -> None:
    query = f"{search} {ending}"
    assert hostile.there(query) == hostile.here(query)


def test_lines_that_cannot_match_are_not_drawn() -> None:
    assert query_of(planned('Echo "a b" API=*Shop* NOT INCOMING Status>1'), '{a="b"}') == (
        '{a="b"} |~ "(?i)(?:echo)" |~ "(?i)(?:a b)" |~ "(?i)(?:shop|\\\\x5c)"'
        ' |~ "(?i)(?:status|\\\\x5c)"'
        ' !~ "' + _unwanted("INCOMING") + '"'
    )


def _unwanted(word: str) -> str:
    return (word_pattern(word) or "").replace("\\", "\\\\").replace('"', '\\"')


_FORM = FORMATS["wso2"](LineOptions())


def lines_at(*moments: float) -> list[bytes]:
    return [
        _FORM.encode(IncomingRequest(message_id=str(number), api="a"), moment, "t")[:-1]
        for number, moment in enumerate(sorted(moments))
    ]


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(st.integers(0, 12), max_size=40),
    most=st.integers(1, 9),
    longest=st.integers(1, 40),
    first=st.integers(0, 4),
)
def test_no_line_is_lost_or_doubled_between_pages(
    times: list[int], most: int, longest: int, first: int
) -> None:
    server = loki_server.Loki()
    lines = lines_at(*(NOW - at / 10 for at in times))
    in_one_stream(server, lines)
    # What fits into no answer is tried on its own.
    server.most = max([most, *(2 * times.count(at) + 1 for at in times)])
    server.longest = longest * HOUR
    with loki_server.serving(server) as url:
        log = Log(url, server, lines)
        engine = log.engine()
        engine._limit = most
        plan = planned("* | table MessageID", earliest=NOW - first / 10)
        found = [row["MessageID"] for row in engine.result(plan).rows]
    expected = [row["MessageID"] for row in plan.run(plan.rows(reversed(lines))).rows]
    assert found == expected


def test_more_lines_of_one_moment_than_loki_gives_are_told_of_and_not_lost() -> None:
    server = loki_server.Loki()
    lines = lines_at(*[NOW] * 12, NOW + 1, NOW - 1)
    in_one_stream(server, lines)
    server.most = 10
    with loki_server.serving(server) as url:
        rows = Log(url, server, lines).engine().result(planned("*", earliest=NOW - 60)).rows
        with pytest.raises(RemoteError, match=r"more than 10 lines have the time \d+ ns") as told:
            list(rows)
    assert "max_entries_limit_per_query" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_long_range_is_drawn_in_parts(log: Log) -> None:
    log.server.asked.clear()
    assert log.there("*", earliest=NOW - 100 * 86400) == log.here("*")
    assert len(log.server.asked) == 4
    assert {asked["limit"] for asked in log.server.asked} == {str(LIMIT)}
    spans = [(int(asked["start"]), int(asked["end"])) for asked in log.server.asked]
    assert all(later[0] == earlier[1] for later, earlier in pairwise(spans))


def test_no_more_is_drawn_than_the_query_wants() -> None:
    server = loki_server.Loki()
    lines = lines_at(*(NOW - at for at in range(30)))
    in_one_stream(server, lines)
    server.most = 5
    with loki_server.serving(server) as url:
        rows = Log(url, server, lines).engine().result(planned("* | head 7", earliest=0.0)).rows
        assert len(list(rows)) == 7
    assert len([asked for asked in server.asked if asked["limit"] == "5"]) <= 3


def test_a_busy_loki_is_asked_again_after_a_while(log: Log) -> None:
    log.pauses.clear()
    log.server.failures = [(429, {"Retry-After": "3"}), (503, {}), (500, {"Retry-After": "soon"})]
    assert log.there("*") == log.here("*")
    assert log.pauses == [3.0, 1.0, 2.0]


def test_a_loki_that_stays_busy_is_told_of(log: Log) -> None:
    log.pauses.clear()
    log.server.failures = [(429, {"Retry-After": "99999"})] * 5
    with pytest.raises(RemoteError, match=r"429 .*: too many outstanding requests"):
        log.there("*")
    assert log.pauses == [30.0] * 4
    assert not log.server.failures


def test_what_loki_refuses_is_told_in_its_words(log: Log) -> None:
    for selector in ("nonsense", '{job="a"', "{}", '{job="a"} | logfmt'):
        with pytest.raises(RemoteError, match="400 Bad Request: parse error at line 1, col"):
            list(log.engine(selector).result(planned("*", earliest=0.0)).rows)


def test_lines_that_are_no_events_are_counted(log: Log) -> None:
    server = loki_server.Loki()
    server.push({"job": "gatewaylog"}, Entry(nanoseconds(LINES[0]), "what is this"))
    with loki_server.serving(server) as url:
        engine = Log(url, server, []).engine()
        assert not list(engine.result(planned("*", earliest=EARLIEST)).rows)
    assert engine.unread == 1
