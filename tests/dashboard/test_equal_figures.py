"""The page's figures are those of `gatewaylog search` and `orphans` over the same log."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.dashboard.figures import READS, Figures
from gatewaylog.search import row_reader
from tests.cli.processes import gatewaylog
from tests.reader.logs import BEGIN, complete, encoded, error, incoming, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ERRORS = ("Send timeout", "Missing Credentials", "Message throttled out", "null", None)
_SECONDS = 3000


def _lines() -> Iterator[tuple[float, bytes]]:
    """Calls of 14 APIs, some of which are OTHER; errors, unmatched URLs, orphans."""
    chance = random.Random(5)
    for number in range(1, 2001):
        at = chance.random() * _SECONDS
        took = round(chance.lognormvariate(3, 1), 3)
        api = f"team--Api{int(chance.random() ** 2 * 14)}:v1" if chance.random() < 0.97 else None
        if chance.random() < 0.98:
            yield at, encoded(incoming(number, api=api), at)
        if chance.random() < 0.02:
            continue
        known: dict[str, str | float | None] = {"api": api, "duration_ms": took}
        known["request_in_method"] = "GET"
        end = encoded(complete(number, **known), at + took / 1000)
        if chance.random() < 0.3:
            failed = error(number, **known, error_message=chance.choice(_ERRORS))
            end = encoded(failed, at + took / 1000)
        yield at + took / 1000, end
        if chance.random() < 0.05:
            url = f"/nowhere/{chance.randrange(30)}"
            lost = error(None, error_source="main", api=None, request_in_url=url)
            lost = lost._replace(
                duration_ms=0.1, request_in_method="GET", message_id=f"lost-{number}"
            )
            yield at, encoded(lost, at)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = [line for _, line in sorted(_lines())]
    return write(tmp_path_factory.mktemp("log") / "api.log", b"".join(lines))


@pytest.fixture(scope="module")
def shown(log: Path) -> dict[str, Any]:
    read, figures = row_reader(READS), Figures()
    for line in log.read_bytes().splitlines():
        row = read(line)
        assert row is not None
        figures.add(row)
    told: dict[str, Any] = json.loads(json.dumps(figures.shown()))
    return told


def found(log: Path, query: str) -> list[dict[str, Any]]:
    done = gatewaylog("search", query, str(log), "--output", "ndjson", TZ="UTC")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_totals(shown: dict[str, Any], log: Path) -> None:
    counts = {row["Event"]: row["count"] for row in found(log, "* | stats count by Event")}
    assert counts == {
        "INCOMING_REQUEST": shown["requests"],
        "REQUEST_COMPLETE": shown["completed"],
        "ERROR": shown["errors"],
    }
    assert shown["lines"] == sum(counts.values())


@pytest.mark.parametrize("window", ["15m", "1h", "24h", "all"])
def test_calls_over_time_by_api(shown: dict[str, Any], log: Path, window: str) -> None:
    drawn = shown["charts"][window]
    end = drawn["start"] + drawn["span"] * len(drawn["series"][0]["counts"])
    query = (
        f"INCOMING_REQUEST _time>={drawn['start']} _time<{end}"
        f" | timechart span={drawn['span']}s count by API"
    )
    rows = found(log, query)
    assert [series["name"] for series in drawn["series"]] == [
        name for name in rows[0] if name not in {"_time", "_span"}
    ]
    for series in drawn["series"]:
        assert series["counts"] == [row[series["name"]] for row in rows]
    if window in {"24h", "all"}:
        total = sum(sum(series["counts"]) for series in drawn["series"])
        assert (total, drawn["start"] <= BEGIN) == (shown["requests"], True)


def test_success_and_error_types_by_api(shown: dict[str, Any], log: Path) -> None:
    query = (
        'NOT INCOMING_REQUEST API=* | eval result=if(Event="REQUEST_COMPLETE", "Success",'
        ' coalesce(ERROR_MESSAGE, "NULL")) | stats count by API, result'
    )
    expected: dict[str, dict[str, int]] = defaultdict(dict)
    for row in found(log, query):
        expected[row["API"]][row["result"]] = row["count"]
    assert shown["results"] == expected


def test_unmatched_urls(shown: dict[str, Any], log: Path) -> None:
    query = "ErrorSource=main | stats count by RequestInMethod, RequestInURL | sort -count"
    rows = found(log, f"{query}, RequestInURL | head 20")
    assert shown["unmatched"] == [
        [row["RequestInMethod"], row["RequestInURL"], row["count"]] for row in rows
    ]
    (total,) = found(log, "ErrorSource=main | stats count")
    assert shown["unmatched_total"] == total["count"]


def test_slowest_calls(shown: dict[str, Any], log: Path) -> None:
    rows = found(log, "* | sort -DurationMs | head 20 | table ResponseTo, DurationMs, API")
    assert [(slow["id"], slow["ms"], slow["api"] or None) for slow in shown["slowest"]] == [
        (row["ResponseTo"], float(row["DurationMs"]), row.get("API")) for row in rows
    ]


def test_orphans(shown: dict[str, Any], log: Path) -> None:
    done = gatewaylog("orphans", str(log), "--output", "ndjson")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    orphans = shown["orphans"]
    assert orphans["total"] == len(rows) > 50
    ids = [row.get("ResponseTo") or row["MessageID"] for row in rows]
    assert [orphan["id"] for orphan in orphans["newest"]] == ids[:-51:-1]
