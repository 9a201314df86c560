"""Bodies in both directions at once, as fast as the slower side and never held whole."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self

import pytest

from gatewaylog.exceptions import AnswerBroken, ConnectionClosed, UpstreamError
from gatewaylog.gateway.upstream import Origin, Timeouts
from gatewaylog.gateway.upstream.connection import HIGH_WATER
from tests.gateway.upstream.scripted import (
    HELLO,
    HOST,
    QUICK,
    Pieces,
    StartBackend,
    Tap,
    Wire,
    answers,
    answers_and_stays,
    get,
    stands_still,
    until,
    whole,
)

if TYPE_CHECKING:
    from gatewaylog.gateway.upstream import Engine
    from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine
    from gatewaylog.gateway.upstream.incoming import IncomingResponse

MIB = 1 << 20
LARGE = 256 * MIB
OK = b"HTTP/1.1 200 OK\r\n"


class Zeros:
    """A large body that takes no memory."""

    def __init__(self, size: int) -> None:
        self.left = size
        self._piece = bytes(64 * 1024)

    async def read(self) -> bytes:
        piece = self._piece[: self.left]
        self.left -= len(piece)
        return piece


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def test_a_large_download_leaves_memory_flat(engine: Engine, backend: StartBackend) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK + b"content-length: %d\r\n\r\n" % LARGE)
        piece = bytes(MIB)
        for _ in range(LARGE // MIB):
            await wire.send(piece)

    server = await backend(play)
    before = peak()
    response = await get(engine, server.origin)
    received = 0
    while piece := await response.read():
        received += len(piece)
    await response.aclose()
    assert received == LARGE
    assert peak() - before < 64 * MIB


@pytest.mark.parametrize("chunked", [False, True], ids=["counted", "chunked"])
async def test_a_large_upload_leaves_memory_flat(
    engine: Engine, backend: StartBackend, *, chunked: bool
) -> None:
    received = 0

    async def play(wire: Wire) -> None:
        nonlocal received
        await wire.head()
        while received < LARGE:
            received += len(await wire.reader.read(MIB))
        await wire.send(HELLO)
        await wire.until_closed()

    server = await backend(play)
    before = peak()
    headers = HOST if chunked else [*HOST, (b"content-length", b"%d" % LARGE)]
    body = Zeros(LARGE)
    response = await get(engine, server.origin, method=b"POST", headers=headers, body=body)
    assert await whole(response) == b"hello"
    assert peak() - before < 64 * MIB


@pytest.mark.parametrize("chunked", [False, True], ids=["counted", "chunked"])
async def test_a_slow_consumer_stops_the_backend(
    ours: HttptoolsEngine, backend: StartBackend, *, chunked: bool
) -> None:
    sent = 0

    async def play(wire: Wire) -> None:
        nonlocal sent
        await wire.head()
        framing = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % LARGE
        await wire.send(OK + framing + b"\r\n\r\n")
        piece = b"%x\r\n%b\r\n" % (MIB, bytes(MIB)) if chunked else bytes(MIB)
        for _ in range(LARGE // MIB):
            await wire.send(piece)
            sent += MIB
        await wire.send(b"0\r\n\r\n" if chunked else b"")

    server = await backend(play)
    response: IncomingResponse = await ours.send(server.origin, b"GET", b"/", HOST, None, QUICK)
    await until(lambda: response.buffered > HIGH_WATER)
    await stands_still(lambda: sent)
    assert response.buffered < HIGH_WATER + MIB
    assert sent < 32 * MIB  # what sockets hold
    received = 0
    while piece := await response.read():
        received += len(piece)
    assert received == LARGE


async def test_a_slow_consumer_is_no_stalled_answer(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    size = 16 * MIB

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK + b"content-length: %d\r\n\r\n" % size, bytes(size))

    server = await backend(play)
    response = await ours.send(
        server.origin, b"GET", b"/", HOST, None, Timeouts(response=5, idle=0.05)
    )
    await asyncio.sleep(0.2)  # four times `idle` without a read: the time is what is tested
    assert len(await whole(response)) == size


async def test_a_slow_backend_stops_the_reading_of_the_body(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    go_on = asyncio.Event()

    async def play(wire: Wire) -> None:
        await wire.head()
        await go_on.wait()
        left = LARGE
        while left:
            left -= len(await wire.reader.read(MIB))
        await wire.send(HELLO)
        await wire.until_closed()

    server = await backend(play)
    body = Zeros(LARGE)
    headers = [*HOST, (b"content-length", b"%d" % LARGE)]
    sending = asyncio.ensure_future(
        get(ours, server.origin, method=b"POST", headers=headers, body=body)
    )
    await until(lambda: body.left < LARGE)
    await stands_still(lambda: body.left)
    assert body.left > LARGE - 32 * MIB
    go_on.set()
    assert await whole(await sending) == b"hello"


async def test_an_answer_streams_without_delay(engine: Engine, backend: StartBackend) -> None:
    turn = asyncio.Semaphore(0)

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK + b"transfer-encoding: chunked\r\n\r\n")
        for number in range(5):
            await turn.acquire()
            await wire.send(b"7\r\ndata: %d\r\n" % number)
        await turn.acquire()
        await wire.send(b"0\r\n\r\n")

    server = await backend(play)
    response = await get(engine, server.origin)
    for number in range(5):
        turn.release()
        assert await response.read() == b"data: %d" % number
        assert not response.finished
    turn.release()
    assert await response.read() == b""
    assert response.finished
    await response.aclose()


async def test_bodies_go_both_ways_at_once(ours: HttptoolsEngine, backend: StartBackend) -> None:
    async def echo(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(3):
            piece = await wire.reader.readuntil(b"\n\r\n")
            await wire.send(piece)
        await wire.chunks()
        await wire.send(b"0\r\n\r\n")
        await wire.until_closed()

    server = await backend(echo)
    body = Tap()
    response = await get(ours, server.origin, method=b"POST", body=body)
    for line in (b"one\n", b"two\n", b"three\n"):
        body.queue.put_nowait(line)
        assert await response.read() == line
    body.queue.put_nowait(b"")
    assert await whole(response) == b""


async def test_an_early_answer_comes_at_once_and_the_body_goes_on(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 5\r\n\r\n")
        assert await wire.body(9) == b"4\r\nmore\r\n"
        await wire.send(b"hello")
        await wire.until_closed()

    server = await backend(play)
    body = Tap()
    response = await get(ours, server.origin, method=b"POST", body=body)
    assert response.status == 202
    body.queue.put_nowait(b"more")
    assert await whole(response) == b"hello"
    await until(server.wires[0].closed.is_set)  # the body was not over
    assert body.cancelled


async def test_an_early_whole_answer_closes_a_connection_whose_body_is_not_over(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers_and_stays(b"HTTP/1.1 413 No\r\ncontent-length: 5\r\n\r\nhello"))
    response = await get(ours, server.origin, method=b"POST", body=Tap())
    assert response.status == 413
    assert await whole(response) == b"hello"
    await until(server.wires[0].closed.is_set)


async def test_an_answer_survives_a_backend_that_resets_during_the_upload(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.some()
        await wire.send(b"HTTP/1.1 413 No\r\ncontent-length: 5\r\n\r\nhello")
        wire.reset()

    server = await backend(play)
    headers = [*HOST, (b"content-length", b"%d" % LARGE)]
    for _ in range(50):
        response = await get(
            ours, server.origin, method=b"POST", headers=headers, body=Zeros(LARGE)
        )
        assert response.status == 413
        assert await whole(response) == b"hello"


async def test_an_answer_is_read_though_the_write_failed_first(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    reset = asyncio.Event()

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 413 No\r\ncontent-length: 5\r\n\r\nhello")
        wire.reset()
        await asyncio.sleep(0)
        reset.set()

    class AfterReset:
        async def read(self) -> bytes:
            await reset.wait()
            return bytes(MIB)

    server = await backend(play)
    for _ in range(20):
        reset.clear()
        response = await get(ours, server.origin, method=b"POST", body=AfterReset())
        assert response.status == 413
        assert await whole(response) == b"hello"


class ResettingBackend:
    """Answers and resets from a thread of its own, so that no event loop hears of it first."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._play)
        self.reset = threading.Event()
        self.origin = Origin(host="127.0.0.1", port=self._listening.getsockname()[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        self._listening.close()

    def _play(self) -> None:
        accepted, _ = self._listening.accept()
        accepted.recv(1000)
        accepted.sendall(self._answer)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        self.reset.set()


async def test_an_answer_is_read_though_the_loop_writes_before_it_reads(
    ours: HttptoolsEngine,
) -> None:
    class Blocking:
        async def read(self) -> bytes:
            assert server.reset.wait(10)
            return bytes(MIB)

    with ResettingBackend(b"HTTP/1.1 413 No\r\ncontent-length: 5\r\n\r\nhello") as server:
        response = await get(ours, server.origin, method=b"POST", body=Blocking())
        assert response.status == 413
        assert await whole(response) == b"hello"


async def test_a_body_that_is_always_ready_does_not_keep_the_loop_from_hearing_of_the_end(
    ours: HttptoolsEngine,
) -> None:
    class AlwaysReady:
        reads = 0

        async def read(self) -> bytes:
            self.reads += 1
            assert self.reads < 10_000
            return b"x"

    with ResettingBackend(b"") as server, pytest.raises(ConnectionClosed):
        await get(ours, server.origin, method=b"POST", body=AlwaysReady())


@pytest.mark.parametrize("early", [False, True])
async def test_what_the_body_raises_passes_through(
    ours: HttptoolsEngine, backend: StartBackend, *, early: bool
) -> None:
    class ClientLeftError(Exception):
        pass

    server = await backend(answers_and_stays(OK + b"content-length: 5\r\n\r\n" if early else b""))
    body = Tap()
    error = ClientLeftError()
    if early:
        response = await get(ours, server.origin, method=b"POST", body=body)
        body.queue.put_nowait(error)
        with pytest.raises(ClientLeftError) as caught:
            await response.read()
    else:
        body.queue.put_nowait(b"some")
        body.queue.put_nowait(error)
        with pytest.raises(ClientLeftError) as caught:
            await get(ours, server.origin, method=b"POST", body=body)
    assert caught.value is error
    await until((await server.wire()).closed.is_set)


async def test_what_the_body_raises_before_the_answer_passes_through_any_engine(
    engine: Engine, backend: StartBackend
) -> None:
    class ClientLeftError(Exception):
        pass

    server = await backend(answers_and_stays())
    body = Tap()
    body.queue.put_nowait(ClientLeftError())
    with pytest.raises(ClientLeftError):
        await get(engine, server.origin, method=b"POST", body=body)
    await until((await server.wire()).closed.is_set)


async def test_closing_in_the_middle_closes_the_connection(
    engine: Engine, backend: StartBackend
) -> None:
    server = await backend(answers_and_stays(OK + b"content-length: 50\r\n\r\nhello"))
    response = await get(engine, server.origin)
    assert await response.read() == b"hello"
    await response.aclose()
    await response.aclose()
    await until(server.wires[0].closed.is_set)


async def test_a_closed_response_reads_as_broken(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers_and_stays(OK + b"content-length: 50\r\n\r\nhello"))
    response = await get(ours, server.origin)
    await response.aclose()
    with pytest.raises(AnswerBroken):
        await response.read()


@pytest.mark.parametrize("upload", [False, True])
async def test_cancelling_while_the_head_is_awaited_closes_the_connection(
    engine: Engine, backend: StartBackend, *, upload: bool
) -> None:
    server = await backend(answers_and_stays())
    body = Tap() if upload else None
    sending = asyncio.ensure_future(get(engine, server.origin, method=b"PUT", body=body))
    await until((await server.wire()).raw.__len__)
    if body is not None:
        await body.asked.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await until(server.wires[0].closed.is_set)
    assert body is None or body.cancelled


async def test_cancelling_a_read_closes_the_connection(
    engine: Engine, backend: StartBackend
) -> None:
    server = await backend(answers_and_stays(OK + b"content-length: 50\r\n\r\nhello"))
    response = await get(engine, server.origin)
    assert await response.read() == b"hello"
    reading = asyncio.ensure_future(response.read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await response.aclose()
    await until(server.wires[0].closed.is_set)


async def test_cancelling_a_read_closes_the_connection_at_once(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers_and_stays(OK + b"content-length: 50\r\n\r\n"))
    response = await get(ours, server.origin)
    reading = asyncio.ensure_future(response.read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await until(server.wires[0].closed.is_set)


async def test_a_body_that_does_not_let_itself_be_cancelled_is_read_no_more(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    class Stubborn:
        reads = 0

        async def read(self) -> bytes:
            self.reads += 1
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return b"more"

    server = await backend(answers(b"HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n"))
    body = Stubborn()
    assert await whole(await get(ours, server.origin, method=b"POST", body=body)) == b""
    await until(lambda: len(asyncio.all_tasks()) <= 2)  # this one and the backend's
    assert body.reads <= 1


async def test_cancelling_the_upload_alone_ends_the_exchange(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers_and_stays())

    class Torn:
        async def read(self) -> bytes:
            raise asyncio.CancelledError

    with pytest.raises(UpstreamError):
        await get(ours, server.origin, method=b"POST", body=Torn())


async def test_pieces_that_are_empty_end_a_chunked_body(
    engine: Engine, backend: StartBackend
) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.chunks()
        await wire.send(HELLO)

    server = await backend(play)
    body = Pieces(b"a", b"", b"never")
    await whole(await get(engine, server.origin, method=b"POST", body=body))
    assert server.wires[0].raw.endswith(b"\r\n\r\n1\r\na\r\n0\r\n\r\n")
