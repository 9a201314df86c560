"""A backend that reads requests more strictly than any server, and tells all that reached it.

What it can't read as exactly one request with exactly one framing is an offence: it is kept in
`offences`, answered by nothing, and fails the test.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINE = re.compile(rb"(%b) ([\x21-\x7e]+) HTTP/1\.1" % _TOKEN)
_FIELD = re.compile(rb"(%b): ?([^\x00-\x08\x0a-\x1f\x7f]*)" % _TOKEN)
_SIZE = re.compile(rb"([0-9a-f]{1,12})\r\n")
_LENGTH = re.compile(rb"[0-9]{1,16}")


class Offence(Exception):
    """Bytes that are not one request with one framing."""


@dataclass
class Received:
    """One request as it reached the backend."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    chunked: bool = False

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]

    def value(self, name: bytes) -> bytes | None:
        found = self.values(name)
        assert len(found) < 2, found
        return found[0] if found else None


Answering = Callable[[Received], Awaitable[bytes] | bytes]


def hello(_: Received) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


class StrictBackend:
    """Answers each request with the bytes that `answering` makes of it."""

    def __init__(self, answering: Answering = hello) -> None:
        self.answering = answering
        self.requests: list[Received] = []
        self.offences: list[str] = []
        self.broken_off = 0  # requests that ended in the middle: a client may do that
        self.connections = 0  # that are open now
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, limit=2**20)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
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
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if error is None:
            assert self.offences == []

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (received := await read_request(reader)) is not None:
                self.requests.append(received)
                made = self.answering(received)
                writer.write(made if isinstance(made, bytes) else await made)
                await writer.drain()
        except Offence as offence:
            self.offences.append(str(offence))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.broken_off += 1
        finally:
            self.connections -= 1
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> Received | None:
    """Read one request; None where the connection ends before it. Raises Offence."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    received = read_head(head)
    lengths, codings = received.values(b"content-length"), received.values(b"transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise Offence(f"more than one framing: {head!r}")
    if lengths:
        if not _LENGTH.fullmatch(lengths[0]):
            raise Offence(f"a length like {lengths[0]!r}")
        received.body = await reader.readexactly(int(lengths[0]))
    elif codings:
        if codings != [b"chunked"]:
            raise Offence(f"a coding like {codings[0]!r}")
        received.body = await _chunks(reader)
        received.chunked = True
    return received


def read_head(head: bytes) -> Received:
    """Read a head. Raises Offence where anything in it is not as it should be."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    request = _LINE.fullmatch(first)
    if request is None:
        raise Offence(f"a request line like {first!r}")
    headers = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Offence(f"a header line like {line!r}")
        headers.append((match[1], match[2]))
    received = Received(request[1], request[2], headers)
    if len(received.values(b"host")) != 1:
        raise Offence(f"not one Host: {head!r}")
    return received


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = _SIZE.fullmatch(line)
        if size is None:
            raise Offence(f"a chunk size like {line!r}")
        piece = await reader.readexactly(int(size[1], 16) + 2)
        if piece[-2:] != b"\r\n":
            raise Offence(f"a chunk that ends like {piece[-2:]!r}")
        if len(piece) == 2:
            return body
        body += piece[:-2]
