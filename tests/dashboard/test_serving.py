"""The page's server over real sockets: many pages, pages that go, and one that does not read."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import signal
import socket
from itertools import count, islice
from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.dashboard import app, board
from gatewaylog.dashboard.board import Board
from gatewaylog.dashboard.logs import Logs
from tests.cli.processes import gatewaylog, said_once, started
from tests.dashboard.served import served, until
from tests.reader.logs import complete, encoded, identity, incoming, write

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    import httpx


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "api.log", encoded(incoming(1)) + encoded(complete(1), 1))


async def told(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def searching() -> list[str]:
    return [one.name for one in multiprocessing.active_children() if one.name == "searching"]


async def test_a_stream_tells_figures_and_events(log: Path) -> None:
    async with served(Logs.of([str(log)])) as client, client.stream("GET", "/stream") as answer:
        names = set()
        async for name, values in told(answer):
            names.add(name)
            if name == "figures" and values["completed"] == 1 and "events" in names:
                break


async def test_no_more_pages_are_served_than_there_is_room_for(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_MOST_STREAMS", 2)
    async with served(Logs.of([str(log)])) as client:
        async with client.stream("GET", "/stream") as one, client.stream("GET", "/stream") as two:
            assert (one.status_code, two.status_code) == (200, 200)
            assert (await client.get("/stream")).status_code == 503
            assert (await client.get("/whole")).status_code == 503
        answers = []

        async def is_free() -> bool:
            async with client.stream("GET", "/stream") as again:
                answers.append(again.status_code)
            return answers[-1] == 200

        while not await is_free():
            assert len(answers) < 1000


async def test_a_search_of_the_whole_log_ends_with_its_connection(tmp_path: Path) -> None:
    lines = (encoded(incoming(number), number / 1000) for number in range(150_000))
    log = write(tmp_path / "api.log", b"".join(lines))
    async with served(Logs.of([str(log)])) as client:
        query = {"query": "* | sort MessageID"}
        async with client.stream("GET", "/whole", params=query) as answer:
            async for _, values in told(answer):
                assert "read" in values
                break
            assert searching() == ["searching"]
        await until(lambda: not searching())
        query = {"query": "* | head 1"}
        async with client.stream("GET", "/whole", params=query) as answer:
            last = [values async for _, values in told(answer)][-1]
        assert len(last["rows"]) == 1


async def test_a_page_that_does_not_read_is_not_written_to_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a page is sent is made when it takes it: what it does not take costs no memory."""
    monkeypatch.setattr(board, "_EVERY", 0.01)
    sent: dict[str, int] = {}
    stream = Board.stream

    async def counted(self: Board, query: str) -> AsyncGenerator[str, None]:
        async for text in stream(self, query):
            sent[query] = sent.get(query, 0) + len(text)
            yield text

    monkeypatch.setattr(Board, "stream", counted)
    log = write(tmp_path / "api.log", b"")
    url = "/" + "x" * 1500
    async with served(Logs.of([str(log)])) as client:
        with socket.create_connection(("127.0.0.1", client.base_url.port)) as deaf:
            deaf.sendall(b"GET /stream?query=deaf+OR+GET HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with client.stream("GET", "/stream", params={"query": "GET"}) as answer:
                numbers = count()
                async for name, _ in told(answer):
                    if name != "events":
                        continue
                    with log.open("ab") as file:
                        for number in islice(numbers, 200):
                            event = incoming(number, request_in_url=url, request_in_method="GET")
                            file.write(encoded(event))
                    if sent["GET"] > 24_000_000:
                        break
    assert 0 < sent["deaf OR GET"] < sent["GET"] / 2


async def test_an_exchange_of_a_log_that_is_gone_is_said_to_be_not_readable(log: Path) -> None:
    async with served(Logs.of([str(log)])) as client:
        log.unlink()
        answer = await client.get("/exchange", params={"id": identity(99)})
    assert (answer.status_code, answer.json()["exchanges"]) == (503, [])
    assert "api.log" in answer.json()["failed"]


async def test_nothing_but_reading_is_answered(log: Path) -> None:
    async with served(Logs.of([str(log)])) as client:
        for path in ("/", "/stream", "/whole", "/exchange", "/static/main.js"):
            assert (await client.post(path)).status_code == 405
        assert (await client.get("/exchange", params={"id": "x" * 5000})).status_code == 400
        assert (await client.get("/nowhere")).status_code == 404


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quietly_with_pages_open_that_search(
    tmp_path: Path, number: signal.Signals
) -> None:
    lines = (encoded(incoming(number), number / 1000) for number in range(150_000))
    log = write(tmp_path / "api.log", b"".join(lines))
    with started("dashboard", str(log), "--listen", "127.0.0.1:0") as process:
        port = int(process.reads(r"http://127.0.0.1:(\d+)/\n")[1])
        with contextlib.ExitStack() as pages:
            for path in (b"/stream", b"/whole?query=*|sort+API", b"/whole?query=*|sort+API"):
                page = socket.create_connection(("127.0.0.1", port))
                pages.enter_context(page)
                page.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)
                assert page.recv(100).startswith(b"HTTP/1.1 200")
            status = process.stopped_by(number)
        assert process.text.count("\n") == 1
        assert status in {0, -signal.SIGTERM}


def test_an_address_in_square_brackets_is_ipv6(log: Path) -> None:
    with started("dashboard", str(log), "--listen", "[::1]:0") as process:
        process.reads(r"http://\[::1\]:\d+/\n")
        assert process.stopped_by(signal.SIGINT) == 0


def test_an_address_that_is_taken_is_one_line(log: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = gatewaylog("dashboard", str(log), "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 2
    assert "use" in said_once(done)


@pytest.mark.parametrize("address", ["8090", ":8090", "127.0.0.1:", "127.0.0.1:65536", "h:x"])
def test_an_address_that_is_none_is_refused(log: Path, address: str) -> None:
    done = gatewaylog("dashboard", str(log), f"--listen={address}")
    assert done.returncode == 2
    assert "must be HOST:PORT" in done.stderr


def test_standard_input_is_refused() -> None:
    done = gatewaylog("dashboard", "-")
    assert done.returncode == 2
    assert "standard input can't be followed" in said_once(done)


async def test_half_a_surrogate_pair_reaches_the_page(tmp_path: Path) -> None:
    line = encoded(incoming(1, request_in_url="/half"), form="json").replace(b"/half", b"/\\ud800")
    async with served(Logs.of([str(write(tmp_path / "api.log", line))])) as client:
        answer = await client.get("/exchange", params={"id": identity(1)})
    assert b"\\ud800" in answer.content
