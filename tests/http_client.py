"""An HTTP/1.1 client that sends whatever bytes a test wants, and reads answers strictly."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

PATIENCE = 10.0
_BODILESS = {204, 304}


@dataclass
class Answer:
    """A response as it came."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    version: bytes = b"HTTP/1.1"
    pieces: list[bytes] = field(default_factory=list)  # the chunks, where it came in chunks
    interim: list[int] = field(default_factory=list)  # 1xx before it

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]

    def value(self, name: bytes) -> bytes | None:
        found = self.values(name)
        assert len(found) < 2, found
        return found[0] if found else None


class Client:
    """One connection to the gateway: `where` is a port of 127.0.0.1 or a socket's path."""

    def __init__(self, where: int | str, *, tls: ssl.SSLContext | None = None) -> None:
        self._where = where
        self._tls = tls

    async def __aenter__(self) -> Self:
        if isinstance(self._where, str):
            opening = asyncio.open_unix_connection(self._where, limit=2**20)
        else:
            name = "localhost" if self._tls else None
            opening = asyncio.open_connection(
                "127.0.0.1", self._where, ssl=self._tls, server_hostname=name, limit=2**20
            )
        self.reader, self.writer = await opening
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Leave with RST."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def ask(self, request: bytes) -> Answer:
        """Send a whole request and read its answer."""
        await self.send(request)
        return await self.answer(head_only=request.startswith(b"HEAD "))

    async def line(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(b"\r\n")

    async def exactly(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        """Read until the gateway closes."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read(-1)

    async def answer(self, *, head_only: bool = False) -> Answer:
        """Read the next final response whole."""
        interim = []
        while (answer := await self.head()).status < 200 and answer.status != 101:
            interim.append(answer.status)
        answer.interim = interim
        length, coding = answer.value(b"content-length"), answer.value(b"transfer-encoding")
        assert length is None or coding is None
        if head_only or answer.status in _BODILESS or answer.status == 101:
            return answer
        if coding is not None:
            assert (answer.version, coding) == (b"HTTP/1.1", b"chunked")
            answer.pieces = await self._chunks()
            answer.body = b"".join(answer.pieces)
        elif length is not None:
            answer.body = await self.exactly(int(length))
        else:
            answer.body = await self.rest()
        return answer

    async def head(self) -> Answer:
        """Read one head, be it final or interim."""
        version, status, _ = (await self.line()).split(b" ", 2)
        headers = []
        while (line := await self.line()) != b"\r\n":
            name, colon, value = line[:-2].partition(b": ")
            assert colon, line
            headers.append((name, value))
        return Answer(int(status), headers, version=version)

    async def chunk(self) -> bytes:
        size = int((await self.line()).removesuffix(b"\r\n"), 16)
        piece = await self.exactly(size)
        assert await self.line() == b"\r\n"
        return piece

    async def _chunks(self) -> list[bytes]:
        pieces = []
        while piece := await self.chunk():
            pieces.append(piece)
        return pieces


def request(
    target: bytes = b"/echo",
    *lines: bytes,
    method: bytes = b"GET",
    host: bytes = b"gw.example",
    body: bytes = b"",
) -> bytes:
    """A request's bytes: Host first, then `lines`, then a Content-Length where there is a body."""
    head = [b"%b %b HTTP/1.1" % (method, target), b"Host: " + host, *lines]
    if body:
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*head, b"", body])
