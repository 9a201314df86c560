"""What becomes of odd header lines, methods and silences on a client's connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewaylog.middleware.forwarded import TrustedProxies
from tests.running import api, running, toml
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path


def get(*lines: bytes, line: bytes = b"GET /echo/1.0.0/x HTTP/1.1") -> bytes:
    return b"\r\n".join((line, b"Host: h", *lines, b"", b""))


async def test_blanks_behind_a_value_are_none_of_it(tmp_path: Path) -> None:
    log = 'request_headers = ["X-Multi"]'
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url, context="/echo/1.0.0"), log=log)) as gateway,
        gateway.client() as client,
    ):
        answer = await client.ask(get(b"X-Multi: a \t ", b"X-Request-ID: abc "))
        assert answer.status == 200
    event = gateway.log.complete()
    assert (event.request_id, dict(event.extra)) == ("abc", {"Header_X_Multi": "a"})


async def test_repeated_lines_are_logged_as_the_one_that_they_stand_for(tmp_path: Path) -> None:
    log = 'request_headers = ["X-Multi"]'
    twice = (b"X-Multi: a", b"X-Multi: b", b"X-Request-ID: one", b"X-Request-ID: two",
             b"User-Agent: u", b"User-Agent: v")  # fmt: skip
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url, context="/echo/1.0.0"), log=log)) as gateway,
        gateway.client() as client,
    ):
        assert (await client.ask(get(*twice))).status == 200
    event = gateway.log.complete()
    assert dict(event.extra) == {"Header_X_Multi": "a, b"}
    assert (event.request_id, event.user_agent) == (None, "u, v")


async def test_connect_is_for_no_api(tmp_path: Path) -> None:
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url, context="/echo/1.0.0"))) as gateway,
        gateway.client() as client,
    ):
        await client.send(get(line=b"CONNECT /echo/1.0.0/x HTTP/1.1"))
        assert (await client.answer()).status == 400
    assert backend.requests == []
    assert gateway.log.error().error_code == "400"


async def test_a_refused_request_is_counted_and_told_its_message_id(tmp_path: Path) -> None:
    log = 'response_header = "activityid"'
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url, context="/echo/1.0.0"), log=log)) as gateway,
        gateway.client() as client,
    ):
        await client.send(get(line=b"GET /echo/1.0.0/a\x01b HTTP/1.1"))
        answer = await client.answer()
    error = gateway.log.error()
    assert (answer.status, error.bytes_out) == (400, len(answer.body))
    assert error.response_to is not None
    assert answer.value(b"activityid") == error.response_to.encode()


async def test_a_client_that_stalls_in_the_head_has_the_outcome_timeout(tmp_path: Path) -> None:
    server = "client_timeout = 0.2"
    async with running(toml(tmp_path, server=server)) as gateway, gateway.client() as client:
        await client.send(b"GET /echo/1.0.0/x HTTP/1.1\r\nHost: h\r\n")
        assert (await client.answer()).status == 400
    assert gateway.log.error().outcome == "timeout"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"X-Forwarded-Proto: https"], 200),
        ([b"Forwarded: for=1.2.3.4;proto=https"], 200),
        ([b"X-Forwarded-Proto: http, https"], 200),
        ([b"X-Forwarded-Proto: gopher"], 403),
        ([], 403),
    ],
)
async def test_a_trusted_proxy_tells_the_scheme(
    tmp_path: Path, lines: list[bytes], status: int
) -> None:
    server = 'trusted_proxies = ["127.0.0.1/32"]'
    more = 'schemes = ["https"]'
    async with StrictBackend() as backend:
        table = api(backend.url, context="/echo/1.0.0", more=more)
        async with running(toml(tmp_path, table, server=server)) as gateway:
            answer = await gateway.ask(get(*lines))
    assert answer.status == status


def test_the_scheme_of_an_untrusted_peer_is_not_believed() -> None:
    proxies = TrustedProxies(["10.0.0.0/8"])
    said = [(b"x-forwarded-proto", b"https")]
    assert proxies.scheme("192.0.2.1", said) is None
    assert proxies.scheme("10.1.1.1", said) == "https"
