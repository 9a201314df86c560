"""`gatewaylog serve` with `[[ship]]`: shippers beside the workers, and never in their way."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.http_client import request
from tests.running import api, launched, toml, until
from tests.ship.counterparts import Counterpart, LokiStore, listening
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Process

pytestmark = pytest.mark.system


@pytest.fixture
def store() -> LokiStore:
    return LokiStore()


@pytest.fixture
def loki(store: LokiStore) -> Iterator[Counterpart]:
    with listening(store.take) as found:
        yield found


def shipping(folder: Path, url: str, name: str = "state") -> str:
    return f'[[ship]]\nto = "loki"\nurl = "{url}"\nstate = "{folder}/{name}"\n'


def shippers(gateway: Process) -> list[int]:
    """The processes of shippers, children of any thread of the gateway's first process."""
    threads = Path(f"/proc/{gateway.process.pid}/task").iterdir()
    found = [int(pid) for thread in threads for pid in _text(thread / "children").split()]
    return [pid for pid in found if b"gatewaylog.ship" in _text(Path(f"/proc/{pid}/cmdline"))]


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@pytest.mark.parametrize("workers", [1, 2])
async def test_calls_reach_loki_and_the_last_ones_before_the_end(
    tmp_path: Path, store: LokiStore, loki: Counterpart, workers: int
) -> None:
    async with StrictBackend() as backend:
        text = toml(
            tmp_path,
            api(backend.url),
            shipping(tmp_path, loki.url),
            server=f"workers = {workers}",
        )
        async with launched(tmp_path, text) as gateway:
            await gateway.ask(request())
            await until(lambda: len(store.lines) == 2)
            await gateway.ask(request())
            assert await gateway.stop() == 0
    assert len(store.lines) == 4
    assert sorted(store.lines) == sorted((tmp_path / "api.log").read_text().splitlines())


async def test_a_shipper_ends_with_a_gateway_that_is_killed(
    tmp_path: Path, loki: Counterpart
) -> None:
    text = toml(tmp_path, shipping(tmp_path, loki.url), server="workers = 2")
    async with launched(tmp_path, text) as gateway:
        await until(lambda: shippers(gateway))
        (pid,) = shippers(gateway)
        gateway.signal(signal.SIGKILL)
        await until(lambda: b"gatewaylog.ship" not in _text(Path(f"/proc/{pid}/cmdline")))


@pytest.mark.parametrize("workers", [1, 2])
async def test_sighup_brings_other_shippers(
    tmp_path: Path, store: LokiStore, loki: Counterpart, workers: int
) -> None:
    other = LokiStore()
    with listening(other.take) as second:
        text = toml(tmp_path, server=f"workers = {workers}")
        async with launched(tmp_path, text) as gateway:
            assert shippers(gateway) == []
            gateway.config.write_text(text + shipping(tmp_path, loki.url))
            gateway.signal(signal.SIGHUP)
            await until(lambda: len(shippers(gateway)) == 1)
            first = shippers(gateway)
            await gateway.ask(request(target=b"/nowhere"))
            await until(lambda: len(store.lines) == 1)
            gateway.config.write_text(text + shipping(tmp_path, second.url))
            gateway.signal(signal.SIGHUP)
            await until(lambda: shippers(gateway) not in ([], first))
            await gateway.ask(request(target=b"/nowhere"))
            await until(lambda: len(other.lines) == 1)
            gateway.config.write_text(text)
            gateway.signal(signal.SIGHUP)
            await until(lambda: shippers(gateway) == [])
            assert await gateway.stop() == 0
    assert len(store.lines) == 1


async def test_a_shipper_that_is_killed_is_told_of(tmp_path: Path, loki: Counterpart) -> None:
    text = toml(tmp_path, shipping(tmp_path, loki.url))
    async with launched(tmp_path, text) as gateway:
        await until(lambda: shippers(gateway))
        os.kill(shippers(gateway)[0], signal.SIGKILL)
        await gateway.says("shipping to loki ended with status -9; it begins again in 30 s")


async def test_a_destination_that_never_answers_delays_no_call_and_no_end(
    tmp_path: Path, loki: Counterpart
) -> None:
    loki.trouble.next = ["stall"] * 10_000
    async with StrictBackend() as backend:
        text = toml(tmp_path, api(backend.url), shipping(tmp_path, loki.url))
        async with launched(tmp_path, text) as gateway:
            for _ in range(20):
                assert (await gateway.ask(request())).status == 200
            await until(lambda: loki.met)
            async with asyncio.timeout(15):
                assert await gateway.stop() == 0
