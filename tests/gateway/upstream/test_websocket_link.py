"""Sessions with a backend's WebSocket, for the gateway to relay."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from websockets.asyncio.server import ServerConnection, serve, unix_serve

from gatewaylog.exceptions import (
    ConnectError,
    ConnectionClosed,
    ProtocolViolation,
    ResponseTimeout,
    SendError,
)
from gatewaylog.gateway.upstream import Headers, Origin, Timeouts
from gatewaylog.gateway.upstream.websocket import (
    HandshakeRefused,
    WebSocketClosed,
    WebSocketLink,
    connect,
)
from tests.gateway.upstream.scripted import (
    QUICK,
    StartBackend,
    Wire,
    answers_and_closes,
    answers_and_stays,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from websockets.typing import Subprotocol

    Session = Callable[[ServerConnection], Awaitable[None]]

LINES: Headers = [
    (b"host", b"backend.example:99"),
    (b"cookie", b"a=1"),
    (b"x-b", b"\xe4"),
    (b"cookie", b"b=2"),
]


async def echo(session: ServerConnection) -> None:
    async for message in session:
        await session.send(message)


@contextlib.asynccontextmanager
async def serving(session: Session, **options: Any) -> AsyncIterator[Origin]:
    async with serve(session, "127.0.0.1", 0, max_size=None, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield Origin(host="127.0.0.1", port=port)


async def opened(origin: Origin, subprotocols: list[str] | None = None) -> WebSocketLink:
    return await connect(origin, b"/a%2Fb?q=%20", LINES, subprotocols or [], QUICK)


async def test_text_and_bytes_go_both_ways() -> None:
    async with serving(echo) as origin:
        link = await opened(origin)
        for message in ("täxt", b"\0bytes", "", b""):
            await link.send(message)
            assert await link.receive() == message
        await link.close(1000, "done")


async def test_messages_up_to_16_mib_arrive_whole() -> None:
    async with serving(echo) as origin:
        link = await opened(origin)
        await link.send(bytes(16 * 1024 * 1024))
        assert len(await link.receive()) == 16 * 1024 * 1024
        await link.close()


async def test_the_handshake_has_the_given_target_and_lines_and_nothing_of_its_own(
    backend: StartBackend,
) -> None:
    server = await backend(answers_and_stays(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"))
    hop: Headers = [(b"connection", b"upgrade"), (b"upgrade", b"websocket")]
    own: Headers = [(b"sec-websocket-key", b"x"), (b"Sec-WebSocket-Extensions", b"x")]
    with pytest.raises(HandshakeRefused):
        await connect(server.origin, b"/a%2Fb?q=%20", [*hop, *LINES, *own], ["one", "two"], QUICK)
    lines = bytes(server.wires[0].raw).split(b"\r\n")
    assert lines[:5] == [
        b"GET /a%2Fb?q=%20 HTTP/1.1",
        b"host: backend.example:99",
        b"cookie: a=1",
        b"x-b: \xe4",
        b"cookie: b=2",
    ]
    names = [line.partition(b":")[0].lower() for line in lines[5:] if line]
    assert sorted(names) == [
        b"connection",
        b"sec-websocket-key",
        b"sec-websocket-protocol",
        b"sec-websocket-version",
        b"upgrade",
    ]


async def test_the_subprotocol_and_the_lines_of_the_answer_are_told() -> None:
    offered: list[Subprotocol] = ["two"]  # type: ignore[list-item]  # a NewType of str
    async with serving(echo, subprotocols=offered) as origin:
        link = await opened(origin, ["one", "two"])
        assert link.subprotocol == "two"
        assert (b"sec-websocket-protocol", b"two") in link.headers
        assert all(name == name.lower() for name, _ in link.headers)
        await link.close()


async def test_no_compression_is_negotiated() -> None:
    async with serving(echo, compression="deflate") as origin:
        link = await opened(origin)
        assert not any(name == b"sec-websocket-extensions" for name, _ in link.headers)
        await link.close()


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "going"), (4321, "mine ü")])
async def test_the_backends_close_is_told_with_its_code(code: int, reason: str) -> None:
    async def session(server: ServerConnection) -> None:
        await server.close(code, reason)

    async with serving(session) as origin:
        link = await opened(origin)
        for _ in range(2):
            with pytest.raises(WebSocketClosed) as caught:
                await link.receive()
            assert (caught.value.code, caught.value.reason) == (code, reason)
        with pytest.raises(WebSocketClosed):
            await link.send("late")


async def test_a_connection_that_breaks_is_told_as_1006() -> None:
    async def session(server: ServerConnection) -> None:
        server.transport.abort()

    async with serving(session) as origin:
        link = await opened(origin)
        with pytest.raises(WebSocketClosed) as caught:
            await link.receive()
        assert caught.value.code == 1006


@pytest.mark.parametrize(
    ("code", "reason", "seen"),
    [
        (4000, "mine", (4000, "mine")),
        (1005, "", (1000, "")),
        (1006, "", (1001, "")),
        (1000, "ü" * 100, (1000, "ü" * 61)),
    ],
)
async def test_our_close_reaches_the_backend(code: int, reason: str, seen: tuple[int, str]) -> None:
    ended: list[tuple[int | None, str | None]] = []

    async def session(server: ServerConnection) -> None:
        await server.wait_closed()
        ended.append((server.close_code, server.close_reason))

    async with serving(session) as origin:
        link = await opened(origin)
        await link.close(code, reason)
        await until(lambda: ended)
    assert ended == [seen]


async def test_pings_are_answered() -> None:
    async def session(server: ServerConnection) -> None:
        await (await server.ping())
        await server.send("ponged")

    async with serving(session) as origin:
        link = await opened(origin)
        assert await link.receive() == "ponged"
        await link.close()


async def test_a_refusal_is_handed_over_whole(backend: StartBackend) -> None:
    server = await backend(
        answers_and_closes(
            b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nwww-authenticate: Bearer\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n0\r\n\r\n"
        )
    )
    with pytest.raises(HandshakeRefused) as caught:
        await opened(server.origin)
    assert (caught.value.status, caught.value.body) == (401, b"nope")
    assert caught.value.headers == [
        (b"www-authenticate", b"Basic"),
        (b"www-authenticate", b"Bearer"),
        (b"transfer-encoding", b"chunked"),
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", ConnectionClosed),
        (b"HTTP/1.1 101 Switch", ConnectionClosed),
        (b"garbage\r\n\r\n", ProtocolViolation),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", ProtocolViolation),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            b"Sec-WebSocket-Accept: wrong\r\n\r\n",
            ProtocolViolation,
        ),
    ],
)
async def test_a_handshake_that_fails_is_an_upstream_error(
    backend: StartBackend, answer: bytes, expected: type[Exception]
) -> None:
    server = await backend(answers_and_closes(answer))
    with pytest.raises(expected):
        await opened(server.origin)


async def test_a_reset_instead_of_a_handshake_is_connection_closed(backend: StartBackend) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        wire.reset()

    server = await backend(play)
    with pytest.raises(ConnectionClosed):
        await opened(server.origin)


async def test_no_handshake_in_time_is_a_response_timeout(backend: StartBackend) -> None:
    server = await backend(answers_and_stays())
    with pytest.raises(ResponseTimeout):
        await connect(server.origin, b"/", LINES, [], Timeouts(response=0.1))
    await until(server.wires[0].closed.is_set)


async def test_no_connection_is_a_connect_error(tmp_path: Path) -> None:
    with pytest.raises(ConnectError):
        await opened(Origin(host="x", port=1, unix_path=str(tmp_path / "none")))


@pytest.mark.parametrize("target", [b"/\r\nx: y", b"/ b", b"/\0", b"/\xff"])
async def test_an_ambiguous_handshake_is_not_sent(backend: StartBackend, target: bytes) -> None:
    server = await backend(answers_and_stays())
    with pytest.raises(SendError):
        await connect(server.origin, target, LINES, [], QUICK)
    assert not any(wire.raw for wire in server.wires)


async def test_cancelling_the_handshake_closes_the_connection(backend: StartBackend) -> None:
    server = await backend(answers_and_stays())
    opening = asyncio.ensure_future(opened(server.origin))
    wire = await server.wire()
    await until(lambda: wire.raw)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await until(wire.closed.is_set)


async def test_sessions_go_through_tls_and_unix_sockets(tmp_path: Path) -> None:
    authority = trustme.CA()
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    path = str(tmp_path / "s")
    async with unix_serve(echo, path, ssl=server_tls):
        link = await opened(Origin(host="localhost", port=443, tls=trusting, unix_path=path))
        await link.send("hello")
        assert await link.receive() == "hello"
        await link.close()
