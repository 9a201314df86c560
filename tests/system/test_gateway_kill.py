"""`kill -9` at a random moment under load: nothing reached a backend without its record."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from typing import TYPE_CHECKING

import pytest

from gatewaylog.events import IncomingRequest
from tests.http_client import request
from tests.logged import whole_events
from tests.running import api, launched, toml, until
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Process

pytestmark = pytest.mark.system
KILLS = int(os.environ.get("GATEWAYLOG_KILLS", "50"))
AT_ONCE = 5
CLIENTS = 12


async def call_until_it_dies(gateway: Process, client_number: int) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        async with gateway.client() as client:
            for number in range(1_000_000):
                target = b"/echo/%d-%d" % (client_number, number)
                body = b"x" * 2000 if number % 3 else b""
                await client.ask(request(target, method=b"PUT", body=body))


async def killed_once(folder: Path, number: int) -> int:
    """Kill a gateway under load; return how many requests its backend had got."""
    dice = random.Random(number)
    workers = f"workers = {dice.choice([1, 1, 2])}"
    async with (
        StrictBackend() as backend,
        launched(folder, toml(folder, api(backend.url), server=workers)) as gateway,
    ):
        load = [asyncio.create_task(call_until_it_dies(gateway, one)) for one in range(CLIENTS)]
        enough = dice.randrange(1, 400)
        await until(lambda: len(backend.requests) > enough, 30)
        os.killpg(gateway.process.pid, signal.SIGKILL)
        await gateway.exit()
        await asyncio.gather(*load)
    raw = gateway.log.raw()
    recorded = {
        event.request_in_url for event in whole_events(raw) if isinstance(event, IncomingRequest)
    }
    reached = {f"/echo{received.target.decode()}" for received in backend.requests}
    assert reached <= recorded, "a backend's call has no record"
    return len(reached)


async def test_no_call_reached_a_backend_without_its_whole_line(tmp_path: Path) -> None:
    """Every line but a part of one at the very end can be read: `whole_events` sees to it."""
    numbers = iter(range(KILLS))
    reached: list[int] = []

    async def kill() -> None:
        for number in numbers:
            folder = tmp_path / str(number)
            folder.mkdir()
            reached.append(await killed_once(folder, number))

    await asyncio.gather(*(kill() for _ in range(AT_ONCE)))
    assert len(reached) == KILLS
    assert min(reached) > 0
