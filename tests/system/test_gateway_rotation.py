"""A gateway with several workers rotates its log while it serves: no exchange is missing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gatewaylog.cli import run
from gatewaylog.reader import entries
from gatewaylog.sinks.rotation import rotated_from
from tests.gateway.upstream.scripted import Backend, answers
from tests.http_client import request
from tests.logged import assert_linked, whole_events
from tests.running import api, launched, toml, url_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LOG = 'max_size = "64KiB"\ncompress = "gz"'


async def test_no_exchange_of_two_workers_is_missing_over_rotations(tmp_path: Path) -> None:
    async with Backend(answers(OK)) as backend:
        text = toml(tmp_path, api(url_of(backend)), server="workers = 2", log=LOG)
        async with launched(tmp_path, text) as gateway:

            async def calls() -> None:
                async with gateway.client() as client:
                    for _ in range(100):
                        assert (await client.ask(request())).status == 200

            await asyncio.gather(*(calls() for _ in range(8)))
            assert await gateway.stop() == 0
            path = gateway.log.path
    logs = [path, *(file for _, file in rotated_from(path))]
    assert len(logs) > 5
    events = whole_events(b"".join(entry.raw + b"\n" for entry in entries(logs)))
    assert len(events) == 1600
    assert_linked(events)
    assert run(["verify", *map(str, logs)]) == 0
