"""Backends that play a script byte by byte, and bodies that come piece by piece."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, Self

from gatewaylog.gateway.upstream import Origin, Timeouts
from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from gatewaylog.gateway.upstream import Engine, Headers, RequestBody, Response

HOST: Headers = [(b"host", b"backend.example")]
HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
QUICK = Timeouts(connect=30, response=30, idle=30)  # longer than PATIENCE: never passes
PATIENCE = 10.0


class Wire:
    """One accepted connection; `raw` is all that came on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.raw = bytearray()
        self.closed = asyncio.Event()  # by the engine

    async def head(self) -> bytes:
        return await self._took(self.reader.readuntil(b"\r\n\r\n"))

    async def body(self, length: int) -> bytes:
        return await self._took(self.reader.readexactly(length))

    async def chunks(self) -> bytes:
        return await self._took(self.reader.readuntil(b"0\r\n\r\n"))

    async def some(self) -> bytes:
        return await self._took(self.reader.read(65536))

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def until_closed(self) -> None:
        while await self.some():
            pass
        self.closed.set()

    def reset(self) -> None:
        """Close with RST, whatever is unread."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def _took(self, reading: Awaitable[bytes]) -> bytes:
        data = await reading
        self.raw += data
        return data


Play = Callable[[Wire], Awaitable[None]]


class StartBackend(Protocol):
    async def __call__(
        self, play: Play, *, tls: ssl.SSLContext | None = None, unix_path: str | None = None
    ) -> Backend: ...


class Backend:
    """Plays its script on every connection, then closes it."""

    def __init__(
        self, play: Play, *, tls: ssl.SSLContext | None = None, unix_path: str | None = None
    ) -> None:
        self.wires: list[Wire] = []
        self._play = play
        self._tls = tls
        self._unix_path = unix_path
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        if self._unix_path is None:
            self._server = await asyncio.start_server(
                self._accepted, "127.0.0.1", 0, ssl=self._tls, limit=2**20
            )
            port = self._server.sockets[0].getsockname()[1]
        else:
            self._server = await asyncio.start_unix_server(
                self._accepted, self._unix_path, ssl=self._tls
            )
            port = 1
        self.origin = Origin(host="127.0.0.1", port=port, unix_path=self._unix_path)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for wire in self.wires:
            with contextlib.suppress(AttributeError):  # asyncio's, where a close has just ended
                wire.writer.transport.abort()

    async def wire(self, number: int = 0) -> Wire:
        """Wait for the connection of that number."""
        await until(lambda: len(self.wires) > number)
        return self.wires[number]

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(Wire(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, wire: Wire) -> None:
        self.wires.append(wire)
        try:
            await self._play(wire)
        except (asyncio.IncompleteReadError, ConnectionError):
            wire.closed.set()
        finally:
            wire.writer.close()


def answers(*pieces: bytes) -> Play:
    """Answer each head with these pieces, on and on."""

    async def play(wire: Wire) -> None:
        while True:
            await wire.head()
            await wire.send(*pieces)

    return play


def answers_and_closes(*pieces: bytes) -> Play:
    """Answer one head with these pieces and close."""

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(*pieces)

    return play


def answers_and_stays(*pieces: bytes) -> Play:
    """Answer one head with these pieces and do nothing until the engine closes."""

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(*pieces)
        await wire.until_closed()

    return play


class Pieces:
    """A request body of these pieces. `reads` counts how often it was asked."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.reads = 0

    async def read(self) -> bytes:
        self.reads += 1
        return self._pieces.pop(0) if self._pieces else b""


class Tap:
    """A request body whose pieces the test hands in while it runs."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.asked = asyncio.Event()
        self.cancelled = False

    async def read(self) -> bytes:
        self.asked.set()
        try:
            piece = await self.queue.get()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if isinstance(piece, Exception):
            raise piece
        return piece


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


async def stands_still(amount: Callable[[], int]) -> None:
    """Wait until an amount has not changed for many turns of the loop."""
    turns = 0
    before = amount()
    while turns < 100:
        await asyncio.sleep(0.001)
        turns = turns + 1 if amount() == before else 0
        before = amount()


async def whole(response: Response) -> bytes:
    """Read a response to its end."""
    body = b""
    while piece := await response.read():
        body += piece
    assert response.finished
    await response.aclose()
    return body


async def get(
    engine: Engine,
    origin: Origin,
    *,
    method: bytes = b"GET",
    target: bytes = b"/",
    headers: Headers = HOST,
    body: RequestBody | None = None,
    timeouts: Timeouts = QUICK,
) -> Response:
    async with asyncio.timeout(PATIENCE):
        return await engine.send(origin, method, target, headers, body, timeouts)


def assert_reused(engine: Engine, server: Backend) -> None:
    """Assert that one connection carried all; httpx keeps none."""
    if isinstance(engine, HttptoolsEngine):
        assert len(server.wires) == 1
