"""Lines to ClickHouse: its own SQL, by chdb, the embedded ClickHouse, behind our HTTP."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from gatewaylog.exceptions import ShipError
from gatewaylog.search import row_reader
from gatewaylog.search.clickhouse_table import DDL, TABLE
from tests.remote.stores import RunningClickHouse, clickhouse
from tests.ship.counterparts import Counterpart, Reply, Request, listening
from tests.ship.killing import killed_at_random
from tests.ship.logs import append, line, lines, ndjson, once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def running() -> Iterator[RunningClickHouse]:
    with clickhouse() as found:
        yield found


@pytest.fixture
def table(running: RunningClickHouse) -> Iterator[str]:
    name = "gatewaylog.shipped"
    running.run(DDL.replace(TABLE, name))
    yield name
    running.drop(name)


@pytest.fixture
def server(running: RunningClickHouse) -> Iterator[Counterpart]:
    """ClickHouse behind a proxy that makes trouble."""
    with listening(_passed_on(running.url)) as found:
        yield found


def _passed_on(url: str) -> Callable[[Request], Reply]:
    def take(request: Request) -> Reply:
        assert request.query.pop("wait_end_of_query") == ["1"]  # HTTP's own: chdb knows it not
        query = urlencode(request.query, doseq=True)
        kept = {"content-encoding", "authorization"} & request.headers.keys()
        headers = {name: request.headers[name] for name in kept}
        asked = urllib.request.Request(f"{url}/?{query}", request.body, headers, method="POST")
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status, {}, answer.read()
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                return error.code, {}, error.read()

    return take


def raws(running: RunningClickHouse, table: str) -> list[str]:
    found = running.run(f"SELECT hex(raw) FROM {table} ORDER BY position").decode()
    return [bytes.fromhex(row).decode() for row in found.splitlines()]


def test_each_line_is_a_row_with_its_fields(
    log: Path, state: Path, server: Counterpart, running: RunningClickHouse, table: str
) -> None:
    append(log, range(20))
    once(log, state, to="clickhouse", url=server.url, table=table, host="gw1", job="edge")
    assert raws(running, table) == lines(range(20))
    row = running.run(
        f"SELECT toString(time), source, position, Event, API, RequestInURL FROM {table}"
        " WHERE position = 7"
    )
    assert row.decode().rstrip("\n").split("\t") == [
        "2023-11-14 22:13:20.007000",
        "gw1/edge",
        "7",
        *("INCOMING_REQUEST", "acme--Shop:v1", "/shop/7"),
    ]


def test_the_same_batch_again_is_stored_once(
    log: Path, state: Path, server: Counterpart, running: RunningClickHouse, table: str
) -> None:
    append(log, range(20))
    server.trouble.next = ["lost", "half", "busy", "down"]
    once(log, state, to="clickhouse", url=server.url, table=table)
    assert server.trouble.seen == ["lost", "half", "busy", "down"]
    assert raws(running, table) == lines(range(20))


def test_lines_that_are_no_event_are_dead_letters(
    log: Path, state: Path, server: Counterpart, running: RunningClickHouse, table: str
) -> None:
    early = line(2).replace(b"2023-", b"1023-", 1)
    log.write_bytes(line(1) + b"what?\n" + early + line(3))
    once(log, state, to="clickhouse", url=server.url, table=table)
    letters = [letter["line"] for letter in ndjson(state / "dead-letters.ndjson")]
    assert letters == ["what?", early.decode().rstrip("\n")]
    assert raws(running, table) == lines([1, 3])


def test_a_row_that_clickhouse_does_not_want_is_a_dead_letter(
    log: Path, state: Path, server: Counterpart, running: RunningClickHouse, table: str
) -> None:
    running.run(f"ALTER TABLE {table} ADD CONSTRAINT no CHECK RequestInURL != '/shop/5'")
    append(log, range(10))
    once(log, state, to="clickhouse", url=server.url, table=table)
    assert [letter["line"] for letter in ndjson(state / "dead-letters.ndjson")] == lines([5])
    assert raws(running, table) == lines(range(5), range(6, 10))


def test_a_table_that_is_not_there_stops(log: Path, state: Path, server: Counterpart) -> None:
    append(log, range(3))
    with pytest.raises(ShipError, match="Code: 60"):
        once(log, state, to="clickhouse", url=server.url, table="gatewaylog.nowhere")
    with pytest.raises(ShipError, match="table must be one like"):
        once(log, state, to="clickhouse", url=server.url, table="a; DROP TABLE b")


def test_a_wrong_password_stops_and_is_not_shown(
    log: Path, state: Path, server: Counterpart, table: str
) -> None:
    append(log, range(3))
    with pytest.raises(ShipError, match="Code: 516") as told:
        once(log, state, to="clickhouse", url=server.url, user="reader", password="oh-no")
    assert "oh-no" not in str(told.value)
    assert table


def test_rows_are_those_that_a_search_reads(
    log: Path, state: Path, server: Counterpart, running: RunningClickHouse, table: str
) -> None:
    append(log, range(5))
    once(log, state, to="clickhouse", url=server.url, table=table)
    read = row_reader()
    found = [read(raw.encode()) for raw in raws(running, table)]
    assert [row.fields["MessageID"] for row in found if row] == [
        f"urn:uuid:00000000-0000-4000-8000-{number:012d}" for number in range(5)
    ]


@pytest.mark.system
def test_killed_at_random_each_line_is_stored_once(
    log: Path, state: Path, server: Counterpart, running: RunningClickHouse, table: str
) -> None:
    written = killed_at_random(
        log,
        state,
        server,
        progress=lambda: server.met,
        to="clickhouse",
        url=server.url,
        table=table,
        timeout=2.0,
    )
    assert raws(running, table) == lines(range(written))
    assert ndjson(state / "dead-letters.ndjson") == ndjson(state / "gaps.ndjson") == []
