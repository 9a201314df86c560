"""Clients and backends that break off at random bytes: each exchange still ends exactly once.

GATEWAYLOG_ABORTS is how many clients, GATEWAYLOG_SEED what they do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.gateway.upstream.scripted import Backend
from tests.logged import assert_linked
from tests.running import api, running, toml, until, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.upstream.scripted import Wire
    from tests.http_client import Client
    from tests.running import Running

pytestmark = pytest.mark.system
CLIENTS = int(os.environ.get("GATEWAYLOG_ABORTS", "10000"))
SEED = int(os.environ.get("GATEWAYLOG_SEED", "20240229"))
AT_ONCE = 64
SHORT = """
retries = 1
suspend = 0.001
response_timeout = 0.25
idle_timeout = 0.25
"""
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CODES = {"101000", "101001", "101500", "101503", "101504", "101505", "101506", "400", "408"}


class Moody:
    """A backend that does what its dice tell, at random bytes."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    async def __call__(self, wire: Wire) -> None:
        while True:
            head = await wire.head()
            mood = self._dice.random()
            if mood < 0.05:
                return
            if mood < 0.06:
                await wire.until_closed()
            if mood < 0.09:
                wire.reset()
                return
            if mood < 0.6 and not await self._read(wire, head):
                return
            answer = self._answer()
            cut = self._dice.randrange(len(answer)) if self._dice.random() < 0.3 else len(answer)
            await wire.send(answer[:cut])
            if cut < len(answer):
                if self._dice.random() < 0.05:
                    await wire.until_closed()
                elif self._dice.random() < 0.3:
                    wire.reset()
                return

    async def _read(self, wire: Wire, head: bytes) -> bool:
        """Read the body, or a part of it and say False."""
        if self._dice.random() < 0.2:
            return b"GET" in head
        if b"chunked" in head:
            await wire.chunks()
        elif b"content-length: " in head:
            await wire.body(int(head.split(b"content-length: ")[1].split(b"\r")[0]))
        return True

    def _answer(self) -> bytes:
        body = self._dice.randbytes(self._dice.choice([0, 1, 100, 5000, 70_000]))
        match self._dice.randrange(5):
            case 0:
                chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
                return (
                    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"
                )
            case 1:
                return self._dice.randbytes(self._dice.randrange(1, 200))
            case _:
                return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


class Fickle:
    """A client that goes away at a random byte, in a random way."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._dice = random.Random(SEED * 1_000_003 + number)
        self.surely_seen = False  # what it sent can't have been lost with the connection

    async def call(self, gateway: Running) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with gateway.client() as client:
                await self._call(client)

    async def _call(self, client: Client) -> None:
        dice = self._dice
        sent = self._request()
        cut = dice.randrange(1, len(sent)) if dice.random() < 0.4 else len(sent)
        self.surely_seen = True
        await client.send(sent[:cut])
        way = dice.random()
        if cut < len(sent) and way < 0.01:
            await client.rest()  # the gateway's patience ends first
        elif way < 0.3:
            self.surely_seen = False
            client.reset()
        elif way < 0.6:
            await self._read_some(client)
        elif cut == len(sent):
            await client.answer()

    async def _read_some(self, client: Client) -> None:
        async with asyncio.timeout(0.01):
            with contextlib.suppress(TimeoutError):
                await client.reader.read(self._dice.randrange(1, 100_000))
        if self._dice.random() < 0.5:
            client.reset()

    def _request(self) -> bytes:
        dice = self._dice
        line = b"%%b /echo/%d HTTP/1.1\r\nHost: a\r\n" % self.number
        body = dice.randbytes(dice.choice([1, 100, 5000, 100_000]))
        match dice.randrange(4):
            case 0:
                pieces = [body[:50], body[50:]]
                chunks = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces if one)
                return line % b"PUT" + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
            case 1:
                return line % b"POST" + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            case _:
                return line % b"GET" + b"\r\n"


async def test_every_exchange_ends_exactly_once_whoever_breaks_off(tmp_path: Path) -> None:
    clients = [Fickle(number) for number in range(CLIENTS)]
    async with Backend(Moody(random.Random(SEED))) as backend:
        text = toml(tmp_path, api(url_of(backend), more=SHORT), server="client_timeout = 0.5")
        async with running(text) as gateway:
            waiting = iter(clients)

            async def work() -> None:
                for client in waiting:
                    await client.call(gateway)

            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
            await until(lambda: not gateway.tasks and not gateway.server.server_state.connections)
            events = gateway.log.events()
        await until(lambda: all(wire.writer.transport.is_closing() for wire in backend.wires))
    assert_linked(events)
    ends = gateway.log.terminals()
    surely = sum(client.surely_seen for client in clients)
    assert surely <= len(ends) <= CLIENTS
    numbers = Counter(event.request_in_url for event in gateway.log.incoming())
    assert max(numbers.values()) == 1
    codes = {error.error_code for error in gateway.log.errors()}
    assert codes <= CODES
    if CLIENTS >= 5000:
        assert codes >= CODES - {"101500", "101503"}
        outcomes = {event.outcome for event in ends}
        assert outcomes == {"complete", "client_abort", "upstream_abort", "timeout"}
