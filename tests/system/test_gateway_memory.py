"""A body is never held: memory stays flat while one of a gigabyte goes up and down at once.

GATEWAYLOG_BODY is how many MiB.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.gateway.upstream.scripted import Backend
from tests.http_client import request
from tests.running import api, launched, toml, until, url_of

if TYPE_CHECKING:
    from tests.gateway.upstream.scripted import Wire
    from tests.http_client import Client

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
MIB = 1024 * 1024
SIZE = int(os.environ.get("GATEWAYLOG_BODY", "1024")) * MIB
MOST = 32 * MIB
PIECE = b"x" * MIB


def peak(pid: int) -> int:
    """The most bytes of memory that the process ever had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


async def there_and_back(wire: Wire) -> None:
    """Send as much as is received, at the same time."""
    head = await wire.head()
    if b"GET" in head:
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        return
    await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % SIZE)
    received = 0
    while received < SIZE:
        data = await wire.reader.read(4 * MIB)
        assert data
        received += len(data)
        wire.writer.write(data)
        await wire.writer.drain()


async def upload(client: Client) -> None:
    await client.send(
        request(b"/echo", b"Content-Length: %d" % SIZE, method=b"PUT"),
        *(PIECE for _ in range(SIZE // MIB)),
    )


async def download(client: Client) -> int:
    assert (await client.head()).status == 200
    received = 0
    while received < SIZE:
        received += len(await client.reader.read(4 * MIB))
    return received


async def test_a_large_body_goes_up_and_down_at_once_in_flat_memory(tmp_path: Path) -> None:
    server = 'max_body = "2GiB"'
    async with Backend(there_and_back) as backend:
        text = toml(tmp_path, api(url_of(backend)), server=server)
        async with launched(tmp_path, text) as gateway, gateway.client() as client:
            assert (await gateway.ask(request())).status == 200
            before = peak(gateway.process.pid)
            _, received = await asyncio.gather(upload(client), download(client))
            assert received == SIZE
            await until(lambda: len(gateway.log.completes()) == 2)
            grown = peak(gateway.process.pid) - before
            assert await gateway.stop() == 0
    assert grown < MOST
    complete = gateway.log.completes()[1]
    assert (complete.bytes_in, complete.bytes_out, complete.outcome) == (SIZE, SIZE, "complete")
