"""The admin listener, of one worker and of several."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.http_client import Answer, Client, request
from tests.running import Process, api, launched, toml, until
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system
SERVER = 'admin = "127.0.0.1:0"\nworkers = {workers}'


async def asked(gateway: Process, path: str) -> Answer:
    """Ask the admin listener, on the address that it said."""
    mark = "health and metrics on http://127.0.0.1:"
    await gateway.says(mark)
    said = next(line for line in gateway.said if mark in line)
    async with asyncio.timeout(10), Client(int(said.partition(mark)[2])) as client:
        return await client.ask(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())


async def metrics(gateway: Process) -> dict[str, float]:
    answer = await asked(gateway, "/metrics")
    assert answer.value(b"content-type") == b"text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def until_counted(gateway: Process, name: str, count: int) -> dict[str, float]:
    """Wait for a figure: workers pin theirs up once a second."""
    async with asyncio.timeout(10):
        while (seen := await metrics(gateway)).get(name) != count:
            await asyncio.sleep(0.05)
    return seen


@pytest.mark.parametrize("workers", [1, 2])
async def test_what_happened_is_counted_over_all_workers(tmp_path: Path, workers: int) -> None:
    server = SERVER.format(workers=workers)
    async with (
        StrictBackend() as backend,
        launched(tmp_path, toml(tmp_path, api(backend.url), server=server)) as gateway,
    ):
        for _ in range(6):
            assert (await gateway.ask(request())).status == 200
        assert (await gateway.ask(b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")).status == 404
        label = 'api="acme--Echo:v1.0.0"'
        name = f'gatewaylog_events_total{{event="REQUEST_COMPLETE",{label}}}'
        seen = await until_counted(gateway, name, 6)
        errors = 'gatewaylog_errors_total{api="",source="main",code="404"}'
        seen = await until_counted(gateway, errors, 1)
        assert seen[f'gatewaylog_answers_total{{{label},status="200"}}'] == 6
        assert seen[f"gatewaylog_exchange_duration_seconds_count{{{label}}}"] == 6
        assert seen[f'gatewaylog_exchange_duration_seconds_bucket{{{label},le="+Inf"}}'] == 6
        assert (seen["gatewaylog_workers"], seen["gatewaylog_log_lost_total"]) == (workers, 0)
        assert seen["gatewaylog_exchanges_in_progress"] == 0


@pytest.mark.parametrize("workers", [1, 2])
async def test_health_tells_whether_calls_are_taken(tmp_path: Path, workers: int) -> None:
    server = SERVER.format(workers=workers)
    async with launched(tmp_path, toml(tmp_path, server=server)) as gateway:
        assert (await asked(gateway, "/health/live")).status == 200

        async with asyncio.timeout(10):
            while (await asked(gateway, "/health/ready")).status != 200:
                await asyncio.sleep(0.05)
        assert (await asked(gateway, "/elsewhere")).status == 404


async def test_an_admin_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    server = SERVER.format(workers=2)
    async with launched(tmp_path, toml(tmp_path, server=server)) as gateway:
        await until(lambda: len(gateway.workers()) == 3)
        admin = max(gateway.workers())  # started last
        os.kill(admin, signal.SIGKILL)
        await gateway.says(f"worker {admin} ended with status -9")
        await until(lambda: len(gateway.workers()) == 3)
        assert (await asked(gateway, "/health/live")).status == 200
        assert await gateway.stop() == 0


async def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    server = SERVER.format(workers=2)
    async with launched(tmp_path, toml(tmp_path, server=server)) as gateway:
        await until(lambda: len(gateway.workers()) == 3)
        gateway.signal(signal.SIGKILL)
        assert await gateway.exit() == -9
        await until(lambda: gateway.workers_left() == [])
        assert sum("the parent of this worker is gone" in line for line in gateway.said) == 2
