"""What an engine puts on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import SendError
from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine
from tests.gateway.upstream.scripted import (
    HELLO,
    HOST,
    Pieces,
    StartBackend,
    Wire,
    answers,
    get,
    until,
    whole,
)

if TYPE_CHECKING:
    from gatewaylog.gateway.upstream import Engine, Headers

LINES: Headers = [
    (b"host", b"backend.example"),
    (b"x-b", b"2"),
    (b"x-a", b"1"),
    (b"cookie", b"a=1"),
    (b"x-b", b"  two words\t, \xe4\xff"),
    (b"cookie", b"b=2"),
    (b"x-empty", b""),
]
LINE_BYTES = b"".join(name + b": " + value + b"\r\n" for name, value in LINES)
TARGETS = [b"/", b"/a%2Fb/%7e//x?q=%20&&a", b"/?", b"/a;b=c,d@e!$'()*+?x=[1]{2}|^", b"/a/../b/./c"]


async def takes_body(wire: Wire) -> None:
    while True:
        head = await wire.head()
        if b"chunked" in head:
            await wire.chunks()
        elif b"content-length: 6" in head:
            await wire.body(6)
        await wire.send(HELLO)


@pytest.mark.parametrize("target", TARGETS)
async def test_the_target_goes_out_byte_for_byte(
    engine: Engine, backend: StartBackend, target: bytes
) -> None:
    server = await backend(answers(HELLO))
    assert await whole(await get(engine, server.origin, target=target)) == b"hello"
    assert server.wires[0].raw == b"GET " + target + b" HTTP/1.1\r\nhost: backend.example\r\n\r\n"


async def test_header_lines_keep_order_repeats_and_values_and_none_is_added(
    engine: Engine, backend: StartBackend
) -> None:
    server = await backend(answers(HELLO))
    headers = LINES if isinstance(engine, HttptoolsEngine) else [*LINES[:4], *LINES[5:]]
    expected = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    await whole(await get(engine, server.origin, headers=headers))
    assert server.wires[0].raw == b"GET / HTTP/1.1\r\n" + expected + b"\r\n"


async def test_values_keep_their_outer_blanks_and_host_its_place(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers(HELLO))
    headers = [*LINES[1:], LINES[0]]
    await whole(await get(ours, server.origin, headers=headers))
    expected = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    assert server.wires[0].raw == b"GET / HTTP/1.1\r\n" + expected + b"\r\n"


@pytest.mark.parametrize("method", [b"DELETE", b"OPTIONS", b"PROPFIND", b"custom"])
async def test_any_method_goes_out_as_it_is(
    engine: Engine, backend: StartBackend, method: bytes
) -> None:
    server = await backend(answers(HELLO))
    await whole(await get(engine, server.origin, method=method))
    assert server.wires[0].raw.startswith(method + b" / HTTP/1.1\r\n")


async def test_a_body_of_known_length_goes_out_as_it_is(
    engine: Engine, backend: StartBackend
) -> None:
    server = await backend(takes_body)
    headers = [*HOST, (b"content-length", b"6")]
    body = Pieces(b"abc", b"def")
    await whole(await get(engine, server.origin, method=b"POST", headers=headers, body=body))
    head, _, sent = bytes(server.wires[0].raw).partition(b"\r\n\r\n")
    assert sent == b"abcdef"
    assert head.endswith(b"content-length: 6")


async def test_a_body_of_unknown_length_goes_out_chunked(
    engine: Engine, backend: StartBackend
) -> None:
    server = await backend(takes_body)
    body = Pieces(b"abc", b"d" * 17)
    await whole(await get(engine, server.origin, method=b"POST", body=body))
    head, _, sent = bytes(server.wires[0].raw).partition(b"\r\n\r\n")
    assert head.endswith(b"\r\ntransfer-encoding: chunked")
    assert sent == b"3\r\nabc\r\n11\r\n" + b"d" * 17 + b"\r\n0\r\n\r\n"


async def test_an_empty_body_of_unknown_length_is_one_last_chunk(
    engine: Engine, backend: StartBackend
) -> None:
    server = await backend(takes_body)
    await whole(await get(engine, server.origin, method=b"POST", body=Pieces()))
    assert bytes(server.wires[0].raw).endswith(b"chunked\r\n\r\n0\r\n\r\n")


async def test_a_body_of_length_zero_is_not_read(engine: Engine, backend: StartBackend) -> None:
    server = await backend(answers(HELLO))
    body = Pieces(b"never")
    headers = [*HOST, (b"content-length", b"0")]
    await whole(await get(engine, server.origin, method=b"POST", headers=headers, body=body))
    assert server.wires[0].raw.endswith(b"content-length: 0\r\n\r\n")


@pytest.mark.parametrize("evil", [b"\r", b"\n", b"\0", b"\r\n", b"\r\nx: y", b"\r\n\r\nGET /"])
@pytest.mark.parametrize("place", ["method", "target", "name", "value"])
async def test_no_line_end_or_nul_reaches_the_wire(
    engine: Engine, backend: StartBackend, evil: bytes, place: str
) -> None:
    server = await backend(answers(HELLO))
    put = {"method": b"GET", "target": b"/a", "name": b"x-a", "value": b"b"}
    put[place] += evil + b"z"
    headers = [*HOST, (put["name"], put["value"])]
    with pytest.raises(SendError):
        await get(
            engine, server.origin, method=put["method"], target=put["target"], headers=headers
        )
    await whole(await get(engine, server.origin))
    assert b"z" not in bytes(server.wires[0].raw)


@pytest.mark.parametrize("evil", [b"/a b", b"/a HTTP/1.1", b" /"])
async def test_a_target_with_a_space_is_refused(
    engine: Engine, backend: StartBackend, evil: bytes
) -> None:
    server = await backend(answers(HELLO))
    with pytest.raises(SendError):
        await get(engine, server.origin, target=evil)
    assert not server.wires


@pytest.mark.parametrize(
    "lines",
    [
        [(b"content-length", b"5")],
        [(b"Content-Length", b"5")],
        [(b"transfer-encoding", b"chunked")],
        [(b"content-length", b"0"), (b"content-length", b"0")],
        [(b"content-length", b"+0")],
    ],
)
async def test_framing_without_a_body_is_refused(
    engine: Engine, backend: StartBackend, lines: Headers
) -> None:
    server = await backend(answers(HELLO))
    with pytest.raises(SendError):
        await get(engine, server.origin, headers=[*HOST, *lines])
    assert not server.wires


@pytest.mark.parametrize(
    "lines",
    [
        [(b"transfer-encoding", b"chunked")],
        [(b"content-length", b"3"), (b"content-length", b"3")],
        [(b"content-length", b"3, 3")],
        [(b"content-length", b"")],
        [(b"content-length", b"\xb2")],
    ],
)
async def test_ambiguous_framing_of_a_body_is_refused(
    engine: Engine, backend: StartBackend, lines: Headers
) -> None:
    server = await backend(answers(HELLO))
    with pytest.raises(SendError):
        await get(engine, server.origin, headers=[*HOST, *lines], body=Pieces(b"abc"))
    assert not server.wires


async def test_a_body_longer_than_its_length_stops_before_the_surplus(
    engine: Engine, backend: StartBackend
) -> None:
    async def play(wire: Wire) -> None:
        await wire.until_closed()

    server = await backend(play)
    headers = [*HOST, (b"content-length", b"6")]
    body = Pieces(b"abc", b"defGET / HTTP/1.1")
    with pytest.raises(SendError):
        await get(engine, server.origin, method=b"POST", headers=headers, body=body)
    await until((await server.wire()).closed.is_set)
    assert b"GET" not in server.wires[0].raw


async def test_a_body_shorter_than_its_length_closes_the_connection(
    engine: Engine, backend: StartBackend
) -> None:
    async def play(wire: Wire) -> None:
        await wire.until_closed()

    server = await backend(play)
    headers = [*HOST, (b"content-length", b"6")]
    with pytest.raises(SendError):
        await get(engine, server.origin, method=b"POST", headers=headers, body=Pieces(b"abc"))
    await until((await server.wire()).closed.is_set)


async def test_expect_continue_waits_for_the_backend(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    body = Pieces(b"abcdef")
    reads_before = []

    async def play(wire: Wire) -> None:
        await wire.head()
        reads_before.append(body.reads)
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.body(6)
        await wire.send(HELLO)
        await wire.until_closed()

    server = await backend(play)
    headers = [*HOST, (b"expect", b"100-continue"), (b"content-length", b"6")]
    response = await get(ours, server.origin, method=b"PUT", headers=headers, body=body)
    assert response.status == 200
    assert reads_before == [0]
    await whole(response)


async def test_expect_continue_is_answered_finally_and_the_body_is_never_read(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers(b"HTTP/1.1 417 No\r\ncontent-length: 0\r\n\r\n"))
    body = Pieces(b"abcdef")
    headers = [*HOST, (b"expect", b"100-continue"), (b"content-length", b"6")]
    response = await get(ours, server.origin, method=b"PUT", headers=headers, body=body)
    assert (response.status, body.reads) == (417, 0)
    await whole(response)
    await until(server.wires[0].closed.is_set)  # the backend may still wait for the body


async def test_expect_continue_without_a_word_sends_the_body_after_a_second(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(takes_body)
    headers = [*HOST, (b"expect", b"100-continue"), (b"content-length", b"6")]
    body = Pieces(b"abcdef")
    response = await get(ours, server.origin, method=b"PUT", headers=headers, body=body)
    assert await whole(response) == b"hello"


async def test_a_held_body_of_length_zero_leaves_the_connection_usable(
    ours: HttptoolsEngine, backend: StartBackend
) -> None:
    server = await backend(answers(HELLO))
    headers = [*HOST, (b"expect", b"100-continue"), (b"content-length", b"0")]
    for _ in range(3):
        body = Pieces()
        response = await get(ours, server.origin, method=b"PUT", headers=headers, body=body)
        assert await whole(response) == b"hello"
    await until(lambda: len(server.wires) == 1)
