"""Backends behind TLS and behind Unix sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import trustme

from gatewaylog.exceptions import ConnectError, ConnectTimeout
from gatewaylog.gateway.upstream import Origin
from tests.gateway.upstream.scripted import (
    HELLO,
    QUICK,
    Pieces,
    StartBackend,
    Wire,
    answers,
    assert_reused,
    get,
    whole,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.gateway.upstream import Engine
    from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_requests_go_through_tls(
    engine: Engine, backend: StartBackend, server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def play(wire: Wire) -> None:
        while True:
            await wire.head()
            await wire.chunks()
            await wire.send(HELLO)

    server = await backend(play, tls=server_tls)
    origin = replace(server.origin, tls=trusting)
    for _ in range(2):
        body = Pieces(b"a" * 100_000)
        assert await whole(await get(engine, origin, method=b"POST", body=body)) == b"hello"
    assert_reused(engine, server)


async def test_the_host_is_the_name_that_is_asked_for(
    engine: Engine, backend: StartBackend, server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    asked = []
    server_tls.sni_callback = lambda _object, name, _context: asked.append(name)
    server = await backend(answers(HELLO), tls=server_tls)
    origin = replace(server.origin, host="localhost", tls=trusting)
    assert await whole(await get(engine, origin)) == b"hello"
    assert asked == ["localhost"]


async def test_an_unknown_authority_is_a_connect_error(
    engine: Engine, backend: StartBackend, server_tls: ssl.SSLContext
) -> None:
    server = await backend(answers(HELLO), tls=server_tls)
    with pytest.raises(ConnectError):
        await get(engine, replace(server.origin, tls=ssl.create_default_context()))


async def test_another_name_in_the_certificate_is_a_connect_error(
    engine: Engine, backend: StartBackend, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    server = await backend(answers(HELLO), tls=context)
    with pytest.raises(ConnectError):
        await get(engine, replace(server.origin, tls=trusting))


async def test_plain_http_where_tls_is_expected_is_a_connect_error(
    engine: Engine, backend: StartBackend, trusting: ssl.SSLContext
) -> None:
    async def play(wire: Wire) -> None:
        await wire.some()
        await wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = await backend(play)
    with pytest.raises(ConnectError):
        await get(engine, replace(server.origin, tls=trusting))


async def test_a_handshake_that_stalls_is_a_connect_timeout(
    engine: Engine, backend: StartBackend, trusting: ssl.SSLContext
) -> None:
    async def play(wire: Wire) -> None:
        await wire.until_closed()

    server = await backend(play)
    with pytest.raises(ConnectTimeout):
        await get(
            engine, replace(server.origin, tls=trusting), timeouts=replace(QUICK, connect=0.1)
        )


async def test_requests_go_through_a_unix_socket(
    engine: Engine, backend: StartBackend, tmp_path: Path
) -> None:
    server = await backend(answers(HELLO), unix_path=str(tmp_path / "s"))
    for _ in range(2):
        assert await whole(await get(engine, server.origin)) == b"hello"
    assert_reused(engine, server)
    assert b"host: backend.example\r\n" in server.wires[0].raw


async def test_requests_go_through_tls_on_a_unix_socket(
    engine: Engine,
    backend: StartBackend,
    server_tls: ssl.SSLContext,
    trusting: ssl.SSLContext,
    tmp_path: Path,
) -> None:
    server = await backend(answers(HELLO), tls=server_tls, unix_path=str(tmp_path / "s"))
    origin = replace(server.origin, host="localhost", tls=trusting)
    assert await whole(await get(engine, origin)) == b"hello"


async def test_small_pieces_are_not_delayed_by_nagle(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers(HELLO))
    await whole(await get(ours, server.origin))
    (connections,) = ours._kept._resting.values()
    raw = connections[0]._transport.get_extra_info("socket")
    assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_an_ipv6_address_is_a_host(ours: HttptoolsEngine) -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HELLO)
        writer.close()

    try:
        server = await asyncio.start_server(play, "::1", 0)
    except OSError:
        pytest.skip("no IPv6 here")
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await whole(await get(ours, Origin(host="::1", port=port))) == b"hello"
