"""The log on standard output: whole lines of several workers, and a reader that does not read."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.formats import Line, parse_line
from tests.http_client import request
from tests.running import api, launched, toml, until
from tests.strict_backend import StrictBackend
from tests.system.test_gateway_admin import asked, until_counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Process

pytestmark = pytest.mark.system
SERVER = 'admin = "127.0.0.1:0"\nworkers = {workers}'
LONG = request(b"/echo/" + b"a" * 3500, b"User-Agent: " + b"b" * 3000)
Ends = tuple[int, int]


def configured(folder: Path, backend: str, workers: int, log: str = "") -> str:
    text = toml(folder, api(backend), server=SERVER.format(workers=workers), log=log)
    return text.replace(f"{folder}/api.log", "-")


@pytest.fixture
def pipe() -> Iterator[Ends]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        os.close(fd)


class Output:
    """Reads what a gateway writes, as it comes."""

    def __init__(self, fd: int) -> None:
        self.raw = b""
        self._fd = fd
        os.set_blocking(fd, False)

    def read(self) -> bytes:
        try:
            while piece := os.read(self._fd, 65536):
                self.raw += piece
        except BlockingIOError:
            pass
        return self.raw

    async def keep(self) -> None:
        while True:
            self.read()
            await asyncio.sleep(0.01)


async def calls(gateway: Process, count: int) -> list[int]:
    return [(await gateway.ask(LONG)).status for _ in range(count)]


async def test_no_line_of_several_workers_is_torn(tmp_path: Path, pipe: Ends) -> None:
    output = Output(pipe[0])
    async with StrictBackend() as backend:
        text = configured(tmp_path, backend.url, 3)
        async with launched(tmp_path, text, output=pipe[1]) as gateway:
            reading = asyncio.create_task(output.keep())
            done = await asyncio.gather(*(calls(gateway, 25) for _ in range(8)))
            assert await gateway.stop() == 0
            reading.cancel()
    assert {status for statuses in done for status in statuses} == {200}
    lines = [parse_line(raw) for raw in output.read().splitlines()]
    assert len(lines) == 8 * 25 * 2
    assert all(isinstance(line, Line) for line in lines)
    assert max(map(len, output.raw.splitlines())) > 4096


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_reader_that_does_not_read_holds_up_nobody(
    tmp_path: Path, pipe: Ends, workers: int
) -> None:
    async with StrictBackend() as backend:
        text = configured(tmp_path, backend.url, workers)
        async with launched(tmp_path, text, output=pipe[1]) as gateway:
            while not any("nobody reads it" in line for line in gateway.said):
                assert set(await calls(gateway, 20)) == {200}
            assert (await asked(gateway, "/health/ready")).status == 200
            output = Output(pipe[0])
            reading = asyncio.create_task(output.keep())
            await until(lambda: b"LOG_LOSS" in output.raw)
            assert await gateway.stop() == 0
            reading.cancel()
    lines = [parse_line(raw) for raw in output.read().splitlines()]
    assert all(isinstance(line, Line) for line in lines)


async def test_calls_are_refused_while_nobody_reads(tmp_path: Path, pipe: Ends) -> None:
    async with StrictBackend() as backend:
        text = configured(tmp_path, backend.url, 1, 'on_full = "refuse"')
        async with launched(tmp_path, text, output=pipe[1]) as gateway:
            while 503 not in (seen := await calls(gateway, 20)):
                assert set(seen) == {200}
            assert set(await calls(gateway, 3)) == {503}
            reading = asyncio.create_task(Output(pipe[0]).keep())
            await until_counted(gateway, "gatewaylog_exchanges_in_progress", 0)
            while 200 not in await calls(gateway, 1):
                await asyncio.sleep(0.05)
            reading.cancel()


async def test_a_line_that_a_worker_is_killed_in_is_ended_and_counted(
    tmp_path: Path, pipe: Ends
) -> None:
    output = Output(pipe[0])
    async with StrictBackend() as backend:
        text = configured(tmp_path, backend.url, 2)
        async with launched(tmp_path, text, output=pipe[1]) as gateway:
            await until(lambda: len(gateway.workers()) == 3)
            worker = gateway.workers()[0]
            with Path(f"/proc/{worker}/fd/1").open("wb", buffering=0) as its:
                os.kill(worker, signal.SIGSTOP)
                its.write(b"a part")
                os.kill(worker, signal.SIGKILL)
            await gateway.says("killed in the middle of a line")
            await until_counted(gateway, "gatewaylog_log_lost_total", 1)
            assert (await gateway.ask(request())).status == 200
            assert await gateway.stop() == 0
    assert b"a part\n2" in output.read()
