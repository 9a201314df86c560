"""The httpx engine over transports of others: in-process applications, and errors of theirs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
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
)
from gatewaylog.gateway.upstream import Origin
from gatewaylog.gateway.upstream.httpx_engine import HttpxEngine
from tests.gateway.upstream.scripted import HOST, QUICK, Pieces, get, whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ORIGIN = Origin(host="app.example", port=80)


async def application(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    told = b"%b %b?%b " % (scope["method"].encode(), scope["raw_path"], scope["query_string"])
    await send({"type": "http.response.start", "status": 203, "headers": [(b"X-A", b"1")]})
    await send({"type": "http.response.body", "body": told + body})


async def test_an_application_in_the_process_is_a_backend() -> None:
    engine = HttpxEngine(httpx.ASGITransport(application))
    response = await get(
        engine, ORIGIN, method=b"POST", target=b"/a%2Fb?q=%20", body=Pieces(b"he", b"llo")
    )
    assert (response.status, response.headers) == (203, [(b"x-a", b"1")])
    assert await whole(response) == b"POST /a%2Fb?q=%20 hello"
    await engine.aclose()


async def test_an_asterisk_is_a_target() -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["target"])
        return httpx.Response(200)

    engine = HttpxEngine(httpx.MockTransport(answer))
    assert await whole(await get(engine, ORIGIN, method=b"OPTIONS", target=b"*")) == b""
    assert seen == [b"*"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (httpx.ConnectError, ConnectError),
        (httpx.ConnectTimeout, ConnectTimeout),
        (httpx.PoolTimeout, ConnectTimeout),
        (httpx.ReadTimeout, ResponseTimeout),
        (httpx.WriteTimeout, ResponseTimeout),
        (httpx.ReadError, ConnectionClosed),
        (httpx.WriteError, SendError),
        (httpx.LocalProtocolError, SendError),
        (httpx.RemoteProtocolError, ProtocolViolation),
    ],
)
async def test_errors_before_the_head_are_translated(
    theirs: type[httpx.TransportError], ours: type[Exception]
) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        raise theirs("broken")

    with pytest.raises(ours) as caught:
        await get(HttpxEngine(httpx.MockTransport(answer)), ORIGIN)
    assert type(caught.value) is ours


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (httpx.ReadTimeout, AnswerStalled),
        (httpx.ReadError, AnswerBroken),
        (httpx.RemoteProtocolError, AnswerBroken),
    ],
)
async def test_errors_in_the_body_are_translated(
    theirs: type[httpx.TransportError], ours: type[Exception]
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"hel"
        yield b""
        raise theirs("broken")

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=pieces())

    response = await HttpxEngine(httpx.MockTransport(answer)).send(
        ORIGIN, b"GET", b"/", HOST, None, QUICK
    )
    assert await response.read() == b"hel"
    with pytest.raises(ours) as caught:
        await response.read()
    assert type(caught.value) is ours


def test_httpx_is_loaded_by_its_engine_alone() -> None:
    code = (
        "import sys; import gatewaylog.gateway.upstream.httptools_engine; "
        "sys.exit('httpx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
