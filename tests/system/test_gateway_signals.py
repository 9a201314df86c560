"""The gateway's processes and their signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from gatewaylog.events import RequestComplete
from tests.gateway.upstream.scripted import Backend
from tests.http_client import request
from tests.logged import assert_linked, whole_events
from tests.running import api, launched, toml, until, url_of
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.upstream.scripted import Wire
    from tests.running import Process

pytestmark = pytest.mark.system
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Held:
    """Answers a request when it is released."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def __call__(self, wire: Wire) -> None:
        await wire.head()
        await self.release.wait()
        await wire.send(OK)


async def test_sigterm_lets_a_running_exchange_finish_and_exits_0(tmp_path: Path) -> None:
    held = Held()
    async with (
        Backend(held) as backend,
        launched(tmp_path, toml(tmp_path, api(url_of(backend)))) as gateway,
        gateway.client() as client,
    ):
        await client.send(request())
        await until(lambda: backend.wires and backend.wires[0].raw)
        gateway.signal(signal.SIGTERM)
        await until(lambda: not accepts(gateway.where))
        held.release.set()
        answer = await client.answer()
        assert (answer.status, answer.body) == (200, b"ok")
        assert await gateway.exit() == 0
    assert gateway.log.complete().outcome == "complete"


def accepts(where: int | str) -> bool:
    assert isinstance(where, int)
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", where)) == 0


async def test_sigterm_ends_what_is_not_finished_in_time_with_503_and_its_event(
    tmp_path: Path,
) -> None:
    async with (
        Backend(Held()) as backend,
        launched(tmp_path, toml(tmp_path, api(url_of(backend)), server="drain = 0.2")) as gateway,
        gateway.client() as client,
    ):
        await client.send(request())
        await until(lambda: backend.wires and backend.wires[0].raw)
        gateway.signal(signal.SIGTERM)
        answer = await client.answer()
        assert answer.status == 503
        assert b'"code":"101507"' in answer.body
        assert await gateway.exit() == 0
    error = gateway.log.error()
    assert (error.error_source, error.error_code, error.status_code) == ("fault", "101507", 503)
    assert error.outcome == "shutdown"


async def test_an_answer_that_is_not_over_in_time_ends_with_its_event(tmp_path: Path) -> None:
    async def endless(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
        await wire.until_closed()

    async with (
        Backend(endless) as backend,
        launched(tmp_path, toml(tmp_path, api(url_of(backend)), server="drain = 0.2")) as gateway,
        gateway.client() as client,
    ):
        await client.send(request())
        assert (await client.head()).status == 200
        assert await client.chunk() == b"x"
        gateway.signal(signal.SIGTERM)
        assert await client.rest() == b""
        assert await gateway.exit() == 0
    complete = gateway.log.complete()
    assert (complete.status_code, complete.outcome) == (200, "shutdown")


async def test_a_second_sigterm_ends_at_once_and_still_with_the_events(tmp_path: Path) -> None:
    async with (
        Backend(Held()) as backend,
        launched(tmp_path, toml(tmp_path, api(url_of(backend)), server="drain = 60")) as gateway,
        gateway.client() as client,
    ):
        await client.send(request())
        await until(lambda: backend.wires and backend.wires[0].raw)
        gateway.signal(signal.SIGTERM)
        await until(lambda: not accepts(gateway.where))
        gateway.signal(signal.SIGTERM)
        assert await gateway.exit() == 0
    assert gateway.log.error().outcome == "shutdown"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_gateway_stops_at_once_with_status_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with (
        StrictBackend() as backend,
        launched(tmp_path, toml(tmp_path, api(backend.url))) as gateway,
        gateway.client() as client,
    ):
        assert (await client.ask(request())).status == 200
        gateway.signal(number)
        assert await gateway.exit() == 0
        assert await client.rest() == b""
    assert all("Traceback" not in line for line in gateway.said)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1])
