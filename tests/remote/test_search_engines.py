"""`gatewaylog search --engine clickhouse|loki`, as it is typed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.cli import run
from gatewaylog.search.clickhouse_table import COLUMNS, DDL, TABLE
from tests.cli.processes import gatewaylog
from tests.remote import loki_server
from tests.remote.loki_server import Entry
from tests.remote.test_clickhouse_answers import SEED
from tests.remote.test_loki_answers import in_one_stream, nanoseconds
from tests.search.access_log import LINES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest import CaptureFixture, MonkeyPatch  # noqa: PT013

    from tests.remote.stores import RunningClickHouse

LOG = str(Path(__file__).parents[1] / "search" / "access_log.txt")
PAGE = (Path(__file__).parents[2] / "docs" / "reading.md").read_text("utf-8")
SINCE = ("--since", "2017-05-26T00:00:00-07:00", "--until", "2017-05-27T00:00:00-07:00")


class Told:
    """What `run` gave in this process."""

    def __init__(self, capsys: CaptureFixture[str], *arguments: str) -> None:
        capsys.readouterr()
        self.status = run(list(arguments))
        self.out, self.err = capsys.readouterr()


@pytest.fixture(scope="module")
def clickhouse(running_clickhouse: RunningClickHouse) -> str:
    """The URL of a ClickHouse that holds the log as docs/reading.md tells to load it."""
    written = gatewaylog("convert", "--to", "clickhouse", LOG)
    assert (written.returncode, written.stderr) == (0, "")
    (ddl,) = re.findall(r"```sql\n(CREATE TABLE .*?)```", PAGE, re.DOTALL)
    running_clickhouse.run(ddl)
    running_clickhouse.run(f"INSERT INTO {TABLE} FORMAT JSONEachRow", written.stdout.encode())
    return running_clickhouse.url


@pytest.fixture(scope="module")
def loki() -> Iterator[tuple[str, loki_server.Loki]]:
    server = loki_server.Loki()
    in_one_stream(server, LINES)
    with loki_server.serving(server) as url:
        yield url, server


def prints_as_of_a_file(
    query: str, output: str, engine: str, url: str, capsys: CaptureFixture[str]
) -> None:
    asked = ("search", query, *SINCE, "--output", output)
    file = Told(capsys, *asked, LOG)
    assert file.status == 0
    assert file.out
    told = Told(capsys, *asked, "--engine", engine, "--url", url)
    assert (told.status, told.out) == (0, file.out)
    assert re.fullmatch(
        "gatewaylog: index 'soa_api_public_i': what .* holds there is searched\n", told.err
    )


PRINTED = [
    (query, output)
    for query in SEED
    for output in ("ndjson", "table", "raw")
    if output != "raw" or "|" not in query
]


@pytest.mark.parametrize(("query", "output"), PRINTED)
def test_the_seeds_queries_print_of_clickhouse_what_they_print_of_a_file(
    query: str, output: str, clickhouse: str, capsys: CaptureFixture[str]
) -> None:
    prints_as_of_a_file(query, output, "clickhouse", clickhouse, capsys)


@pytest.mark.parametrize(("query", "output"), PRINTED)
def test_the_seeds_queries_print_of_loki_what_they_print_of_a_file(
    query: str, output: str, loki: tuple[str, loki_server.Loki], capsys: CaptureFixture[str]
) -> None:
    prints_as_of_a_file(query, output, "loki", loki[0], capsys)


def test_a_process_prints_what_clickhouse_gives(clickhouse: str) -> None:
    done = gatewaylog(
        "search",
        "INCOMING_REQUEST | stats count by API",
        "--engine=clickhouse",
        f"--url={clickhouse}",
        "--user=reader",
        GATEWAYLOG_SEARCH_PASSWORD="se cret:ü",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["count"] for line in done.stdout.splitlines()] == [3, 1, 1]


def test_a_wrong_password_is_told_in_clickhouses_words_and_not_shown(
    clickhouse: str, capsys: CaptureFixture[str], monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAYLOG_SEARCH_PASSWORD", "gu3ss")
    asked = ("search", "*", "--engine", "clickhouse", "--url", clickhouse, "--user", "reader")
    told = Told(capsys, *asked)
    assert (told.status, told.out) == (2, "")
    assert told.err == (
        f"gatewaylog: ClickHouse at {clickhouse}: 401 Unauthorized: Code: 516. DB::Exception:"
        " reader: Authentication failed: password is incorrect\n"
    )


def test_a_table_that_is_not_there_is_told_of_in_one_line(
    clickhouse: str, capsys: CaptureFixture[str]
) -> None:
    asked = ("search", "*", "--engine", "clickhouse", "--url", clickhouse, "--table", "a.none")
    told = Told(capsys, *asked)
    assert told.status == 2
    assert "DB::Exception: " in told.err
    assert told.err.count("\n") == 1


def test_loki_is_asked_for_its_tenant_with_its_token(
    loki: tuple[str, loki_server.Loki], capsys: CaptureFixture[str], monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAYLOG_SEARCH_TOKEN", "t0ken")
    url, server = loki
    server.asked.clear()
    server.headers.clear()
    selector = '{job="gatewaylog", event="ERROR"}'
    asked = ("search", "*", *SINCE, "--engine", "loki", "--url", url, "--tenant", "west")
    told = Told(capsys, *asked, "--selector", selector)
    assert (told.status, told.out, told.err) == (0, "", "")
    assert server.headers[0]["X-Scope-OrgID"] == "west"
    assert server.headers[0]["Authorization"] == "Bearer t0ken"
    assert server.asked[0]["query"] == selector


def test_lines_in_loki_that_cannot_be_read_are_counted(capsys: CaptureFixture[str]) -> None:
    server = loki_server.Loki()
    server.push({"job": "gatewaylog"}, Entry(nanoseconds(LINES[0]), "what is this"))
    with loki_server.serving(server) as url:
        told = Told(capsys, "search", "*", *SINCE, "--engine", "loki", "--url", url)
    assert (told.status, told.out, told.err) == (0, "", "gatewaylog: 1 line not read\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--engine", "loki"], "--url is missing: where Loki answers"),
        (["--engine", "clickhouse"], "--url is missing: where ClickHouse answers"),
        (["--url", "http://x"], "--url is for --engine clickhouse and loki"),
        (["--user", "x", LOG], "--user is for --engine clickhouse and loki"),
        (["--engine=loki", "--url=http://x"], "Loki searches a span of time: --since -24h, say"),
        (["--engine=loki", "--url=http://x", "--table=a"], "--table is for --engine clickhouse"),
        (["--engine=clickhouse", "--url=http://x", "--tenant=a"], "--tenant is for --engine loki"),
        (
            ["--engine=clickhouse", "--url=http://x", LOG],
            "FILE is not read with --engine clickhouse",
        ),
        (
            ["--engine=loki", "--url=http://x", "--config=a"],
            "--config is not read with --engine loki",
        ),
        (
            ["--engine=loki", "--url=http://x", "--unread"],
            "--unread is for files, not for --engine loki",
        ),
        (
            ["--engine=clickhouse", "--url=http://x", "--table=a;b"],
            "--table has to be a name, or a database's and a table's: a.b",
        ),
        (
            ["--engine=loki", "--url=http://x", "--since=-1h", "--selector=job"],
            "--selector has to be as in LogQL: '{job=\"gatewaylog\"}'",
        ),
        (
            ["--engine=loki", "--url=http://x", "--since=-1h", "--tenant=a\nb"],
            "--tenant has to be printable ASCII",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(
    arguments: list[str], told: str, capsys: CaptureFixture[str]
) -> None:
    found = Told(capsys, "search", "*", *arguments)
    assert (found.status, found.out, found.err) == (2, "", f"gatewaylog: search: {told}\n")


@pytest.mark.parametrize("seconds", ["0", "x", "-1", "nan", "1e9"])
def test_a_timeout_is_of_seconds(seconds: str, capsys: CaptureFixture[str]) -> None:
    found = Told(capsys, "search", "*", f"--timeout={seconds}")
    assert (found.status, found.out) == (2, "")
    assert "must be seconds, more than 0 and at most 86400" in found.err


def test_a_query_that_cannot_be_read_is_told_before_anything_is_asked(
    capsys: CaptureFixture[str],
) -> None:
    asked = ("search", "* | statz count", "--engine=clickhouse", "--url=http://127.0.0.1:9")
    found = Told(capsys, *asked)
    assert found.status == 2
    assert found.err.startswith("* | statz count\n    ^^^^^\n")


def test_the_page_has_the_table_as_it_is() -> None:
    assert f"```sql\n{DDL}```" in PAGE
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_lines_without_a_place_in_the_table_are_counted(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"\n".join([b"2301" + LINES[0][4:], b"1899" + LINES[0][4:], LINES[0]]))
    told = Told(capsys, "convert", "--to", "clickhouse", str(log))
    assert told.status == 0
    assert [json.loads(line)["MessageID"] for line in told.out.splitlines()] == ["a1"]
    assert told.err.startswith("gatewaylog: 2 lines not read")


def test_records_hold_no_lines_that_cannot_be_read(capsys: CaptureFixture[str]) -> None:
    told = Told(capsys, "convert", "--to", "clickhouse", "--keep-unread", LOG)
    assert (told.status, told.out) == (2, "")
    assert "--keep-unread is not for --to clickhouse" in told.err
