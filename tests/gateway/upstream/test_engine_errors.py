"""Which error tells how far a request came."""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import (
    AnswerBroken,
    AnswerStalled,
    ConnectError,
    ConnectionClosed,
    ConnectTimeout,
    ProtocolViolation,
    ResponseTimeout,
    SendError,
    UpstreamError,
)
from gatewaylog.gateway.upstream import Origin, Timeouts
from tests.gateway.upstream.scripted import (
    HELLO,
    HOST,
    QUICK,
    Pieces,
    StartBackend,
    Tap,
    Wire,
    answers_and_closes,
    answers_and_stays,
    get,
    until,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatewaylog.gateway.upstream import Engine
    from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine

SHORT = Timeouts(connect=0.1, response=0.1, idle=0.1)
OK = b"HTTP/1.1 200 OK\r\n"
HEAD = OK + b"content-length: 5\r\n\r\n"


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that the next one is not answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        address = listening.getsockname()
        waiting = []
        for _ in range(4):
            knocking = socket.socket()
            knocking.setblocking(False)
            knocking.connect_ex(address)
            waiting.append(knocking)
        yield int(address[1])
        for knocking in waiting:
            knocking.close()


async def test_a_refused_connection_is_a_connect_error(engine: Engine, closed_port: int) -> None:
    with pytest.raises(ConnectError):
        await get(engine, Origin(host="127.0.0.1", port=closed_port))


@pytest.mark.parametrize("host", ["no-such-name.invalid", "x" * 64 + ".invalid", "a..b"])
async def test_a_name_that_is_none_is_a_connect_error(engine: Engine, host: str) -> None:
    with pytest.raises(ConnectError):
        await get(engine, Origin(host=host, port=80))


async def test_a_missing_unix_socket_is_a_connect_error(engine: Engine, tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    with pytest.raises(ConnectError):
        await get(engine, Origin(host="localhost", port=80, unix_path=path))


async def test_no_connection_in_time_is_a_connect_timeout(engine: Engine, full_port: int) -> None:
    with pytest.raises(ConnectTimeout):
        await get(engine, Origin(host="127.0.0.1", port=full_port), timeouts=SHORT)


async def test_no_head_in_time_is_a_response_timeout(engine: Engine, backend: StartBackend) -> None:
    server = await backend(answers_and_stays())
    with pytest.raises(ResponseTimeout):
        await get(engine, server.origin, timeouts=replace(QUICK, response=0.1))
    await until(server.wires[0].closed.is_set)


async def test_a_head_that_drips_is_a_response_timeout(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK)
        while True:
            await wire.send(b"x: 1\r\n")
            await asyncio.sleep(0.01)

    server = await backend(play)
    with pytest.raises(ResponseTimeout):
        await get(ours, server.origin, timeouts=replace(QUICK, response=0.1))


async def test_a_client_that_dawdles_is_no_response_timeout(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.body(6)
        await wire.send(HELLO)
        await wire.until_closed()

    server = await backend(play)
    body = Tap()
    headers = [*HOST, (b"content-length", b"6")]
    timeouts = replace(QUICK, response=0.05)
    sending = asyncio.ensure_future(
        get(ours, server.origin, method=b"PUT", headers=headers, body=body, timeouts=timeouts)
    )
    await body.asked.wait()
    await asyncio.sleep(0.15)  # three times `response`: the time is what is tested
    body.queue.put_nowait(b"abcdef")
    assert await whole(await sending) == b"hello"


async def test_the_response_timeout_runs_from_the_last_byte_of_the_body(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers_and_stays())
    headers = [*HOST, (b"content-length", b"6")]
    with pytest.raises(ResponseTimeout):
        await get(
            ours,
            server.origin,
            headers=headers,
            body=Pieces(b"abcdef"),
            timeouts=replace(QUICK, response=0.1),
        )


async def test_a_backend_that_reads_no_more_is_a_response_timeout(
    engine: Engine, backend: StartBackend
) -> None:
    go_on = asyncio.Event()

    async def play(wire: Wire) -> None:
        await wire.head()
        await go_on.wait()

    class Endless:
        async def read(self) -> bytes:
            return bytes(65536)

    server = await backend(play)
    with pytest.raises(ResponseTimeout):
        await get(
            engine,
            server.origin,
            method=b"POST",
            body=Endless(),
            timeouts=replace(QUICK, response=0.1),
        )
    go_on.set()


async def test_a_body_that_stops_is_a_stalled_answer(engine: Engine, backend: StartBackend) -> None:
    server = await backend(answers_and_stays(HEAD + b"hel"))
    response = await get(engine, server.origin, timeouts=replace(QUICK, idle=0.1))
    assert await response.read() == b"hel"
    with pytest.raises(AnswerStalled):
        await response.read()
    await response.aclose()
    await until(server.wires[0].closed.is_set)


async def test_each_piece_gives_the_answer_new_time(engine: Engine, backend: StartBackend) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(HEAD)
        for at in range(5):
            await asyncio.sleep(0.06)
            await wire.send(b"hello"[at : at + 1])

    server = await backend(play)
    response = await get(engine, server.origin, timeouts=replace(QUICK, idle=0.2))
    assert await whole(response) == b"hello"


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_closing_at_any_byte_of_a_head_is_connection_closed(
    engine: Engine, backend: StartBackend, *, reset: bool
) -> None:
    turn = iter(range(len(HEAD)))

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(HEAD[: next(turn)])
        if reset:
            wire.reset()

    server = await backend(play)
    expected = ConnectionClosed
    for at in range(len(HEAD)):
        with pytest.raises(UpstreamError) as caught:
            await get(engine, server.origin, method=b"POST")
        if at == 0 or not hasattr(engine, "_given"):  # httpx calls half a head a violation
            assert type(caught.value) is expected
        else:
            assert isinstance(caught.value, ConnectionClosed | ProtocolViolation)


async def test_stalling_at_any_byte_of_a_head_is_a_response_timeout(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    turn = iter(range(len(HEAD)))

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(HEAD[: next(turn)])
        await wire.until_closed()

    server = await backend(play)
    for number in range(len(HEAD)):
        with pytest.raises(ResponseTimeout):
            await get(ours, server.origin, timeouts=replace(QUICK, response=0.01))
        await until((await server.wire(number)).closed.is_set)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(
    "framed",
    [
        b"content-length: 11\r\n\r\nhello worl",
        b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r",
    ],
    ids=["counted", "chunked"],
)
async def test_closing_at_any_byte_of_a_body_breaks_the_answer(
    engine: Engine, backend: StartBackend, framed: bytes, *, reset: bool
) -> None:
    answer = OK + framed
    start = answer.index(b"\r\n\r\n") + 4
    turn = iter(range(start, len(answer)))

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(answer[: next(turn)])
        if reset:
            wire.reset()

    server = await backend(play)
    for _ in range(start, len(answer)):
        try:
            response = await get(engine, server.origin, method=b"POST")
        except ConnectionClosed:  # a reset may overtake what is unread
            assert reset
            continue
        with pytest.raises(AnswerBroken) as caught:
            await whole(response)
        assert not isinstance(caught.value, AnswerStalled)
        assert not response.finished
        await response.aclose()


async def test_a_reset_breaks_a_body_that_ends_with_the_connection(
    engine: Engine, backend: StartBackend
) -> None:
    ready = asyncio.Event()

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK + b"\r\nhello")
        await ready.wait()
        wire.reset()

    server = await backend(play)
    response = await get(engine, server.origin)
    assert await response.read() == b"hello"
    ready.set()
    with pytest.raises(AnswerBroken):
        await response.read()
    await response.aclose()


async def test_a_connection_closed_before_a_word_is_connection_closed(
    engine: Engine, backend: StartBackend
) -> None:
    server = await backend(answers_and_closes())
    with pytest.raises(ConnectionClosed):
        await get(engine, server.origin)
    assert len(server.wires) == 1  # it was a new connection: no second attempt


async def test_cancelling_while_connecting_leaves_nothing(engine: Engine, full_port: int) -> None:
    sending = asyncio.ensure_future(get(engine, Origin(host="127.0.0.1", port=full_port)))
    await asyncio.sleep(0.01)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await until(sending.done)


async def test_another_error_of_the_socket_is_a_send_error(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(HELLO)
        await wire.until_closed()

    server = await backend(play)
    await whole(await get(ours, server.origin))
    ((connection,),) = ours._kept._resting.values()
    sending = asyncio.ensure_future(get(ours, server.origin))
    await until(lambda: connection._response is not None)
    connection.connection_lost(OSError(errno.EHOSTUNREACH, "no route"))
    with pytest.raises(SendError):
        await sending
