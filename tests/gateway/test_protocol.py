"""What arrives on a client's connection, however it is framed, is one request or none."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.gateway.upstream.scripted import answers
from tests.http_client import request
from tests.logged import assert_linked
from tests.odd_requests import BROKEN, HIDDEN, REFUSED, WHOLE
from tests.running import api, in_front_of, running, toml, until
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.upstream.scripted import Wire
    from tests.running import Running

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def said(gateway: Running, sent: bytes, *, ends: bool = True) -> bytes:
    """Send all at once, and return all that comes back; `ends`: as the client closes its side."""
    async with gateway.client() as client:
        client.writer.write(sent)
        if ends:
            client.writer.write_eof()
        with contextlib.suppress(ConnectionError):
            return await client.rest()
    return b""


@pytest.mark.parametrize("sent", [pytest.param(*case[1:], id=case[0]) for case in REFUSED.items()])
async def test_an_ambiguous_request_reaches_no_backend_and_leaves_one_error(
    tmp_path: Path, sent: bytes
) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await said(gateway, sent, ends=False)
        await gateway.ended()
        await until(lambda: not gateway.server.server_state.connections)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in answer
    assert backend.requests == []
    error = gateway.log.error()
    assert (error.error_code, error.status_code, error.outcome) == ("400", 400, "complete")


@pytest.mark.parametrize("sent", [pytest.param(*case[1:], id=case[0]) for case in BROKEN.items()])
async def test_a_body_that_can_not_be_read_reaches_no_backend_whole(
    tmp_path: Path, sent: bytes
) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await said(gateway, sent, ends=False)
        await gateway.ended()
        await until(lambda: not gateway.server.server_state.connections)
    assert answer.count(b"HTTP/1.1 400 ") == answer.count(b"HTTP/1.1 ") == 1
    assert backend.requests == []
    error = gateway.log.error()
    assert (error.error_source, error.error_code, error.status_code) == ("fault", "400", 400)
    assert error.outcome == "complete"


@pytest.mark.parametrize(
    ("sent", "body"), [pytest.param(*case[1], id=case[0]) for case in WHOLE.items()]
)
async def test_what_is_one_request_reaches_the_backend_as_one(
    tmp_path: Path, sent: bytes, body: bytes
) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        async with gateway.client() as client:
            assert (await client.ask(sent)).status == 200
        await gateway.ended()
    (received,) = backend.requests
    assert (received.body, received.method) == (body, b"POST")
    assert gateway.log.complete().bytes_in == len(body)


@pytest.mark.parametrize("sent", [pytest.param(*case[1:], id=case[0]) for case in REFUSED.items()])
async def test_an_ambiguous_request_behind_a_good_one_closes_the_connection(
    tmp_path: Path, sent: bytes
) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        answer = await said(gateway, request(b"/echo/good") + sent, ends=False)
        await gateway.ended(2)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert [received.target for received in backend.requests] == [b"/good"]
    assert len(gateway.log.completes()) == 1
    (error,) = gateway.log.errors()
    assert error.error_code == "400"


async def test_each_byte_on_its_own_is_the_same_request(tmp_path: Path) -> None:
    sent, body = WHOLE["extensions"]
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        async with gateway.client() as client:
            for at in range(len(sent)):
                await client.send(sent[at : at + 1])
                await asyncio.sleep(0)
            assert (await client.answer()).status == 200
        await gateway.ended()
    assert [received.body for received in backend.requests] == [body]


@pytest.mark.parametrize("name", ["huge line", "huge target"])
async def test_a_head_without_an_end_is_refused_before_it_grows(tmp_path: Path, name: str) -> None:
    begin = b"GET /echo HTTP/1.1\r\nHost: a\r\nX: " if name == "huge line" else b"GET /echo/"
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        async with gateway.client() as client:
            await client.send(begin)
            with contextlib.suppress(ConnectionError):
                for _ in range(64):
                    await client.send(b"x" * 4096)
            assert (await client.answer()).status == 400
        await gateway.ended()
    assert backend.requests == []
    assert gateway.log.error().request_in_url is not None


@pytest.mark.parametrize("behind", [b"", request(b"/echo/good")])
async def test_a_head_of_64_kib_is_the_largest_however_it_arrives(
    tmp_path: Path, behind: bytes
) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        for size, status in ((63_000, 200), (66_000, 400)):
            async with gateway.client() as client:
                await client.send(behind + request(b"/echo/large", b"X: " + b"y" * size))
                if behind:
                    assert (await client.answer()).status == 200
                if status == 200 or not behind:
                    assert (await client.answer()).status == status
                else:  # it is not answered once another answer is under way
                    assert b"HTTP/1.1 200" not in await client.rest()
    assert [received.target for received in backend.requests].count(b"/large") == 1


async def test_the_record_of_a_refused_request_has_what_could_be_read(tmp_path: Path) -> None:
    sent = request(b"/echo/a?b=c&token=secret", b"User-Agent: ua", b"X\x00: y", method=b"PROPFIND")
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await said(gateway, sent)
        await gateway.ended()
    error = gateway.log.error()
    assert (error.error_source, error.request_in_method) == ("main", "PROPFIND")
    assert error.request_in_url == "/echo/a?b=c&token=REDACTED"
    assert (error.user_agent, error.remote_ip) == ("ua", "127.0.0.1")


async def test_a_client_that_leaves_in_the_head_leaves_a_record(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await said(gateway, b"GET /echo/a?b HTTP/1.1\r\nHost: a\r\nUser-Ag")
        await gateway.ended()
    error = gateway.log.error()
    assert (error.error_source, error.error_code) == ("main", "400")
    assert (error.status_code, error.outcome) == (499, "client_abort")
    assert (error.request_in_method, error.request_in_url) == ("GET", "/echo/a?b")


async def test_a_connection_without_a_byte_leaves_no_record(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        assert await said(gateway, b"") == b""
        assert await said(gateway, b"\r\n\r\n") == b""
        await gateway.ask(request())
        await gateway.ended()
    assert len(gateway.log.terminals()) == 1


async def test_a_refused_client_that_still_sends_can_read_its_answer(tmp_path: Path) -> None:
    """Closing at once would reset the connection, and the answer with it."""
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        for sent in (REFUSED["CL and TE"], request(b"/none", b"Content-Length: 9999999")):
            async with gateway.client() as client:
                await client.send(sent, *(b"x" * 65536 for _ in range(64)))
                assert (await client.answer()).status in {400, 404}
    assert backend.requests == []


async def test_a_hidden_request_is_not_answered_while_the_first_one_runs(tmp_path: Path) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.until_closed()

    async with in_front_of(tmp_path, play) as (gateway, backend):
        async with gateway.client() as client:
            sent = request(b"/echo", b"Transfer-Encoding: chunked", method=b"POST")
            await client.send(sent + b"5\r\nhello\r\nzz\r\n" + HIDDEN)
            assert (await client.answer()).status == 400
            assert await client.rest() == b""
        await gateway.ended()
        assert all(b"smuggled" not in wire.raw for wire in backend.wires)
    error = gateway.log.error()
    assert (error.error_code, error.outcome, error.attempts) == ("400", "complete", 1)


async def test_pipelined_requests_are_each_one_exchange(tmp_path: Path) -> None:
    async with in_front_of(tmp_path, answers(OK)) as (gateway, _):
        async with gateway.client() as client:
            await client.send(request() * 50)
            for _ in range(50):
                assert (await client.answer()).body == b"ok"
        await gateway.ended(50)
    assert len(gateway.log.completes()) == 50


PLACES = {
    "target": b"GET /echo/a%bz HTTP/1.1\r\nHost: a\r\n\r\n",
    "query": b"GET /echo?a%bz HTTP/1.1\r\nHost: a\r\n\r\n",
    "User-Agent": b"GET /echo HTTP/1.1\r\nHost: a\r\nUser-Agent: a%bz\r\n\r\n",
    "X-Request-ID": b"GET /echo HTTP/1.1\r\nHost: a\r\nX-Request-ID: a%bz\r\n\r\n",
    "X-Forwarded-For": b"GET /echo HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: a%bz\r\n\r\n",
    "Host": b"GET /echo HTTP/1.1\r\nHost: a%bz\r\n\r\n",
    "the method": b"G%bET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
}
FORGED = b'", Event="REQUEST_COMPLETE", API="x'


@pytest.mark.parametrize("place", PLACES)
async def test_no_byte_forges_a_line_or_a_field(tmp_path: Path, place: str) -> None:
    """One event stays one line, and what could be read of a value parses back equal."""
    odd = [bytes([code]) for code in range(256)] + [FORGED, "\u2028\u202e\x85".encode()]
    async with StrictBackend() as backend:
        text = toml(tmp_path, api(backend.url), server='trusted_proxies = ["127.0.0.1"]')
        async with running(text) as gateway:
            for value in odd:
                async with gateway.client() as client:
                    await client.send(PLACES[place] % value)
                    await client.answer()
            await gateway.ended(len(odd))
    events = gateway.log.events()
    assert_linked(events)
    assert len(gateway.log.terminals()) == len(odd)
    if place in {"target", "query"}:
        told = [event.request_in_url or "" for event in gateway.log.terminals()]
        prefix = "/echo/a" if place == "target" else "/echo?a"
        for value, url in zip(odd, told, strict=True):
            if b"\n" not in value:
                assert url == prefix + value.decode("utf-8", "surrogateescape") + "z"
