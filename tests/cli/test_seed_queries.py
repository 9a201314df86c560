"""The seed's queries, verbatim, on a log of real requests, against plain Python over its lines."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import gatewaylog
from tests.cli.real_log import real_log

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

INDEX = "index=soa_api_public_i"
OVER_TIME = "index=soa_api_public_i INCOMING_REQUEST | timechart count by API"
ONE_API = "index=soa_api_public_i API=*Echo*"
NOT_ONE_API = "index=soa_api_public_i  NOT API=*Echo*"
BY_URL = 'index=soa_api_public_i RequestInURL="*CCES*"'
RESULTS = (
    "index=soa_api_public_i NOT INCOMING_REQUEST | eval "
    'result=if(Event=="REQUEST_COMPLETE", "Success", ERROR_MESSAGE) | chart count by API, result'
)
UNMATCHED = "index=soa_api_public_i StatusCode=404 | stats count by RequestInURL"

Rows = list[dict[str, object]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where gateway.toml names the index of the log."""
    folder = tmp_path_factory.mktemp("real")
    real_log(folder / "api.log")
    (folder / "gateway.toml").write_text('[search.index]\nsoa_api_public_i = ["*.log"]\n')
    return folder


@pytest.fixture(scope="module")
def lines(folder: Path) -> list[str]:
    return (folder / "api.log").read_text("utf-8").splitlines()


def searched(folder: Path, query: str) -> Rows:
    done = gatewaylog("search", query, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def value(line: str, key: str) -> str | None:
    """A value as it stands in the line, its escapes undone."""
    found = re.search(rf'[ ,]{key}="([^"]*)"', line)
    text = re.sub(r"\\u(....)", lambda code: chr(int(code[1], 16)), found[1]) if found else ""
    return text or None


def ids(lines: Iterable[str]) -> list[str | None]:
    return [value(line, "MessageID") for line in reversed(list(lines))]


def told(rows: Rows) -> list[object]:
    return [row["MessageID"] for row in rows]


def test_the_whole_index(folder: Path, lines: list[str]) -> None:
    assert told(searched(folder, INDEX)) == ids(lines)


def test_apis_invoked_over_a_period_of_time(folder: Path, lines: list[str]) -> None:
    rows = searched(folder, OVER_TIME)
    # 5,000 requests, two seconds apart, are 2 h 47 min: spans of five minutes.
    expected: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if 'Event="INCOMING_REQUEST"' in line:
            moment = datetime.fromisoformat(line[:28]).astimezone()
            start = moment.replace(minute=moment.minute // 5 * 5, second=0, microsecond=0)
            expected[start.isoformat(), value(line, "API") or "NULL"] += 1
    found = {
        (str(row["_time"]), api): count
        for row in rows
        for api, count in row.items()
        if api != "_time" and count
    }
    assert found == expected
    assert sum(expected.values()) > 1000


def test_restrict_to_an_api_and_exclude_it(folder: Path, lines: list[str]) -> None:
    echo = [line for line in lines if "echo" in (value(line, "API") or "").lower()]
    rest = [line for line in lines if "echo" not in (value(line, "API") or "").lower()]
    assert min(len(echo), len(rest)) > 500
    assert told(searched(folder, ONE_API)) == ids(echo)
    assert told(searched(folder, NOT_ONE_API)) == ids(rest)


@pytest.mark.parametrize("part", ["CCES", "PUPPET", "Logstash"])
def test_filter_by_incoming_url(part: str, folder: Path, lines: list[str]) -> None:
    query = BY_URL.replace("CCES", part)
    expected = [
        line for line in lines if part.lower() in (value(line, "RequestInURL") or "").lower()
    ]
    assert expected
    assert told(searched(folder, query)) == ids(expected)


def test_success_and_failure_counts_by_api(folder: Path, lines: list[str]) -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for line in lines:
        api, event = value(line, "API"), value(line, "Event")
        if api and event != "INCOMING_REQUEST":
            success = event == "REQUEST_COMPLETE"
            result = "Success" if success else value(line, "ERROR_MESSAGE")
            expected[api, result or "NULL"] += 1
    names = sorted({name for _, name in expected})
    assert len(names) > 1
    assert searched(folder, RESULTS) == [
        {"API": api} | {name: expected[api, name] for name in names}
        for api in sorted({api for api, _ in expected})
    ]


def test_requested_urls_that_no_api_matched(folder: Path, lines: list[str]) -> None:
    expected = Counter(
        value(line, "RequestInURL") for line in lines if value(line, "StatusCode") == "404"
    )
    rows = searched(folder, UNMATCHED)
    assert len(rows) > 50
    assert {row["RequestInURL"]: row["count"] for row in rows} == expected
    urls = [str(row["RequestInURL"]) for row in rows]
    assert urls == sorted(urls)
