"""What a page is sent: figures, events, tables, exchanges."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gatewaylog.dashboard import board as board_room
from gatewaylog.dashboard.app import application
from gatewaylog.dashboard.board import Board
from gatewaylog.dashboard.logs import Logs
from tests.reader.logs import complete, encoded, error, identity, incoming, write
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = (
        encoded(incoming(1)),
        encoded(complete(1, api=HOSTILE), 1),
        encoded(incoming(2), 2),
        encoded(error(2, error_message="Send timeout", error_code="101504"), 3),
        encoded(incoming(3), 4),
    )
    return write(tmp_path / "api.log", b"".join(lines))


async def told(stream: AsyncGenerator[str, None], *names: str) -> dict[str, Any]:
    """Return the first event of each of these names."""
    found: dict[str, Any] = {}
    async with asyncio.timeout(PATIENCE):
        async for text in stream:
            for event in text.split("\n\n"):
                name, _, data = event.removeprefix("event: ").partition("\ndata: ")
                if data and not (name == "figures" and not json.loads(data)["completed"]):
                    found.setdefault(name, json.loads(data))
            if found.keys() >= set(names):
                break
    await stream.aclose()
    return found


async def test_a_page_gets_the_figures_and_the_last_events(log: Path) -> None:
    board = Board(Logs.of([str(log)]))
    with board.fed():
        found = await told(board.stream(""), "figures", "events")
    assert found["figures"]["requests"] == 3
    shown = found["events"]["events"]
    assert [event["event"] for event in shown[:2]] == ["INCOMING_REQUEST", "ERROR"]
    assert HOSTILE in {event["api"] for event in shown}  # as it is: the page shows it as text


async def test_lines_that_come_later_are_sent_alone(log: Path) -> None:
    board = Board(Logs.of([str(log)]))
    with board.fed():
        stream = board.stream("ERROR")
        async with asyncio.timeout(PATIENCE):
            async for text in stream:
                if "event: events" in text:
                    break
            with log.open("ab") as file:
                file.write(encoded(error(3, error_message="later"), 9))
            async for text in stream:
                if "later" in text:
                    break
        await stream.aclose()
    told_late = json.loads(text.partition("event: events\ndata: ")[2].partition("\n\n")[0])
    assert [event["error"] for event in told_late["events"]] == ["later"]
    assert told_late["first"] is False


async def test_a_query_with_commands_gives_a_table(log: Path) -> None:
    board = Board(Logs.of([str(log)]))
    with board.fed():
        found = await told(board.stream("NOT INCOMING_REQUEST | stats count by Event"), "table")
    table = found["table"]
    assert (table["columns"], table["more"]) == (["Event", "count"], False)
    assert sorted(table["rows"]) == [["ERROR", 1], ["REQUEST_COMPLETE", 1]]


async def test_a_table_without_columns_of_its_own_shows_every_field(log: Path) -> None:
    board = Board(Logs.of([str(log)]))
    with board.fed():
        found = await told(board.stream("ERROR | head 1"), "table")
    assert "ERROR_MESSAGE" in found["table"]["columns"]


async def test_a_query_that_is_none_is_refused_with_its_caret(log: Path) -> None:
    board = Board(Logs.of([str(log)]))
    with board.fed():
        found = await told(board.stream("* | stats cuont"), "refused")
    assert "^^^^^" in found["refused"]["refused"]


async def test_exchanges_are_found_in_memory_and_in_the_file(log: Path) -> None:
    board = Board(Logs.of([str(log)]))
    from_file = await board.found(identity(1))
    with board.fed():
        await told(board.stream(""), "events")
        from_memory = await board.found(identity(1))
        alone = await board.found(identity(3))
        nothing = await board.found(identity(99))
    assert [one.id for one in from_file] == [one.id for one in from_memory] == [identity(1)]
    assert [one.terminal for one in alone] == [None]
    assert nothing == []


async def test_the_pages_addresses(log: Path) -> None:
    app = application(Board(Logs.of([str(log)])), host="127.0.0.1", token=None)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        page = await client.get("/")
        assert page.headers["content-type"].startswith("text/html")
        assert (await client.get("/static/main.js")).status_code == 200
        assert (await client.get("/static/../app.py")).status_code == 404
        assert (await client.get("/exchange")).status_code == 400
        assert (await client.get("/stream", params={"query": "x" * 5000})).status_code == 414
        found = (await client.get("/exchange", params={"id": identity(2)})).json()["exchanges"]
        alone = (await client.get("/exchange", params={"id": identity(3)})).json()["exchanges"]
    assert [len(one["events"]) for one in found] == [2]
    assert ["ERROR_MESSAGE", "Send timeout"] in found[0]["events"][1]["fields"]
    assert alone[0]["missing"].startswith("No terminal event")


async def test_a_stream_without_news_speaks_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_room, "_HEARTBEAT", 0.0)
    board = Board(Logs.of([str(write(tmp_path / "api.log", b""))]))
    stream = board.stream("")
    async with asyncio.timeout(PATIENCE):
        assert "event: events" in await anext(stream)  # none are there
        assert await anext(stream) == ": still here\n\n"
    board.end()
    assert [text async for text in stream] == []


async def test_a_table_is_made_anew_as_lines_come(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_room, "_EVERY", 0.01)
    board = Board(Logs.of([str(log)]))
    with board.fed():
        stream = board.stream("* | stats count")
        counts: list[int] = []
        async with asyncio.timeout(PATIENCE):
            async for text in stream:
                if "event: table" in text:
                    counts.append(
                        json.loads(text.partition("event: table\ndata: ")[2])["rows"][0][0]
                    )
                    with log.open("ab") as file:
                        file.write(encoded(incoming(9), 9) * 2)
                if len(counts) == 2:
                    break
        await stream.aclose()
    assert counts == [5, 7]


async def test_what_only_lines_show_to_be_wrong_is_refused_too(tmp_path: Path) -> None:
    lines = encoded(incoming(1)) + encoded(incoming(2), 300_000_000)
    board = Board(Logs.of([str(write(tmp_path / "api.log", lines))]))
    with board.fed():
        refused = await told(board.stream("* | timechart span=1s count"), "refused")
    assert "^" in refused["refused"]["refused"]