async def test_a_signal_in_the_first_moment_is_not_lost_and_does_no_harm(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with (
        StrictBackend() as backend,
        launched(tmp_path, toml(tmp_path, api(backend.url))) as gateway,
    ):
        gateway.signal(number)  # it has said where it listens, and serves nothing yet
        if number is signal.SIGHUP:
            await gateway.says("serving by the new configuration")
        if number is not signal.SIGTERM:
            assert (await gateway.ask(request())).status == 200
            gateway.signal(signal.SIGTERM)
        assert await gateway.exit() == 0


async def test_sighup_serves_new_exchanges_by_the_new_configuration(tmp_path: Path) -> None:
    held = Held()
    async with (
        Backend(held) as slow,
        StrictBackend() as other,
        launched(tmp_path, toml(tmp_path, api(url_of(slow)))) as gateway,
        gateway.client() as client,
    ):
        await client.send(request())
        await until(lambda: slow.wires and slow.wires[0].raw)
        fresh = api(other.url) + api(other.url, name="New", context="/new")
        gateway.config.write_text(toml(tmp_path, fresh))
        gateway.signal(signal.SIGHUP)
        await gateway.says("serving by the new configuration")
        assert (await gateway.ask(request(b"/new/x"))).status == 200
        assert (await gateway.ask(request())).status == 200
        held.release.set()
        assert (await client.answer()).body == b"ok"  # by the configuration it began with
        assert [received.target for received in other.requests] == [b"/x", b"/"]
        assert await gateway.stop() == 0
    assert_linked(gateway.log.events())
    assert [event.api for event in gateway.log.incoming()] == [
        "acme--Echo:v1.0.0",
        "acme--New:v1.0.0",
        "acme--Echo:v1.0.0",
    ]


async def test_sighup_with_a_bad_configuration_changes_nothing(tmp_path: Path) -> None:
    async with (
        StrictBackend() as backend,
        launched(tmp_path, toml(tmp_path, api(backend.url))) as gateway,
    ):
        gateway.config.write_text(toml(tmp_path, api(backend.url, more='blokked = "x"')))
        gateway.signal(signal.SIGHUP)
        await gateway.says("the configuration stays as it was")
        assert any("api[0].blokked" in line for line in gateway.said)
        assert (await gateway.ask(request())).status == 200
        assert await gateway.stop() == 0


async def test_sighup_moves_the_log(tmp_path: Path) -> None:
    async with (
        StrictBackend() as backend,
        launched(tmp_path, toml(tmp_path, api(backend.url))) as gateway,
    ):
        await gateway.ask(request(b"/echo/1"))
        (tmp_path / "other").mkdir()
        gateway.config.write_text(toml(tmp_path / "other", api(backend.url)))
        gateway.signal(signal.SIGHUP)
        await gateway.says("serving by the new configuration")
        await gateway.ask(request(b"/echo/2"))
        assert await gateway.stop() == 0
    first, second = (folder / "api.log" for folder in (tmp_path, tmp_path / "other"))
    for path, target in ((first, "/echo/1"), (second, "/echo/2")):
        events = whole_events(path.read_bytes())
        assert_linked(events)
        assert {event.request_in_url for event in events} == {target}


async def ask_often(gateway: Process, client_count: int, stop: asyncio.Event) -> int:
    """Have clients call on kept connections until they are stopped; return how often."""
    answered = 0

    async def one() -> None:
        nonlocal answered
        while not stop.is_set():
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                async with gateway.client() as client:
                    for _ in range(20):
                        assert (await client.ask(request())).status == 200
                        answered += 1

    await asyncio.gather(*(one() for _ in range(client_count)))
    return answered


async def test_workers_share_a_file_without_a_torn_line_and_reopen_it_together(
    tmp_path: Path,
) -> None:
    async with (
        StrictBackend() as backend,
        launched(tmp_path, toml(tmp_path, api(backend.url), server="workers = 2")) as gateway,
    ):
        stop = asyncio.Event()
        load = asyncio.create_task(ask_often(gateway, 8, stop))
        path, old = gateway.log.path, tmp_path / "api.log.1"
        await until(lambda: len(writers(gateway.log.raw())) == 2)
        path.rename(old)
        gateway.signal(signal.SIGUSR1)
        await until(lambda: path.exists() and len(writers(gateway.log.raw())) == 2)
        moved = old.read_bytes()
        stop.set()
        answered = await load
        assert await gateway.stop() == 0
    assert old.read_bytes() == moved
    events = whole_events(moved) + gateway.log.events()
    assert_linked(events)
    assert sum(isinstance(event, RequestComplete) for event in events) >= answered


def writers(raw: bytes) -> set[bytes]:
    """The workers that wrote lines, by the prefix's thread."""
    return {line.split(b"][")[1].split(b"]")[0] for line in raw.split(b"\n")[:-1]}


async def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    async with (
        StrictBackend() as backend,
        launched(tmp_path, toml(tmp_path, api(backend.url), server="workers = 2")) as gateway,
    ):
        await until(lambda: len(gateway.workers()) == 2)
        assert (await gateway.ask(request())).status == 200
        first, second = gateway.workers()
        os.kill(first, signal.SIGKILL)
        await gateway.says(f"worker {first} ended with status -9")
        await until(lambda: len(gateway.workers()) == 2 and first not in gateway.workers())
        assert second in gateway.workers()
        stop = asyncio.Event()
        load = asyncio.create_task(ask_often(gateway, 4, stop))
        fresh = next(pid for pid in gateway.workers() if pid != second)
        await until(lambda: any(str(fresh).encode() in one for one in writers(gateway.log.raw())))
        stop.set()
        await load
        assert await gateway.stop() == 0
    assert gateway.workers_left() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_workers_drain_and_the_parent_exits_0(tmp_path: Path, number: signal.Signals) -> None:
    """A terminal's interrupt goes to parent and workers alike, and still counts once."""
    held = Held()
    async with (
        Backend(held) as backend,
        launched(
            tmp_path, toml(tmp_path, api(url_of(backend)), server="workers = 2\ndrain = 30")
        ) as gateway,
        gateway.client() as client,
    ):
        await client.send(request())
        await until(lambda: backend.wires and backend.wires[0].raw)
        if number is signal.SIGINT:
            os.killpg(gateway.process.pid, number)
        else:
            gateway.signal(number)
        await until(lambda: not accepts(gateway.where))
        held.release.set()
        assert (await client.answer()).body == b"ok"
        assert await gateway.exit() == 0
    assert gateway.log.complete().outcome == "complete"


async def test_workers_reload_and_those_started_later_have_the_new_configuration(
    tmp_path: Path,
) -> None:
    async with (
        StrictBackend() as backend,
        launched(tmp_path, toml(tmp_path, api(backend.url), server="workers = 2")) as gateway,
    ):
        fresh = api(backend.url) + api(backend.url, name="New", context="/new")
        gateway.config.write_text(toml(tmp_path, fresh, server="workers = 2"))
        gateway.signal(signal.SIGHUP)
        mark = "serving by the new configuration"
        await until(lambda: sum(mark in line for line in gateway.said) == 2)
        for pid in gateway.workers():
            os.kill(pid, signal.SIGKILL)
        await until(lambda: sum("starting another" in line for line in gateway.said) == 2)
        assert (await gateway.ask(request(b"/new"))).status == 200
        gateway.config.write_text("nonsense")
        gateway.signal(signal.SIGHUP)
        await gateway.says("the configuration stays as it was")
        assert (await gateway.ask(request(b"/new"))).status == 200
        assert await gateway.stop() == 0


async def test_a_unix_socket_serves_until_the_gateway_stops(tmp_path: Path) -> None:
    path = f"{tmp_path}/gateway.sock"
    async with StrictBackend() as backend:
        text = toml(tmp_path, api(backend.url), listen=f'"unix:{path}"')
        for _ in range(2):  # what the first one left behind does not stop the second one
            async with launched(tmp_path, text) as gateway:
                assert gateway.where == path
                assert (await gateway.ask(request())).status == 200
                assert await gateway.stop() == 0
    assert len(gateway.log.completes()) == 2
