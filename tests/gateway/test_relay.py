"""WebSockets: opened, relayed both ways, closed by either side, refused, broken off."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
import trustme
import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.typing import Subprotocol

from tests.http_client import request
from tests.running import api, in_front_of, running, toml, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

    from tests.gateway.upstream.scripted import Wire
    from tests.running import Running

    Handler = Callable[[ServerConnection], Awaitable[None]]

UPGRADE = [
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]


async def echo(session: ServerConnection) -> None:
    async for message in session:
        await session.send(message)


@contextlib.asynccontextmanager
async def relaying(
    folder: Path, handler: Handler, *, server: str = "", **options: object
) -> AsyncIterator[tuple[Running, Server]]:
    """A gateway before a WebSocket server; options are those of websockets.serve."""
    async with serve(handler, "127.0.0.1", 0, **options) as backend:  # type: ignore[arg-type]
        port = next(iter(backend.sockets)).getsockname()[1]
        text = toml(folder, api(f"http://127.0.0.1:{port}/base"), server=server)
        async with running(text) as gateway:
            yield gateway, backend


def url(gateway: Running, target: str = "/echo") -> str:
    return f"ws://127.0.0.1:{gateway.where}{target}"


async def test_text_and_bytes_pass_both_ways(tmp_path: Path) -> None:
    async with relaying(tmp_path, echo) as (gateway, _):
        async with connect(url(gateway)) as session:
            for message in ("hällo", b"\x00\xff", "", b"", "x" * 200_000):
                await session.send(message)
                assert await session.recv() == message
        await gateway.ended()
    complete = gateway.log.complete()
    assert (complete.status_code, complete.outcome, complete.attempts) == (101, "complete", 1)
    assert (complete.bytes_in, complete.bytes_out) == (200_008, 200_008)


async def test_the_handshake_reaches_the_backend_like_any_request(tmp_path: Path) -> None:
    seen: list[Request] = []

    async def handler(session: ServerConnection) -> None:
        assert session.request is not None
        seen.append(session.request)

    async with relaying(tmp_path, handler) as (gateway, backend):
        target = "/echo/a%2Fb/%7e//x?q=%20&&"
        lines = {"X-Own": "1", "User-Agent": "test"}
        async with connect(url(gateway, target), additional_headers=lines) as session:
            await session.wait_closed()
        await gateway.ended()
    (handshake,) = seen
    assert handshake.path == "/base/a%2Fb/%7e//x?q=%20&&"
    assert handshake.headers["x-own"] == "1"
    assert handshake.headers["x-forwarded-for"] == "127.0.0.1"
    assert handshake.headers["via"] == "1.1 gatewaylog"
    port = next(iter(backend.sockets), None)
    assert port is None or handshake.headers["host"].startswith("127.0.0.1:")
    assert gateway.log.complete().request_in_url == target


async def test_a_bare_question_mark_and_a_root_target_stay_in_the_log(tmp_path: Path) -> None:
    async with relaying(tmp_path, echo) as (gateway, _):
        async with connect(url(gateway, "/echo")) as session, gateway.client() as client:
            await client.send(request(b"/echo/x?", *UPGRADE))
            assert (await client.head()).status == 101
            await session.close()
        await gateway.ended(2)
    assert {event.request_in_url for event in gateway.log.incoming()} == {"/echo", "/echo/x?"}


async def test_the_subprotocol_is_the_backends_choice(tmp_path: Path) -> None:
    offered = [Subprotocol(name) for name in "abc"]
    async with (
        relaying(tmp_path, echo, subprotocols=["b", "a"]) as (gateway, _),
        connect(url(gateway), subprotocols=offered) as session,
    ):
        assert session.subprotocol == "b"


async def test_no_subprotocol_is_none(tmp_path: Path) -> None:
    offered = [Subprotocol("a")]
    async with (
        relaying(tmp_path, echo) as (gateway, _),
        connect(url(gateway), subprotocols=offered) as session,
    ):
        assert session.subprotocol is None


async def test_header_lines_of_the_backends_answer_reach_the_client(tmp_path: Path) -> None:
    def cookies(_: ServerConnection, __: Request, response: Response) -> Response:
        response.headers["Set-Cookie"] = "a=1"
        response.headers["Set-Cookie"] = "b=2"
        return response

    async with (
        relaying(tmp_path, echo, process_response=cookies) as (gateway, _),
        connect(url(gateway)) as session,
    ):
        assert session.response is not None
        assert session.response.headers.get_all("set-cookie") == ["a=1", "b=2"]
        assert len(session.response.headers.get_all("sec-websocket-accept")) == 1


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "away"), (4321, "why not")])
async def test_the_backends_close_reaches_the_client_with_code_and_reason(
    tmp_path: Path, code: int, reason: str
) -> None:
    async def handler(session: ServerConnection) -> None:
        await session.close(code, reason)

    async with relaying(tmp_path, handler) as (gateway, _):
        async with connect(url(gateway)) as session:
            await session.wait_closed()
        await gateway.ended()
    assert (session.close_code, session.close_reason) == (code, reason)
    complete = gateway.log.complete()
    assert (complete.status_code, complete.outcome) == (101, "complete")


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "away"), (4321, "why not")])
async def test_the_clients_close_reaches_the_backend_with_code_and_reason(
    tmp_path: Path, code: int, reason: str
) -> None:
    closed: list[tuple[int | None, str | None]] = []

    async def handler(session: ServerConnection) -> None:
        await session.wait_closed()
        closed.append((session.close_code, session.close_reason))

    async with relaying(tmp_path, handler) as (gateway, _):
        async with connect(url(gateway)) as session:
            await session.close(code, reason)
        await gateway.ended()
        await until(lambda: closed)
    assert closed == [(code, reason)]


async def test_a_backend_that_vanishes_closes_with_1014(tmp_path: Path) -> None:
    async def handler(session: ServerConnection) -> None:
        session.transport.abort()
        await session.wait_closed()

    async with relaying(tmp_path, handler) as (gateway, _):
        async with connect(url(gateway)) as session:
            await session.wait_closed()
        await gateway.ended()
    assert session.close_code == 1014
    complete = gateway.log.complete()
    assert (complete.status_code, complete.outcome) == (101, "upstream_abort")


async def test_a_client_that_vanishes_ends_the_backends_session(tmp_path: Path) -> None:
    codes: list[int | None] = []

    async def handler(session: ServerConnection) -> None:
        await session.wait_closed()
        codes.append(session.close_code)

    async with relaying(tmp_path, handler) as (gateway, _):
        async with gateway.client() as client:
            await client.send(request(b"/echo", *UPGRADE))
            assert (await client.head()).status == 101
            client.reset()
        await gateway.ended()
        await until(lambda: codes)
    assert codes == [1001]
    complete = gateway.log.complete()
    assert (complete.status_code, complete.outcome) == (101, "client_abort")


async def test_a_handshake_that_the_backend_refuses_gets_the_backends_own_answer(
    tmp_path: Path,
) -> None:
    def no(session: ServerConnection, _: Request) -> Response:
        response = session.respond(HTTPStatus.FORBIDDEN, "not you\n")
        response.headers["X-Why"] = "because"
        return response

    async with relaying(tmp_path, echo, process_request=no) as (gateway, _):
        answer = await gateway.ask(request(b"/echo", *UPGRADE))
        await gateway.ended()
    assert (answer.status, answer.body) == (403, b"not you\n")
    assert answer.value(b"X-Why") or answer.value(b"x-why") == b"because"
    complete = gateway.log.complete()
    assert (complete.status_code, complete.outcome, complete.attempts) == (403, "complete", 1)


async def test_a_backend_that_is_down_answers_the_handshake_with_502(tmp_path: Path) -> None:
    async with running(toml(tmp_path, api("http://127.0.0.1:1"))) as gateway:
        answer = await gateway.ask(request(b"/echo", *UPGRADE))
        await gateway.ended()
    assert answer.status == 502
    assert b'"code":"101503"' in answer.body
    error = gateway.log.error()
    assert (error.error_code, error.status_code, error.attempts) == ("101503", 502, 2)


async def test_a_backend_that_never_answers_the_handshake_gives_101504(tmp_path: Path) -> None:
    async def stall(wire: Wire) -> None:
        await wire.until_closed()

    more = "response_timeout = 0.2\nretries = 0"
    async with in_front_of(tmp_path, stall, more=more) as (gateway, _):
        answer = await gateway.ask(request(b"/echo", *UPGRADE))
        await gateway.ended()
    assert (answer.status, gateway.log.error().error_code) == (504, "101504")


async def test_a_client_that_leaves_while_the_backend_is_awaited_gives_101000(
    tmp_path: Path,
) -> None:
    async def stall(wire: Wire) -> None:
        await wire.until_closed()

    async with in_front_of(tmp_path, stall) as (gateway, backend):
        async with gateway.client() as client:
            await client.send(request(b"/echo", *UPGRADE))
            await until(lambda: backend.wires and backend.wires[0].raw)
        await gateway.ended()
        await until(lambda: backend.wires[0].closed.is_set())
    error = gateway.log.error()
    assert (error.error_code, error.status_code, error.outcome) == ("101000", 499, "client_abort")


@pytest.mark.parametrize(
    "lines", [UPGRADE[:3], UPGRADE[:2], [*UPGRADE[:3], b"Sec-WebSocket-Key: x"]]
)
async def test_a_handshake_that_is_none_is_refused_and_recorded(
    tmp_path: Path, lines: list[bytes]
) -> None:
    async with relaying(tmp_path, echo) as (gateway, _):
        answer = await gateway.ask(request(b"/echo?a", *lines, b"User-Agent: ua"))
        await until(lambda: gateway.log.errors())
    assert answer.status == 400
    assert answer.value(b"sec-websocket-version") == b"13"
    error = gateway.log.error()
    assert (error.error_source, error.error_code) == ("main", "400")
    assert (error.request_in_url, error.user_agent) == ("/echo?a", "ua")


async def test_a_handshake_too_large_for_a_session_is_refused_and_recorded(
    tmp_path: Path,
) -> None:
    lines = [b"X-%d: y" % number for number in range(200)]
    async with relaying(tmp_path, echo) as (gateway, _):
        async with gateway.client() as client:
            await client.send(request(b"/echo", *UPGRADE, *lines))
            assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
        await until(lambda: gateway.log.errors())
    assert gateway.log.error().error_source == "main"


async def test_an_upgrade_with_a_body_is_an_ordinary_request(tmp_path: Path) -> None:
    """A WebSocket's handshake has none, so that both could be read differently."""

    async def play(wire: Wire) -> None:
        head = await wire.head()
        assert b"upgrade" not in head
        await wire.body(3)
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with in_front_of(tmp_path, play) as (gateway, _):
        answer = await gateway.ask(request(b"/echo", *UPGRADE, body=b"abc"))
        await gateway.ended()
    assert answer.body == b"ok"
    assert gateway.log.complete().bytes_in == 3


