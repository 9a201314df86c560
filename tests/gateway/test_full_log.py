"""What becomes of calls whose events can't be written, on a file system that is really full."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog.events import LogLoss
from gatewaylog.formats import Line, parse_line
from tests.gateway.upstream.scripted import answers
from tests.http_client import request
from tests.running import in_front_of, until
from tests.sinks.full_disk import fill, small_file_system

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.gateway.upstream.scripted import Backend
    from tests.running import Running

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    with small_file_system(tmp_path, 64 * 4096) as folder:
        yield folder


def told(path: Path) -> tuple[int, int, list[str]]:
    """How many events stand in a log, how many it says are missing, and the URLs of the calls."""
    parsed = [parse_line(raw) for raw in path.read_bytes().splitlines()]
    lines = [line for line in parsed if isinstance(line, Line)]
    losses = [line.event for line in lines if isinstance(line.event, LogLoss)]
    calls = [line for line in lines if not isinstance(line.event, LogLoss)]
    assert len(parsed) - len(lines) <= max(1, len(losses))  # the torn ones
    numbers = {line.seq or 0 for line in lines}
    gaps = {seq for one in losses for seq in range(one.first or 0, (one.last or 0) + 1)}
    assert numbers | gaps == set(range(1, max(numbers) + 1))
    assert not numbers & gaps
    return (
        len(calls),
        sum(one.lost or 0 for one in losses),
        [line.call.request_in_url or "" for line in calls],
    )


async def filled(gateway: Running, folder: Path) -> Path:
    """Fill the file system behind a first call, so that the log has room for a few lines more."""
    assert (await gateway.ask(request())).status == 200
    await until(lambda: not gateway.tasks)
    return fill(folder)


def lost(gateway: Running) -> int:
    return gateway.serving.log.lost


async def test_drop_serves_on_and_counts_what_it_could_not_write(small: Path) -> None:
    async with in_front_of(small, answers(OK)) as (gateway, _):
        filling = await filled(gateway, small)
        async with gateway.client() as client:
            for _ in range(30):
                assert (await client.ask(request())).status == 200
        assert lost(gateway) > 30
        filling.unlink()
        assert (await gateway.ask(request())).status == 200
        await until(lambda: not gateway.tasks)
        written, missing, _ = told(gateway.log.path)
    assert written + missing == 2 * 32
    assert missing == lost(gateway)


@pytest.mark.parametrize("on_full", ["drop", "refuse"])
async def test_a_gateway_that_refuses_calls_is_not_ready(small: Path, on_full: str) -> None:
    server, log = 'admin = "127.0.0.1:0"', f'on_full = "{on_full}"'
    async with in_front_of(small, answers(OK), server=server, log=log) as (gateway, _):

        def ready() -> object:
            return gateway.server._snapshots()[0]["ready"]

        filling = await filled(gateway, small)
        assert ready()
        for _ in range(20):
            await gateway.ask(request())
        assert lost(gateway)
        assert ready() == (on_full == "drop")
        filling.unlink()
        await until(ready)
        assert (await gateway.ask(request())).status == 200


async def test_refuse_answers_503_and_asks_no_backend(small: Path) -> None:
    async with in_front_of(small, answers(OK), log='on_full = "refuse"') as (gateway, backend):
        filling = await filled(gateway, small)
        found = [(await gateway.ask(request())) for _ in range(30)]
        statuses = [answer.status for answer in found]
        assert set(statuses) == {200, 503}
        assert b'"code":"101599"' in found[-1].body
        assert asked_of(backend) == statuses.count(200) + 1
        filling.unlink()
        gateway.serving.look()
        assert b"LOG_LOSS" in gateway.log.raw()
        assert (await gateway.ask(request())).status == 200
        await until(lambda: not gateway.tasks)
        written, missing, _ = told(gateway.log.path)
        assert written + missing == 2 * 32
        assert asked_of(backend) == statuses.count(200) + 2


def asked_of(backend: Backend) -> int:
    return sum(wire.raw.count(b"GET ") for wire in backend.wires)


async def test_block_waits_until_there_is_room_and_loses_no_incoming_request(small: Path) -> None:
    async with in_front_of(small, answers(OK), log='on_full = "block"') as (gateway, backend):
        filling = await filled(gateway, small)
        asked = [
            asyncio.create_task(gateway.ask(request(b"/echo/%d" % number))) for number in range(40)
        ]
        await until(lambda: len(gateway.tasks) > 5)
        before = asked_of(backend)
        assert before < 40
        filling.unlink()
        assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
        await until(lambda: not gateway.tasks)
        written, missing, urls = told(gateway.log.path)
    assert written + missing == 2 * 41
    assert set(urls) - {"/echo"} == {f"/echo/{number}" for number in range(40)}
    assert missing <= before  # ends of calls that were served before


async def test_block_ends_with_the_gateway(small: Path) -> None:
    async with in_front_of(small, answers(OK), log='on_full = "block"', server="drain = 0.01") as (
        gateway,
        _,
    ):
        await filled(gateway, small)
        asked = [asyncio.create_task(gateway.ask(request())) for _ in range(40)]
        await until(lambda: len(gateway.tasks) > 5)
        gateway.server.should_exit = True
        answers_given = await asyncio.gather(*asked)
    assert {answer.status for answer in answers_given} == {200, 503}
    assert b'"code":"101507"' in next(one.body for one in answers_given if one.status == 503)


async def test_block_lets_clients_go(small: Path) -> None:
    async with in_front_of(small, answers(OK), log='on_full = "block"') as (gateway, backend):
        filling = await filled(gateway, small)
        asked = [asyncio.create_task(gateway.ask(request())) for _ in range(40)]
        await until(lambda: len(gateway.tasks) > 5 and all(wire.raw for wire in backend.wires))
        for task in asked:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*asked, return_exceptions=True)
        await until(lambda: not gateway.tasks)
        filling.unlink()
        gateway.serving.look()
        written, missing, _ = told(gateway.log.path)
    assert written + missing >= 2 * 7
    assert missing == lost(gateway)


@pytest.mark.parametrize("on_full", ["drop", "block", "refuse"])
async def test_with_durability_disk_the_line_is_synced_before_the_backend_is_asked(
    tmp_path: Path, on_full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatewaylog.sinks import FileSink

    synced: list[bytes] = []
    sync = FileSink.sync

    def noted(sink: FileSink) -> str | None:
        held = sink.path.read_bytes()
        reason = sync(sink)
        synced.append(held)
        return reason

    monkeypatch.setattr(FileSink, "sync", noted)
    seen: list[int] = []

    async def play(wire: object) -> None:
        while True:
            await wire.head()  # type: ignore[attr-defined]
            seen.append(max((held.count(b"INCOMING_REQUEST") for held in synced), default=0))
            await wire.send(OK)  # type: ignore[attr-defined]

    log = f'durability = "disk"\non_full = "{on_full}"'
    async with in_front_of(tmp_path, play, log=log) as (gateway, _):
        for _ in range(5):
            assert (await gateway.ask(request())).status == 200
    assert [count >= number for number, count in enumerate(seen, 1)] == [True] * 5


async def test_calls_at_the_same_time_share_a_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatewaylog.sinks import FileSink

    counted: list[int] = []
    sync = FileSink.sync

    def slow(sink: FileSink) -> str | None:
        counted.append(1)
        threading.Event().wait(0.02)
        return sync(sink)

    monkeypatch.setattr(FileSink, "sync", slow)
    async with in_front_of(tmp_path, answers(OK), log='durability = "disk"') as (gateway, _):
        asked = [gateway.ask(request()) for _ in range(40)]
        assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
        assert len(counted) < 20


@pytest.mark.parametrize(("on_full", "status"), [("drop", 200), ("block", 200), ("refuse", 503)])
async def test_a_disk_that_does_not_take_it_refuses_where_that_is_wished(
    tmp_path: Path,
    on_full: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from gatewaylog.sinks import FileSink

    monkeypatch.setattr(FileSink, "sync", lambda _: "Input/output error")
    log = f'durability = "disk"\non_full = "{on_full}"'
    async with in_front_of(tmp_path, answers(OK), log=log) as (gateway, _):
        for _ in range(2):
            assert (await gateway.ask(request())).status == status
    said = f"can't bring {gateway.log.path} to the disk: Input/output error"
    assert capsys.readouterr().err.count(said) == 1
