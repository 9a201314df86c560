"""The gateway's application under granian, which frames requests its own way."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple

import pytest
import pytest_asyncio

from tests.http_client import Client, request
from tests.logged import Log, assert_linked
from tests.odd_requests import BROKEN, REFUSED, WHOLE
from tests.running import api, toml, until
from tests.strict_backend import StrictBackend
from tests.system.servers import Program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytest.importorskip("granian")
pytestmark = pytest.mark.system
COMMAND = [
    *("-m", "granian", "--interface", "asginl", "--port", "{port}", "--ws", "--no-log"),
    "tests.system.granian_gateway:app",
]


# What granian reads as one request that ends somewhere, RFC 9112 §6.3 or not; what comes behind is
# another request to it, and so to the gateway.
LENIENT = {
    "CL and TE",
    "TE and CL",
    "CL of zero and TE",
    "chunked before blanks",
    "a length before blanks",
    "one length twice",
    "bare LF line ends",
    "an absolute target for another host",
    "a method in lower case",
    "a huge line",
    "a chunk with a tab behind its size",
    "an extension with NUL",
    "a trailer with a bare LF",
}
SETTLED = [[b"/"], [b"/", b"/smuggled"]]


class Fronted(NamedTuple):
    """A gateway under granian before a backend that is strict."""

    port: int
    backend: StrictBackend
    log: Log


@pytest_asyncio.fixture
async def fronted(tmp_path: Path) -> AsyncIterator[Fronted]:
    config = tmp_path / "gateway.toml"
    async with StrictBackend() as backend:
        config.write_text(toml(tmp_path, api(backend.url)))
        with Program(COMMAND, tmp_path, {"GATEWAY_TOML": str(config)}) as program:
            yield Fronted(program.port, backend, Log(tmp_path / "api.log"))


async def said(port: int, sent: bytes) -> None:
    """Send all at once, and wait until all that is answered has been."""
    async with Client(port) as client:
        client.writer.write(sent)
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(0.25):
                while True:
                    await client.answer()


async def test_requests_are_forwarded_and_logged(fronted: Fronted) -> None:
    async with Client(fronted.port) as client:
        answer = await client.ask(request(b"/echo/a%2Fb?x", b"X-A: 1", method=b"PUT", body=b"abc"))
        assert (answer.status, answer.body) == (200, b"hello")
    received = fronted.backend.requests[0]
    assert (received.target, received.body) == (b"/a%2Fb?x", b"abc")
    await until(lambda: fronted.log.completes())
    assert fronted.log.complete().request_in_url == "/echo/a%2Fb?x"


async def test_a_client_that_leaves_ends_its_exchange(fronted: Fronted) -> None:
    never = asyncio.Event()

    async def stalled(_: object) -> bytes:
        await never.wait()
        return b""

    fronted.backend.answering = stalled
    async with Client(fronted.port) as client:
        await client.send(request())
        await until(lambda: fronted.backend.requests)
    await until(lambda: fronted.log.errors())
    assert fronted.log.error().error_code == "101000"


async def test_no_odd_request_reaches_a_backend_as_anything_but_one(fronted: Fronted) -> None:
    """What granian lets pass is checked again; what it settles is forwarded with one framing.

    The backend itself refuses what it can't read as exactly one request (`StrictBackend`).
    """
    for name, sent in {**REFUSED, **BROKEN}.items():
        before = len(fronted.backend.requests)
        await said(fronted.port, sent)
        reached = fronted.backend.requests[before:]
        targets = [received.target for received in reached]
        assert targets in (SETTLED if name in LENIENT else [[]]), name
    for name, (sent, body) in WHOLE.items():
        before = len(fronted.backend.requests)
        await said(fronted.port, sent)
        reached = fronted.backend.requests[before:]
        assert [received.body for received in reached] in ([], [body]), name
    await until(lambda: len(fronted.log.terminals()) == len(fronted.log.incoming()) > 10, 20)
    assert_linked(fronted.log.events())
