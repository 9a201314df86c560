"""Connections are kept, reused, and replaced when they have died."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import ConnectionClosed, ResponseTimeout
from gatewaylog.gateway.upstream import Timeouts
from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine
from tests.gateway.upstream.scripted import (
    HELLO,
    HOST,
    QUICK,
    Backend,
    Pieces,
    StartBackend,
    Tap,
    Wire,
    answers,
    answers_and_closes,
    get,
    until,
    whole,
)

if TYPE_CHECKING:
    from gatewaylog.gateway.upstream import RequestBody


class Dying:
    """Answers once on a connection, then reads another request and closes without a word."""

    def __init__(self, last_words: bytes = b"") -> None:
        self.last_words = last_words
        self.died = 0

    async def __call__(self, wire: Wire) -> None:
        await wire.head()
        await wire.send(HELLO)
        await wire.some()
        self.died += 1
        await wire.send(self.last_words)


def resting(engine: HttptoolsEngine) -> int:
    return sum(map(len, engine._kept._resting.values()))


async def test_requests_one_after_another_share_a_connection(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers(HELLO))
    for _ in range(5):
        assert await whole(await get(ours, server.origin)) == b"hello"
    assert (len(server.wires), resting(ours)) == (1, 1)


async def test_requests_at_once_have_a_connection_each_and_the_last_used_is_next(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    gate = asyncio.Event()

    async def play(wire: Wire) -> None:
        while True:
            await wire.head()
            await gate.wait()
            await wire.send(HELLO)

    server = await backend(play)
    sending = [asyncio.ensure_future(get(ours, server.origin)) for _ in range(3)]
    await until(lambda: sum(bool(wire.raw) for wire in server.wires) == 3)
    gate.set()
    for one in sending:
        await whole(await one)
    seen = [len(wire.raw) for wire in server.wires]
    for _ in range(4):
        await whole(await get(ours, server.origin))
    grown = [len(wire.raw) > size for wire, size in zip(server.wires, seen, strict=True)]
    assert grown.count(True) == 1


async def test_a_response_that_is_not_read_yet_does_not_keep_its_connection_busy(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers(HELLO))
    unread = [await get(ours, server.origin) for _ in range(3)]
    assert len(server.wires) == 1
    assert [await whole(response) for response in unread] == [b"hello"] * 3


async def test_a_connection_that_the_backend_closed_at_rest_is_dropped(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers_and_closes(HELLO))
    await whole(await get(ours, server.origin))
    await until(lambda: resting(ours) == 0)
    assert await whole(await get(ours, server.origin, method=b"POST")) == b"hello"
    assert len(server.wires) == 2


async def test_origins_do_not_share_connections(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    servers: list[Backend] = [await backend(answers(HELLO)) for _ in range(2)]
    for server in servers * 2:
        await whole(await get(ours, server.origin))
    assert [len(server.wires) for server in servers] == [1, 1]


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"])
async def test_a_stale_connection_is_replaced_for_idempotent_methods(
    ours: HttptoolsEngine, backend: StartBackend, method: bytes
) -> None:
    play = Dying()
    server = await backend(play)
    for _ in range(3):
        await whole(await get(ours, server.origin, method=method))
    assert (len(server.wires), play.died) == (3, 2)


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"CONNECT", b"get"])
async def test_a_stale_connection_is_an_error_for_other_methods(
    ours: HttptoolsEngine, backend: StartBackend, method: bytes
) -> None:
    server = await backend(Dying())
    await whole(await get(ours, server.origin))
    with pytest.raises(ConnectionClosed):
        await get(ours, server.origin, method=method)
    assert len(server.wires) == 1


async def test_a_stale_connection_that_has_said_a_word_is_an_error(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(Dying(b"HTTP/1.1 2"))
    await whole(await get(ours, server.origin))
    with pytest.raises(ConnectionClosed):
        await get(ours, server.origin)
    assert len(server.wires) == 1


async def test_a_stale_connection_is_replaced_once(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    served = 0

    async def play(wire: Wire) -> None:
        nonlocal served
        served += 1
        await wire.head()
        if served == 1:
            await wire.send(HELLO)
            await wire.some()

    server = await backend(play)
    await whole(await get(ours, server.origin))
    with pytest.raises(ConnectionClosed):
        await get(ours, server.origin)
    assert len(server.wires) == 2


async def test_a_stale_connection_is_replaced_while_the_body_is_still_unread(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    served = 0

    async def play(wire: Wire) -> None:
        nonlocal served
        served += 1
        await wire.head()
        if served == 2:
            await wire.body(3)
        await wire.send(HELLO)
        await wire.some()

    server = await backend(play)
    await whole(await get(ours, server.origin))
    body = Tap()
    headers = [*HOST, (b"content-length", b"3")]
    sending = asyncio.ensure_future(
        get(ours, server.origin, method=b"PUT", headers=headers, body=body)
    )
    wire = await server.wire(1)
    body.queue.put_nowait(b"abc")
    assert await whole(await sending) == b"hello"
    await until(lambda: wire.raw.endswith(b"\r\n\r\nabc"))


async def test_a_replaced_connection_reads_the_body_when_the_first_has_let_it_go(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    class Lingering:
        """Takes its time to be cancelled, and must not be read meanwhile."""

        def __init__(self) -> None:
            self.reading = False
            self.asked = 0

        async def read(self) -> bytes:
            assert not self.reading
            self.reading = True
            self.asked += 1
            try:
                if self.asked == 1:
                    await asyncio.Event().wait()
            except asyncio.CancelledError:
                for _ in range(50):
                    await asyncio.sleep(0.001)
                raise
            finally:
                self.reading = False
            return b""

    served = 0

    async def play(wire: Wire) -> None:
        nonlocal served
        served += 1
        await wire.head()
        if served == 2:
            await wire.chunks()
        await wire.send(HELLO)
        await wire.some()

    server = await backend(play)
    await whole(await get(ours, server.origin))
    response = await get(ours, server.origin, method=b"PUT", body=Lingering())
    assert await whole(response) == b"hello"


async def test_a_stale_connection_is_an_error_when_the_body_was_read(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(Dying())
    await whole(await get(ours, server.origin))
    body: RequestBody = Pieces(b"abc", b"def")
    with pytest.raises(ConnectionClosed):
        await get(ours, server.origin, method=b"PUT", body=body)
    assert len(server.wires) == 1


async def test_unused_connections_expire(backend: StartBackend) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(HELLO)
        await wire.until_closed()

    server = await backend(play)
    engine = HttptoolsEngine(keep=0.05)
    await whole(await get(engine, server.origin))
    await until(server.wires[0].closed.is_set)
    await until(lambda: resting(engine) == 0)
    assert len(server.wires) == 1
    await engine.aclose()


async def test_closing_the_engine_closes_what_rests_and_later_what_runs(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    gate = asyncio.Event()

    async def play(wire: Wire) -> None:
        while True:
            if b"/slow" in await wire.head():
                await gate.wait()
            await wire.send(HELLO)

    server = await backend(play)
    await whole(await get(ours, server.origin))
    slow = asyncio.ensure_future(ours.send(server.origin, b"GET", b"/slow", HOST, None, QUICK))
    await until(lambda: any(b"/slow" in wire.raw for wire in server.wires))
    await ours.aclose()
    gate.set()
    await whole(await slow)
    assert resting(ours) == 0


async def test_a_reused_connection_keeps_the_time_of_its_new_request(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(HELLO)
        await wire.until_closed()

    server = await backend(play)
    await whole(await get(ours, server.origin))
    with pytest.raises(ResponseTimeout):
        await get(ours, server.origin, timeouts=Timeouts(response=0.1))
    assert len(server.wires) == 1


async def test_a_connection_that_is_being_closed_is_not_taken(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers(HELLO))
    await whole(await get(ours, server.origin))
    ((connection,),) = ours._kept._resting.values()
    connection.data_received(b"junk")
    assert await whole(await get(ours, server.origin, method=b"POST")) == b"hello"
    assert len(server.wires) == 2
