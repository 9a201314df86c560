"""The engine's contract over any httpx transport: a replacement, and in-process applications.

What httpx and httpcore cannot keep, whatever is done here:

- `host` goes out first, wherever it stood.
- The whole request is sent before an answer is looked for: an early answer is seen late, and
  `expect: 100-continue` is passed on without waiting for the 100.
- The response's timeout is one for each read of the head, not for the head as a whole.
- h11 is more lenient than our parser: it unfolds obs-fold and takes bare LF, blanks before the
  head, and one Content-Length repeated with one value. What it takes, it takes one way only, and
  it is passed on with the framing that was understood.
- No connection is kept by the transport that is made here: httpcore reads bytes that stand behind
  a response as the next one, which would hand one caller's answer to another (RFC 9112 §11.1).
  A transport that is given may keep them, at its owner's risk.
- `httpx.ASGITransport` runs the application to its end before the response begins, has no
  timeouts, and sees the target as `httpx.URL` normalises it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

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
from gatewaylog.gateway.upstream.request_head import outgoing

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from gatewaylog.gateway.upstream import Headers, Origin, RequestBody, Timeouts

_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=0)
_BEFORE_HEAD: tuple[tuple[type[Exception], type[UpstreamError]], ...] = (
    (httpx.ConnectTimeout, ConnectTimeout),
    (httpx.PoolTimeout, ConnectTimeout),
    (httpx.ConnectError, ConnectError),
    (httpx.TimeoutException, ResponseTimeout),
    (httpx.RemoteProtocolError, ProtocolViolation),
    (httpx.ReadError, ConnectionClosed),
    (httpx.TransportError, SendError),
)


class HttpxEngine:
    """An `Engine` over `transport`; by default over an `httpx.AsyncHTTPTransport` of its own."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._given = transport
        self._own: dict[tuple[ssl.SSLContext | None, str | None], httpx.AsyncBaseTransport] = {}

    async def send(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: Headers,
        body: RequestBody | None,
        timeouts: Timeouts,
    ) -> HttpxResponse:
        """Send one request and return its final response: see `Engine.send`."""
        length = outgoing(method, target, headers, body).length  # refuses what is ambiguous
        if length is None:
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        stream = _Stream(body, length)
        request = _request(origin, method, target, headers, stream, timeouts)
        try:
            response = await self._transport(origin).handle_async_request(request)
        except (httpx.TransportError, UnicodeError) as exc:
            raise _before_head(exc) from exc
        answer = HttpxResponse(response, request, timeouts)
        if problem := _framing_problem(response.status_code, answer.headers):
            await answer.aclose()
            raise ProtocolViolation(problem)
        return answer

    async def aclose(self) -> None:
        """Close every connection of the transports."""
        for transport in (self._given, *self._own.values()):
            if transport is not None:
                await transport.aclose()
        self._own.clear()

    def _transport(self, origin: Origin) -> httpx.AsyncBaseTransport:
        if self._given is not None:
            return self._given
        key = (origin.tls, origin.unix_path)
        if key not in self._own:
            self._own[key] = httpx.AsyncHTTPTransport(
                verify=origin.tls or False, uds=origin.unix_path, limits=_LIMITS, trust_env=False
            )
        return self._own[key]


class HttpxResponse:
    """The `Response` of an httpx response."""

    def __init__(
        self, response: httpx.Response, request: httpx.Request, timeouts: Timeouts
    ) -> None:
        self.status = response.status_code
        self.headers: Headers = [(name.lower(), value) for name, value in response.headers.raw]
        self.finished = False
        self.ready = False  # an httpx transport does not tell
        self._response = response
        self._idle = timeouts.idle
        request.extensions["timeout"]["read"] = timeouts.idle
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - the transport's contract
        self._pieces = aiter(stream)

    async def read(self) -> bytes:
        """Return the next piece, `b""` at the end. Raises AnswerBroken or AnswerStalled."""
        try:
            async with asyncio.timeout(self._idle):
                piece = b""
                while not piece:
                    piece = await anext(self._pieces)
                return piece
        except StopAsyncIteration:
            self.finished = True
            return b""
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise AnswerStalled(f"no further piece within {self._idle:g} s") from exc
        except httpx.TransportError as exc:
            raise AnswerBroken(str(exc)) from exc

    async def aclose(self) -> None:
        """Give the connection back, or close it where the response is not over."""
        await self._response.stream.aclose()  # type: ignore[union-attr]  # async, see __init__


class _Stream(httpx.AsyncByteStream):
    def __init__(self, body: RequestBody | None, length: int | None) -> None:
        self._body = body
        self._left = length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._body is not None and self._left != 0:
            piece = await self._body.read()
            if self._left is not None:
                self._left -= len(piece)
                if not piece or self._left < 0:
                    raise SendError("the request's body does not match its content-length")
            if not piece:
                return
            yield piece


def _request(
    origin: Origin,
    method: bytes,
    target: bytes,
    headers: Headers,
    stream: _Stream,
    timeouts: Timeouts,
) -> httpx.Request:
    timeout = {
        "connect": timeouts.connect,
        "pool": timeouts.connect,
        "write": timeouts.response,
        "read": timeouts.response,
    }
    request = httpx.Request(
        "GET",
        _url(origin, target),
        headers=headers,
        stream=stream,
        extensions={"target": target, "timeout": timeout},
    )
    request.method = method.decode("latin-1")  # the constructor would write it in capitals
    return request


def _url(origin: Origin, target: bytes) -> httpx.URL:
    scheme = "http" if origin.tls is None else "https"
    raw_path = target if target.startswith(b"/") else b"/"
    return httpx.URL(scheme=scheme, host=origin.host, port=origin.port, raw_path=raw_path)


def _before_head(exc: Exception) -> UpstreamError:
    if isinstance(exc, httpx.RemoteProtocolError) and "disconnected" in str(exc):
        return ConnectionClosed("closed before a response head")
    for theirs, ours in _BEFORE_HEAD:
        if isinstance(exc, theirs):
            return ours(str(exc))
    return ConnectError(str(exc))


def _framing_problem(status: int, headers: Headers) -> str | None:
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and codings != [b"chunked"]:
        return "a Transfer-Encoding other than chunked"
    if codings and any(name == b"content-length" for name, _ in headers):
        return "both Transfer-Encoding and Content-Length"
    return None if 200 <= status < 600 else f"the response's status is {status}"
