"""What an engine reads, and what it refuses to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import AnswerBroken, ConnectionClosed, ProtocolViolation
from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine
from tests.gateway.upstream.scripted import (
    HELLO,
    HOST,
    QUICK,
    StartBackend,
    Wire,
    answers,
    answers_and_closes,
    answers_and_stays,
    assert_reused,
    get,
    until,
    whole,
)

if TYPE_CHECKING:
    from gatewaylog.gateway.upstream import Engine

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = CHUNKED + b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"


async def test_header_lines_come_back_as_received_with_names_in_lower_case(
    engine: Engine, backend: StartBackend
) -> None:
    head = (
        b"HTTP/1.1 418 I'm a teapot\r\nSet-Cookie: a=1\r\nX-Odd:  two  words, \xe4\xff\t \r\n"
        b"set-cookie: b=2\r\nX-Empty:\r\nCONTENT-LENGTH: 0\r\n\r\n"
    )
    server = await backend(answers(head))
    response = await get(engine, server.origin)
    assert response.status == 418
    assert response.headers == [
        (b"set-cookie", b"a=1"),
        (b"x-odd", b"two  words, \xe4\xff"),
        (b"set-cookie", b"b=2"),
        (b"x-empty", b""),
        (b"content-length", b"0"),
    ]
    assert await whole(response) == b""


async def test_a_small_response_is_finished_after_one_read(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers(HELLO))
    response = await get(ours, server.origin)
    assert await response.read() == b"hello"
    assert response.finished
    assert await response.read() == b""


async def test_a_response_tells_whether_a_read_would_wait(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    go_on = asyncio.Event()

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK + b"Content-Length: 10\r\n\r\nhello")
        await go_on.wait()
        await wire.send(b"there")

    server = await backend(play)
    response = await ours.send(server.origin, b"GET", b"/", HOST, None, QUICK)
    await until(lambda: response.ready)
    assert await response.read() == b"hello"
    assert not response.ready
    go_on.set()
    await until(lambda: response.ready)
    assert await response.read() == b"there"
    assert response.ready


@pytest.mark.parametrize(
    ("method", "head"),
    [
        (b"HEAD", OK + b"Content-Length: 5\r\n\r\n"),
        (b"HEAD", OK + b"Transfer-Encoding: chunked\r\n\r\n"),
        (b"HEAD", OK + b"\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        (b"GET", OK + b"Content-Length: 0\r\n\r\n"),
    ],
)
async def test_a_response_without_a_body_is_over_with_its_head_and_the_connection_stays(
    engine: Engine, backend: StartBackend, method: bytes, head: bytes
) -> None:
    server = await backend(answers(head))
    for _ in range(3):
        response = await get(engine, server.origin, method=method)
        assert response.finished or not isinstance(engine, HttptoolsEngine)
        assert await whole(response) == b""
    assert_reused(engine, server)


async def test_chunks_are_joined_and_trailers_dropped(
    engine: Engine, backend: StartBackend
) -> None:
    server = await backend(answers(CHUNKS))
    for _ in range(2):
        response = await get(engine, server.origin)
        assert response.headers == [(b"transfer-encoding", b"chunked")]
        assert await whole(response) == b"hello world"
    assert_reused(engine, server)


@pytest.mark.parametrize("response", [CHUNKS, HELLO], ids=["chunked", "counted"])
async def test_where_a_response_is_split_does_not_matter(
    engine: Engine, backend: StartBackend, response: bytes
) -> None:
    turn = iter(range(1, len(response)))

    async def play(wire: Wire) -> None:
        while True:
            await wire.head()
            at = next(turn)
            await wire.send(response[:at])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await wire.send(response[at:])

    server = await backend(play)
    expected = b"hello world" if response is CHUNKS else b"hello"
    for _ in range(1, len(response)):
        assert await whole(await get(engine, server.origin)) == expected
    assert_reused(engine, server)


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n",
    ],
)
async def test_interim_responses_are_read_past(
    engine: Engine, backend: StartBackend, interim: bytes
) -> None:
    server = await backend(answers(interim * 3, interim + HELLO))
    for _ in range(2):
        response = await get(engine, server.origin)
        assert (response.status, response.headers) == (200, [(b"content-length", b"5")])
        assert await whole(response) == b"hello"
    assert_reused(engine, server)


@pytest.mark.parametrize(
    "head",
    [
        OK + b"\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        OK + b"Connection: close\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
        OK + b"Connection: x, Close\r\nContent-Length: 5\r\n\r\n",
    ],
)
async def test_a_closing_response_ends_with_its_connection(
    engine: Engine, backend: StartBackend, head: bytes
) -> None:
    server = await backend(answers_and_closes(head, b"hel", b"lo"))
    for number in range(2):
        assert await whole(await get(engine, server.origin)) == b"hello"
        assert len(server.wires) == number + 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
        OK + b"Connection: close\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
    ],
)
async def test_a_connection_that_closes_is_not_kept_though_the_backend_leaves_it_open(
    ours: HttptoolsEngine, backend: StartBackend, head: bytes
) -> None:
    server = await backend(answers_and_stays(head + b"hello"))
    assert await whole(await get(ours, server.origin)) == b"hello"
    await until((await server.wire()).closed.is_set)


AMBIGUOUS = [
    OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    OK + b"Content-Length: +5\r\n\r\nhello",
    OK + b"Content-Length: -5\r\n\r\nhello",
    OK + b"Content-Length: 5 5\r\n\r\nhello",
    OK + b"Content-Length: 0x5\r\n\r\nhello",
    OK + b"Content-Length:\r\n\r\nhello",
    OK + b"Content-Length: five\r\n\r\nhello",
    OK + b"Transfer-Encoding: gzip\r\n\r\nhello",
    OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding:\r\n\r\nhello",
    OK + b"Content-Length : 5\r\n\r\nhello",
    OK + b"no colon\r\n\r\n",
    OK + b"X(y: 1\r\n\r\n",
    OK + b": 1\r\n\r\n",
    OK + b"X: a\0b\r\n\r\n",
    OK + b"X: a\rb\r\n\r\n",
    OK + b"X: 1\r\n" * 1 + b"Y: " + b"y" * 200_000 + b"\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"HTTP/1.1 600 Odd\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    b"ICY 200 OK\r\n\r\n",
    b"RTSP/1.0 200 OK\r\n\r\n",
    b"\x15\x03\x01\x00\x02\x02\x46",
]
LENIENT_IN_HTTPX = [
    b"hello",
    b"<html>an answer of 1991</html>",
    b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/0.9 200 OK\r\n\r\n",
    OK + b"Content-Length: 5,5\r\n\r\nhello",
    OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    OK + b"X: a\r\n folded\r\nContent-Length: 5\r\n\r\nhello",
    OK + b"X:\r\n folded\r\nContent-Length: 5\r\n\r\nhello",
    OK + b" X: a\r\nContent-Length: 5\r\n\r\nhello",
    OK + b"X: a\nContent-Length: 5\r\n\r\nhello",
    OK + b"X: a\x01\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    b"\r\n" + OK + b"Content-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 O\0K\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 000 OK\r\nContent-Length: 5\r\n\r\nhello",
    OK + b"X: 1\r\n" * 12_000 + b"\r\n",
]


@pytest.mark.parametrize("answer", AMBIGUOUS, ids=range(len(AMBIGUOUS)))
async def test_a_head_that_can_be_read_in_two_ways_is_not_read(
    engine: Engine, backend: StartBackend, answer: bytes
) -> None:
    server = await backend(answers_and_closes(answer))
    with pytest.raises(ProtocolViolation):
        await get(engine, server.origin)


@pytest.mark.parametrize("answer", LENIENT_IN_HTTPX, ids=range(len(LENIENT_IN_HTTPX)))
async def test_a_head_that_others_bend_is_not_read(
    ours: HttptoolsEngine, backend: StartBackend, answer: bytes
) -> None:
    server = await backend(answers_and_closes(answer))
    with pytest.raises(ProtocolViolation):
        await get(ours, server.origin)


async def test_a_head_without_an_end_is_refused_at_64_kib(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers_and_stays(OK, *[b"X: " + b"x" * 997 + b"\r\n"] * 70))
    with pytest.raises(ProtocolViolation):
        await get(ours, server.origin)
    await until(server.wires[0].closed.is_set)


async def test_a_head_of_nearly_64_kib_is_read(engine: Engine, backend: StartBackend) -> None:
    line = b"X: " + b"y" * 59_990 + b"\r\n"
    server = await backend(answers(OK + line + b"Content-Length: 5\r\n\r\nhello"))
    assert await whole(await get(engine, server.origin)) == b"hello"


async def test_garbage_is_refused_without_waiting_for_its_end(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers_and_stays(b"SSH-2.0-OpenSSH"))
    with pytest.raises(ProtocolViolation):
        await get(ours, server.origin)
    await until(server.wires[0].closed.is_set)


async def test_garbage_at_any_place_of_a_head_is_an_upstream_error(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    head = OK + b"Content-Length: 5\r\n\r\n"
    turn = iter(range(len(head)))

    async def play(wire: Wire) -> None:
        await wire.head()
        at = next(turn)
        await wire.send(head[:at], b"\0\n\xff", head[at:] + b"hello")

    server = await backend(play)
    for _ in range(len(head)):
        with pytest.raises((ProtocolViolation, ConnectionClosed)):
            await get(ours, server.origin)


@pytest.mark.parametrize(
    "chunks",
    [
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhell\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"-1\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFFFFFF\r\nhello",
    ],
)
async def test_bad_chunks_break_the_answer(
    engine: Engine, backend: StartBackend, chunks: bytes
) -> None:
    server = await backend(answers_and_closes(CHUNKED + chunks))
    response = await get(engine, server.origin)
    with pytest.raises(AnswerBroken):
        await whole(response)
    await response.aclose()


@pytest.mark.parametrize(
    "chunks",
    [
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n bad\r\n\r\n",
        b"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n",
    ],
)
async def test_chunks_that_others_bend_break_the_answer(
    ours: HttptoolsEngine, backend: StartBackend, chunks: bytes
) -> None:
    server = await backend(answers_and_closes(CHUNKED + chunks))
    response = await get(ours, server.origin)
    with pytest.raises(AnswerBroken):
        await whole(response)


async def test_what_came_before_a_bad_chunk_is_delivered(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers_and_closes(CHUNKED + b"5\r\nhello\r\nnonsense"))
    response = await get(ours, server.origin)
    assert await response.read() == b"hello"
    assert not response.finished
    for _ in range(2):
        with pytest.raises(AnswerBroken):
            await response.read()


JUNK = [
    HELLO + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    HELLO + b"junk",
    HELLO + b"\r\n",
    CHUNKS + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    CHUNKS + b"junk",
    b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc",
]


@pytest.mark.parametrize("answer", JUNK, ids=range(len(JUNK)))
async def test_bytes_behind_a_response_never_become_the_next(
    engine: Engine, backend: StartBackend, answer: bytes
) -> None:
    served = 0

    async def play(wire: Wire) -> None:
        nonlocal served
        served += 1
        await wire.head()
        await wire.send(answer if served == 1 else HELLO)
        await wire.until_closed()

    server = await backend(play)
    assert await whole(await get(engine, server.origin)) in (b"hello", b"hello world", b"")
    await until(server.wires[0].closed.is_set)
    assert await whole(await get(engine, server.origin)) == b"hello"
    assert len(server.wires) == 2


@pytest.mark.parametrize("method", [b"HEAD", b"GET"])
async def test_bytes_on_a_resting_connection_close_it(
    ours: HttptoolsEngine, backend: StartBackend, method: bytes
) -> None:
    go_on = asyncio.Event()

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK + b"Content-Length: 0\r\n\r\n")
        await go_on.wait()
        await wire.send(HELLO)
        await wire.until_closed()

    server = await backend(play)
    await whole(await get(ours, server.origin, method=method))
    go_on.set()
    await until(server.wires[0].closed.is_set)
    assert len(server.wires) == 1


@pytest.mark.parametrize("behind", [b"hello", b"5\r\nhello\r\n0\r\n\r\n"])
async def test_a_body_behind_the_answer_to_head_closes_the_connection(
    ours: HttptoolsEngine, backend: StartBackend, behind: bytes
) -> None:
    framing = b"Content-Length: 5" if behind == b"hello" else b"Transfer-Encoding: chunked"
    server = await backend(answers_and_stays(OK + framing + b"\r\n\r\n" + behind))
    response = await get(ours, server.origin, method=b"HEAD")
    assert await whole(response) == b""
    await until(server.wires[0].closed.is_set)
