"""5,000 real requests, of a public web server's log, through the gateway to nginx."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pytest

from gatewaylog.events import IncomingRequest, RequestComplete
from tests.logged import assert_linked
from tests.requirements import fixture_file, program
from tests.running import api, launched, toml, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.running import Process

pytestmark = pytest.mark.system
NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    log_format target "$request_method $request_uri";
    access_log {folder}/nginx.log target;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000;
    server {{
        listen unix:{folder}/nginx.sock;
        location / {{ return 200 "here\\n"; }}
    }}
}}
"""


class Call(NamedTuple):
    """A request of the fixture."""

    method: str
    target: str
    agent: str | None
    referer: str | None

    def request(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: www.example"]
        if self.agent is not None:
            lines.append(f"User-Agent: {self.agent}")
        if self.referer is not None:
            lines.append(f"Referer: {self.referer}")
        return "\r\n".join([*lines, "", ""]).encode()


def real_calls() -> list[Call]:
    lines = fixture_file("real_requests.ndjson").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return [
        Call(one["method"], one["target"], one["user_agent"], one.get("referer")) for one in found
    ]


@contextlib.asynccontextmanager
async def nginx(folder: Path) -> AsyncIterator[str]:
    """Run nginx on a unix socket; yields its URL."""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder))
    process = await asyncio.create_subprocess_exec(
        program("nginx"), "-c", str(config), "-e", "stderr"
    )
    path = folder / "nginx.sock"
    try:
        await until(lambda: path.exists() or process.returncode is not None)
        assert process.returncode is None
        yield f"http+unix://{str(path).replace('/', '%2F')}"
    finally:
        process.terminate()
        await process.wait()


async def replay(gateway: Process, calls: Iterator[Call]) -> None:
    async with gateway.client() as client:
        for call in calls:
            answer = await client.ask(call.request())
            assert answer.status == 200
            assert answer.body == (b"" if call.method == "HEAD" else b"here\n")


async def test_every_real_request_is_served_and_its_two_lines_tell_it_as_it_was(
    tmp_path: Path,
) -> None:
    calls = real_calls()
    async with (
        nginx(tmp_path) as url,
        launched(tmp_path, toml(tmp_path, api(url, context="/"), server="workers = 2")) as gateway,
    ):
        waiting = iter(calls)
        await asyncio.gather(*(replay(gateway, waiting) for _ in range(16)))
        assert await gateway.stop() == 0
    events = gateway.log.events()
    assert len(events) == 2 * len(calls) == 10_000
    assert_linked(events)
    sent = Counter((call.method, call.target, call.agent) for call in calls)
    for kind in (IncomingRequest, RequestComplete):
        told = Counter(
            (event.request_in_method, event.request_in_url, event.user_agent)
            for event in events
            if isinstance(event, kind)
        )
        assert told == sent
    reached = Counter((tmp_path / "nginx.log").read_text("utf-8").splitlines())
    assert reached == Counter(f"{call.method} {call.target}" for call in calls)
