"""The six queries of the seed's page, verbatim, against what plain Python finds in the text."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from tests.search.access_log import LINES, planned, searched

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXTS = [line.decode() for line in LINES]
CHART = (
    "index=soa_api_public_i NOT INCOMING_REQUEST | eval "
    'result=if(Event=="REQUEST_COMPLETE", "Success", ERROR_MESSAGE) | chart count by API, result'
)


def value(line: str, key: str) -> str | None:
    found = re.search(rf'[ ,]{key}="([^"]*)"', line)
    return found[1] if found and found[1] else None


def ids(lines: Iterable[str]) -> list[str | None]:
    return [value(line, "MessageID") for line in reversed(list(lines))]


def test_all_events_of_the_index() -> None:
    result = searched("index=soa_api_public_i")
    assert result.kind == "events"
    assert [row["MessageID"] for row in result.rows] == ids(TEXTS)
    assert planned("index=soa_api_public_i").indexes == ("soa_api_public_i",)


def test_apis_invoked_over_a_period_of_time() -> None:
    result = searched("index=soa_api_public_i INCOMING_REQUEST | timechart count by API")
    assert result.columns == ("_time", "alice--Echo:v1", "bob--Orders:v2", "carol--News:v1")
    rows = list(result.rows)
    # 09:00 to 11:15 are 28 spans of five minutes; one minute would make 136.
    assert [row["_time"] for row in rows] == [1495814400 + 300 * at for at in range(28)]
    expected = Counter(
        (f"{int(line[11:13]):02}:{int(line[14:16]) // 5 * 5:02}", value(line, "API"))
        for line in TEXTS
        if "INCOMING_REQUEST" in line
    )
    found = {
        (f"{9 + at // 12:02}:{at % 12 * 5:02}", api): row[api]
        for at, row in enumerate(rows)
        for api in (result.columns or ())[1:]
        if row[api]
    }
    assert found == expected


def test_restrict_to_an_api() -> None:
    rows = searched("index=soa_api_public_i API=*Echo*").rows
    expected = [line for line in TEXTS if "echo" in (value(line, "API") or "").lower()]
    assert [row["MessageID"] for row in rows] == ids(expected)


def test_exclude_an_api() -> None:
    rows = searched("index=soa_api_public_i  NOT API=*Echo*").rows
    expected = [line for line in TEXTS if "echo" not in (value(line, "API") or "").lower()]
    assert [row["MessageID"] for row in rows] == ids(expected)


def test_filter_by_incoming_url() -> None:
    rows = searched('index=soa_api_public_i RequestInURL="*CCES*"').rows
    expected = [line for line in TEXTS if "cces" in (value(line, "RequestInURL") or "").lower()]
    assert len(expected) == 2
    assert [row["MessageID"] for row in rows] == ids(expected)


def test_success_and_failure_counts_by_api() -> None:
    result = searched(CHART)
    counts: Counter[tuple[str, str]] = Counter()
    for line in TEXTS:
        api, event = value(line, "API"), value(line, "Event")
        if event != "INCOMING_REQUEST" and api:
            success = event == "REQUEST_COMPLETE"
            counts[api, "Success" if success else value(line, "ERROR_MESSAGE") or "NULL"] += 1
    columns = sorted({name for _, name in counts})
    assert result.kind == "chart"
    assert result.axis == "API"
    assert result.columns == ("API", *columns)
    assert list(result.rows) == [
        {"API": api} | {name: counts[api, name] for name in columns}
        for api in sorted({api for api, _ in counts})
    ]


def test_urls_that_no_api_matched() -> None:
    result = searched("index=soa_api_public_i StatusCode=404 | stats count by RequestInURL")
    expected = Counter(
        value(line, "RequestInURL") for line in TEXTS if value(line, "StatusCode") == "404"
    )
    assert result.columns == ("RequestInURL", "count")
    assert list(result.rows) == [
        {"RequestInURL": url, "count": count} for url, count in sorted(expected.items())
    ]
