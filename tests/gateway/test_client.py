"""Limits on a client: how much it may send, and how long it may be silent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gatewaylog.gateway import server
from tests.http_client import request
from tests.running import api, in_front_of, running, toml, until
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.gateway.upstream.scripted import Wire

CHUNKED = request(b"/echo", b"Transfer-Encoding: chunked", method=b"PUT")
SMALL = 'max_body = "1KiB"'


async def take_all(wire: Wire) -> None:
    await wire.until_closed()


async def test_a_length_over_the_limit_is_refused_before_any_backend_is_asked(
    tmp_path: Path,
) -> None:
    async with in_front_of(tmp_path, take_all, server=SMALL) as (gateway, backend):
        async with gateway.client() as client:
            await client.send(request(b"/echo", b"Content-Length: 1025", method=b"PUT"))
            answer = await client.answer()
            assert answer.status == 413
            assert answer.value(b"connection") == b"close"
            assert await client.rest() == b""
        await gateway.ended()
        assert backend.wires == []
    error = gateway.log.error()
    assert (error.error_code, error.error_message) == ("413", "Content Too Large")
    assert error.attempts is None


async def test_a_length_at_the_limit_is_taken(tmp_path: Path) -> None:
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url), server=SMALL)) as gateway,
    ):
        answer = await gateway.ask(request(method=b"PUT", body=b"x" * 1024))
        await gateway.ended()
    assert answer.status == 200
    assert gateway.log.complete().bytes_in == 1024


async def test_chunks_over_the_limit_are_refused_where_they_pass_it(tmp_path: Path) -> None:
    async with in_front_of(tmp_path, take_all, server=SMALL) as (gateway, backend):
        async with gateway.client() as client:
            await client.send(CHUNKED + b"400\r\n" + b"x" * 1024 + b"\r\n")
            await until(lambda: backend.wires and b"xxx" in backend.wires[0].raw)
            await client.send(b"1\r\nx\r\n")
            answer = await client.answer()
            assert answer.status == 413
            assert await client.rest() == b""
        await gateway.ended()
        await until(lambda: backend.wires[0].closed.is_set())
        assert not backend.wires[0].raw.endswith(b"0\r\n\r\n")
    error = gateway.log.error()
    assert (error.error_code, error.bytes_in, error.attempts) == ("413", 1025, 1)


async def test_an_expectation_over_the_limit_is_refused_without_the_body(tmp_path: Path) -> None:
    async with in_front_of(tmp_path, take_all, server=SMALL) as (gateway, _):
        answer = await gateway.ask(
            request(b"/echo", b"Expect: 100-continue", b"Content-Length: 9999", method=b"PUT")
        )
    assert (answer.status, answer.interim) == (413, [])


async def test_a_body_that_stops_coming_is_refused_with_408(tmp_path: Path) -> None:
    async with in_front_of(tmp_path, take_all, server="client_timeout = 0.2") as (gateway, backend):
        async with gateway.client() as client:
            await client.send(CHUNKED + b"2\r\nab\r\n")
            answer = await client.answer()
            assert answer.status == 408
            assert await client.rest() == b""
        await gateway.ended()
        await until(lambda: backend.wires[0].closed.is_set())
    error = gateway.log.error()
    assert (error.error_code, error.error_message) == ("408", "Request Timeout")
    assert (error.outcome, error.bytes_in, error.attempts) == ("timeout", 2, 1)


async def test_a_body_that_comes_slowly_is_taken(tmp_path: Path) -> None:
    """The time is between two pieces, not for the whole."""
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url), server="client_timeout = 0.3")) as gateway,
        gateway.client() as client,
    ):
        await client.send(CHUNKED)
        for _ in range(5):
            await asyncio.sleep(0.1)
            await client.send(b"1\r\nx\r\n")
        await client.send(b"0\r\n\r\n")
        assert (await client.answer()).status == 200
    assert backend.requests[0].body == b"xxxxx"


async def test_a_head_that_stops_coming_is_refused_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_SWEEP", 0.02)
    async with in_front_of(tmp_path, take_all, server="client_timeout = 0.2") as (gateway, _):
        async with gateway.client() as client:
            await client.send(b"GET /echo?slow HTTP/1.1\r\nHost: a\r\n")
            assert (await client.answer()).status == 400
            assert await client.rest() == b""
        await gateway.ended()
    error = gateway.log.error()
    assert (error.error_source, error.error_code) == ("main", "400")
    assert (error.request_in_url, error.status_code) == ("/echo?slow", 400)


async def test_a_connection_without_a_request_is_closed_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_SWEEP", 0.02)
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url), server="client_timeout = 0.2")) as gateway,
    ):
        async with gateway.client() as unused, gateway.client() as used:
            assert (await used.ask(request())).status == 200
            assert await unused.rest() == b""
            assert await used.rest() == b""
        await gateway.ended()
    assert len(gateway.log.terminals()) == 1


async def test_a_client_that_waits_for_its_answer_may_be_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_SWEEP", 0.02)

    async def slow(wire: Wire) -> None:
        await wire.head()
        await asyncio.sleep(0.5)
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with in_front_of(tmp_path, slow, server="client_timeout = 0.2") as (gateway, _):
        assert (await gateway.ask(request())).body == b"ok"


async def test_a_client_that_takes_nothing_of_its_answer_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its exchange would never end."""
    monkeypatch.setattr(server, "_SWEEP", 0.02)

    async def endless(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await wire.send(b"x" * 65536)

    async with (
        in_front_of(tmp_path, endless, server="client_timeout = 0.3") as (gateway, _),
        gateway.client() as client,
    ):
        await client.send(request())
        await client.head()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await gateway.ended()
    complete = gateway.log.complete()
    assert (complete.status_code, complete.outcome) == (200, "client_abort")


async def test_an_answer_is_read_no_faster_than_the_client_takes_it(tmp_path: Path) -> None:
    sent = 0

    async def endless(wire: Wire) -> None:
        nonlocal sent
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await wire.send(b"x" * 65536)
            sent += 65536

    async with in_front_of(tmp_path, endless) as (gateway, _):
        async with gateway.client() as client:
            await client.send(request())
            await client.head()
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.2)
            assert sent < 32 * 1024 * 1024
        await gateway.ended()
    assert gateway.log.complete().outcome == "client_abort"
