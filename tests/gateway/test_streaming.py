"""Bodies pass as they come, in both directions, whatever their framing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.http_client import request
from tests.running import in_front_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.upstream.scripted import Wire

UPLOAD = request(b"/echo", b"Transfer-Encoding: chunked", method=b"POST")
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def echo_chunks(wire: Wire) -> None:
    """Answer each chunk of the request with a chunk, as it comes."""
    await wire.head()
    await wire.send(CHUNKED)
    while True:
        size = await wire.reader.readuntil(b"\r\n")
        await wire.send(size + await wire.body(int(size, 16) + 2))
        if size == b"0\r\n":
            return


async def test_pieces_pass_alternately(tmp_path: Path) -> None:
    """The backend has piece 1, and the client its echo, before the client sends piece 2."""
    async with in_front_of(tmp_path, echo_chunks) as (gateway, _):
        async with gateway.client() as client:
            await client.send(UPLOAD)
            assert (await client.head()).status == 200
            for piece in (b"one", b"two", b"x" * 10_000, b"four"):
                await client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
                assert await client.chunk() == piece
            await client.send(b"0\r\n\r\n")
            assert await client.chunk() == b""
        await gateway.ended()
    complete = gateway.log.complete()
    assert (complete.bytes_in, complete.bytes_out) == (10_010, 10_010)


async def test_pieces_of_a_counted_body_pass_as_they_come(tmp_path: Path) -> None:
    seen = asyncio.Queue[bytes]()

    async def play(wire: Wire) -> None:
        await wire.head()
        for _ in range(3):
            await seen.put(await wire.body(3))
        await wire.send(OK)

    async with in_front_of(tmp_path, play) as (gateway, _), gateway.client() as client:
        await client.send(request(b"/echo", b"Content-Length: 9", method=b"PUT"))
        for piece in (b"one", b"two", b"xyz"):
            await client.send(piece)
            async with asyncio.timeout(5):
                assert await seen.get() == piece
        assert (await client.answer()).body == b"ok"


async def test_server_sent_events_pass_without_delay(tmp_path: Path) -> None:
    told = asyncio.Event()

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for number in range(3):
            await told.wait()
            told.clear()
            await wire.send(b"data: %d\n\n" % number)

    async with in_front_of(tmp_path, play) as (gateway, _), gateway.client() as client:
        await client.send(request())
        assert (await client.head()).value(b"content-type") == b"text/event-stream"
        for number in range(3):
            told.set()
            assert await client.chunk() == b"data: %d\n\n" % number
        assert await client.chunk() == b""


async def test_a_head_passes_before_the_body_comes(tmp_path: Path) -> None:
    told = asyncio.Event()

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
        await told.wait()
        await wire.send(b"ok")

    async with in_front_of(tmp_path, play) as (gateway, _), gateway.client() as client:
        await client.send(request())
        assert (await client.head()).value(b"content-length") == b"2"
        told.set()
        assert await client.exactly(2) == b"ok"


async def test_continue_is_passed_on_so_that_the_client_sends_its_body(tmp_path: Path) -> None:
    async def play(wire: Wire) -> None:
        assert b"\r\nexpect: 100-continue\r\n" in await wire.head()
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.body(5)
        await wire.send(OK)

    head = request(b"/echo", b"Expect: 100-continue", b"Content-Length: 5", method=b"POST")
    async with in_front_of(tmp_path, play) as (gateway, _), gateway.client() as client:
        await client.send(head)
        assert await client.line() == b"HTTP/1.1 100 Continue\r\n"
        assert await client.line() == b"\r\n"
        await client.send(b"hello")
        assert (await client.answer()).body == b"ok"


async def test_a_refusal_instead_of_continue_reaches_the_client_before_its_body(
    tmp_path: Path,
) -> None:
    """No 100 is sent, the body is never asked for, and the connection ends, as it can't be known
    whether the client sends the body all the same."""

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 417 No\r\ncontent-length: 2\r\n\r\nno")
        await wire.until_closed()

    head = request(b"/echo", b"Expect: 100-continue", b"Content-Length: 5", method=b"POST")
    async with in_front_of(tmp_path, play) as (gateway, backend):
        async with gateway.client() as client:
            answer = await client.ask(head)
            assert (answer.status, answer.interim, answer.body) == (417, [], b"no")
            assert answer.value(b"connection") == b"close"
            assert await client.rest() == b""
        await gateway.ended()
        assert bytes((await backend.wire()).raw).endswith(b"\r\n\r\n")
    complete = gateway.log.complete()
    assert (complete.status_code, complete.bytes_in) == (417, 0)


async def test_an_http_1_0_client_is_not_told_to_continue(tmp_path: Path) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.body(5)
        await wire.send(OK)

    head = b"POST /echo HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    async with in_front_of(tmp_path, play) as (gateway, _), gateway.client() as client:
        answer = await client.ask(head + b"hello")
        assert (answer.interim, answer.body) == ([], b"ok")


async def test_an_early_answer_reaches_the_client_while_its_body_is_coming(tmp_path: Path) -> None:
    """The rest of the body is read past, and the connection serves the next request."""

    async def play(wire: Wire) -> None:
        head = await wire.head()
        if b"POST" in head:
            await wire.body(3)
        await wire.send(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
        await wire.until_closed()

    async with in_front_of(tmp_path, play) as (gateway, _):
        async with gateway.client() as client:
            await client.send(request(b"/echo", b"Content-Length: 1000000", method=b"POST"), b"abc")
            answer = await client.answer()
            assert (answer.status, answer.body) == (403, b"no")
            await client.send(b"x" * 999_997)
            assert (await client.ask(request())).status == 403
        await gateway.ended(2)
    assert [event.outcome for event in gateway.log.completes()] == ["complete", "complete"]


async def test_a_broken_rest_of_an_early_answered_body_leaves_no_second_record(
    tmp_path: Path,
) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK)
        await wire.until_closed()

    async with in_front_of(tmp_path, play) as (gateway, _):
        async with gateway.client() as client:
            assert (await client.ask(UPLOAD)).status == 200
            await client.send(b"zz\r\n" + request(b"/echo/smuggled"))
            assert await client.rest() == b""
        await gateway.ended()
    assert gateway.log.complete().status_code == 200


async def test_an_http_1_0_client_gets_no_chunks_and_the_connections_end(tmp_path: Path) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(CHUNKED + b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")

    async with in_front_of(tmp_path, play) as (gateway, _), gateway.client() as client:
        await client.send(b"GET /echo HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        answer = await client.answer()
    assert answer.value(b"transfer-encoding") is None
    assert answer.value(b"connection") == b"close"
    assert answer.body == b"onetwo"


async def test_an_http_1_0_client_gets_the_length_where_there_is_one(tmp_path: Path) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK)

    async with in_front_of(tmp_path, play) as (gateway, _), gateway.client() as client:
        await client.send(b"GET /echo HTTP/1.0\r\nHost: a\r\n\r\n")
        answer = await client.answer()
        assert answer.value(b"content-length") == b"2"
        assert await client.rest() == b""


async def test_a_client_that_closes_after_each_request_is_told_so(tmp_path: Path) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK)

    async with in_front_of(tmp_path, play) as (gateway, _), gateway.client() as client:
        answer = await client.ask(request(b"/echo", b"Connection: close"))
        assert answer.value(b"connection") == b"close"
        assert await client.rest() == b""


async def test_pipelined_requests_are_answered_in_their_order(tmp_path: Path) -> None:
    async def play(wire: Wire) -> None:
        while True:
            target = (await wire.head()).split(b" ")[1]
            await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" + target[-2:])

    async with in_front_of(tmp_path, play) as (gateway, _):
        async with gateway.client() as client:
            targets = [b"/echo/%02d" % number for number in range(20)]
            await client.send(b"".join(map(request, targets)))
            for target in targets:
                assert (await client.answer()).body == target[-2:]
        await gateway.ended(20)
    assert [event.request_in_url for event in gateway.log.completes()] == [
        target.decode() for target in targets
    ]


@pytest.mark.parametrize("size", [1, 65_536, 3_000_000])
async def test_bodies_of_every_size_come_through_whole(tmp_path: Path, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    async def play(wire: Wire) -> None:
        await wire.head()
        received = await wire.body(size)
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, received)

    async with in_front_of(tmp_path, play) as (gateway, _):
        answer = await gateway.ask(request(method=b"POST", body=body))
        await gateway.ended()
    assert answer.body == body
    complete = gateway.log.complete()
    assert (complete.bytes_in, complete.bytes_out) == (size, size)
