"""Queries over the whole log: the answer of `gatewaylog search`, and a process that ends."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from gatewaylog.dashboard import whole
from gatewaylog.dashboard.logs import Logs
from gatewaylog.dashboard.whole import WholeLog, answered
from tests.reader.logs import complete, encoded, error, incoming, write
from tests.waiting import PATIENCE, wait_for


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    """Sixty exchanges, the older ones packed, and a line that is none."""
    old = [encoded(incoming(number), number) for number in range(1, 31)]
    new = [encoded(complete(number), 30 + number) for number in range(1, 25)]
    new += [encoded(error(number, error_message="Send timeout"), 60) for number in range(25, 31)]
    packed = write(tmp_path / "api.log.1.gz", gzip.compress(b"".join(old)))
    live = write(tmp_path / "api.log", b"".join(new) + b"no line of a log\n")
    return Logs.of([str(packed), str(live)])


def answer(logs: Logs, query: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    told: list[bytes] = []
    found: dict[str, Any] = answered(logs, query, told.append)
    json.dumps(found)  # is what is done with it
    return found, [json.loads(one) for one in told]


def test_events_are_the_newest_first_of_all_files(logs: Logs) -> None:
    found, told = answer(logs, "")
    assert [len(found["events"]), found["events"][0]["event"]] == [60, "ERROR"]
    assert found["events"][-1]["event"] == "INCOMING_REQUEST"
    assert found["unread"] == 1
    assert all(0 < one["read"] <= 1 for one in told)


def test_no_more_than_300_events_are_shown(tmp_path: Path) -> None:
    path = write(tmp_path / "api.log", b"".join(encoded(incoming(n), n) for n in range(400)))
    assert len(answer(Logs.of([str(path)]), "INCOMING_REQUEST")[0]["events"]) == 300


def test_counts_are_of_every_line_of_every_file(logs: Logs) -> None:
    found, told = answer(logs, "* | stats count by Event")
    assert found["columns"] == ("Event", "count")
    assert sorted(found["rows"]) == [
        ["ERROR", 6], ["INCOMING_REQUEST", 30], ["REQUEST_COMPLETE", 24],
    ]  # fmt: skip
    assert found["unread"] == 1
    assert told


def test_what_asks_for_the_order_of_events_gets_it(logs: Logs) -> None:
    found, _ = answer(logs, "ERROR | head 2 | table MessageID")
    assert found["rows"] == [
        ["urn:uuid:00000000-0000-4000-8000-000002000030"],
        ["urn:uuid:00000000-0000-4000-8000-000002000029"],
    ]


def test_a_query_that_is_none_is_refused_and_a_log_that_is_gone_is_named(logs: Logs) -> None:
    assert "^^^^^" in answer(logs, "* | stats cuont")[0]["refused"]
    Path(logs.live[0]).unlink()
    assert "api.log" in answer(logs, "*")[0]["failed"]


def test_lines_that_are_too_long_are_counted_as_not_read(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "LONGEST", 10)
    assert answer(logs, "")[0]["unread"] == 61


async def test_the_answer_comes_from_a_process_that_ends_with_it(logs: Logs) -> None:
    told = [one async for one in WholeLog(logs).told("* | stats count")]
    assert told[-1]["rows"] == [[60]]
    assert not multiprocessing.active_children()


async def test_a_search_ends_when_its_page_goes_away_and_the_next_one_waits_for_that(
    logs: Logs, tmp_path: Path
) -> None:
    pipe = tmp_path / "never.log"
    write(pipe, b"".join(encoded(incoming(number), number) for number in range(200_000)))
    log = WholeLog(Logs.of([str(pipe)]))
    async with asyncio.timeout(PATIENCE):
        async with contextlib.aclosing(log.told("* | sort MessageID")) as first:
            assert "read" in await anext(first)
            second = log.told("* | head 1")
            assert await anext(second) == {"waiting": True}
            assert len(multiprocessing.active_children()) == 1
        assert not multiprocessing.active_children()
        last = [one async for one in second][-1]
    assert len(last["rows"]) == 1  # type: ignore[arg-type]


async def test_a_process_that_dies_is_told_of(logs: Logs, tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    write(path, b"".join(encoded(incoming(number), number) for number in range(200_000)))
    async with contextlib.aclosing(WholeLog(Logs.of([str(path)])).told("* | sort API")) as told:
        await anext(told)
        (process,) = multiprocessing.active_children()
        process.kill()
        last = [one async for one in told][-1]
    assert last == {"failed": "the search ended without an answer"}
    wait_for(lambda: not multiprocessing.active_children())