async def test_routing_refuses_a_handshake_as_it_does_a_request(tmp_path: Path) -> None:
    async with relaying(tmp_path, echo) as (gateway, _):
        nowhere = await gateway.ask(request(b"/nowhere", *UPGRADE))
        dots = await gateway.ask(request(b"/echo/../x", *UPGRADE))
        hosts = await gateway.ask(request(b"/echo", b"Host: other", *UPGRADE))
        await gateway.ended(3)
    assert [nowhere.status, dots.status, hosts.status] == [404, 400, 400]
    first, second, third = gateway.log.errors()
    assert (first.error_source, second.error_source) == ("main", "fault")
    assert (second.error_code, third.error_code) == ("400", "400")
    assert second.request_in_url == "/echo/../x"


async def test_a_session_over_tls_is_relayed(tmp_path: Path) -> None:
    ca = trustme.CA()
    certificate = ca.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    pem = f'tls_certificate = "{tmp_path}/server.pem"\ntls_key = "{tmp_path}/server.pem"'
    async with relaying(tmp_path, echo, server=pem) as (gateway, _):
        address = f"wss://localhost:{gateway.where}/echo"
        async with connect(address, ssl=trusting) as session:
            await session.send("over TLS")
            assert await session.recv() == "over TLS"


async def test_a_running_session_goes_on_while_the_gateway_drains_and_then_ends(
    tmp_path: Path,
) -> None:
    async with (
        relaying(tmp_path, echo, server="drain = 30") as (gateway, _),
        connect(url(gateway)) as session,
    ):
        await session.send("before")
        assert await session.recv() == "before"
        gateway.server.should_exit = True
        await until(lambda: not gateway.server.servers[0].is_serving())
        await session.send("while draining")
        assert await session.recv() == "while draining"
        gateway.server._hurry.set()
        with pytest.raises(websockets.ConnectionClosed):
            await session.recv()
    assert session.close_code == 1012
    complete = gateway.log.complete()
    assert (complete.status_code, complete.outcome) == (101, "shutdown")


async def test_messages_are_not_held_back_by_a_slow_other_way(tmp_path: Path) -> None:
    """The backend talks while it does not read; what it says passes all the same."""
    release = asyncio.Event()

    async def handler(session: ServerConnection) -> None:
        for number in range(5):
            await session.send(str(number))
        await release.wait()
        assert await session.recv() == "late"

    async with relaying(tmp_path, handler) as (gateway, _), connect(url(gateway)) as session:
        await session.send("late")
        assert [await session.recv() for _ in range(5)] == list("01234")
        release.set()
        await session.wait_closed()
    assert session.close_code == 1000
