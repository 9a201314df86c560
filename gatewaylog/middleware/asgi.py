"""The access log around an ASGI application (HTTP and WebSocket; ASGI specification 3.0).

The log never changes the exchange: messages pass as they are and when they come, but for
INCOMING_REQUEST being written before the application sees the request.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import quote

from gatewaylog import errors
from gatewaylog.admission import admitted
from gatewaylog.exchange import running
from gatewaylog.middleware.opening import Opening
from gatewaylog.middleware.unavailable import refuse
from gatewaylog.middleware.websocket import WebSocketWatch

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping

    from gatewaylog.accesslog import AccessLog, LogOptions
    from gatewaylog.errors import Failure
    from gatewaylog.exchange import Exchange, Outcome, Rules
    from gatewaylog.middleware.forwarded import TrustedProxies
    from gatewaylog.sinks import Sink

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

EXCHANGE = "gatewaylog.exchange"  # the exchange's key in the scope
_ORIGIN = re.compile(rb"\A[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_PATH_SAFE = "/:@!$&'()*+,;="  # RFC 3986 §3.3
_SHUT_DOWN = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed"})
TARGET = "gatewaylog.target"  # the request target's raw bytes, where a server tells them


class AccessLogMiddleware:
    """Writes INCOMING_REQUEST and the terminal event of each call of `app`.

    `log` is a path, `"-"`, a sink or an AccessLog; all other options of AccessLog can stand
    beside it. `api` is the API's label, or `apis` maps path prefixes (whole segments, the longest
    wins) to labels. `trusted_proxies` are networks whose Forwarded or X-Forwarded-For is
    believed. `terminal` replaces the rules of `gatewaylog.exchange.which_failure`. With `defer`
    the application tells the API itself, by `Exchange.begin`, and the credential by `present`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        log: str | os.PathLike[str] | Sink | AccessLog = "api-access.log",
        api: str | None = None,
        apis: Mapping[str, str] | None = None,
        trusted_proxies: Iterable[str] | TrustedProxies = (),
        terminal: Rules | None = None,
        defer: bool = False,
        **options: Unpack[LogOptions],
    ) -> None:
        self.app = app
        self._defer = defer
        self._opening = Opening(
            log,
            api=api,
            apis=apis,
            trusted_proxies=trusted_proxies,
            terminal=terminal,
            defer=defer,
            **options,
        )
        self.log = self._opening.log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; what is neither HTTP nor WebSocket passes as it is."""
        kind = scope["type"]
        if kind == "http":
            watch: Watch | WebSocketWatch = Watch(self._open(scope), receive, send)
        elif kind == "websocket":
            watch = WebSocketWatch(self._open(scope), receive, send)
        elif kind == "lifespan":
            await self._live(scope, receive, send)
            return
        else:
            await self.app(scope, receive, send)
            return
        exchange = watch.exchange
        outer = running.get()
        running.set(exchange)
        try:
            if exchange.held and not await admitted(exchange):
                await refuse(exchange, scope, watch.send)
            else:
                await self.app(scope, watch.receive, watch.send)
        except BaseException as error:
            exchange.end(exchange.broke or _ending(error, watch))
            raise
        finally:
            # Not reset by a token: a coroutine that is dropped may be closed in another context.
            running.set(outer)
            if not exchange.ended:
                exchange.end(exchange.broke or watch.outcome())

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the application's life through, and leave the log whole where that ends: some
        servers end by a signal then (uvicorn), so that Python's own end of a process never comes.
        """

        async def watched(message: Message) -> None:
            if message["type"] in _SHUT_DOWN:
                self.log.leave()
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            self.log.leave()

    def record(
        self, scope: Scope, outcome: Outcome, failure_of: Callable[[Exchange], Failure]
    ) -> Exchange:
        """Record a request that never reached the application, as its server refused it."""
        exchange = self._open(scope)
        exchange.failed(failure_of(exchange))
        exchange.end(outcome)
        return exchange

    def _open(self, scope: Scope) -> Exchange:
        client = scope.get("client")
        url = _url(scope)
        exchange = self._opening.open(
            scope.get("method", "GET"),
            url.decode("utf-8", "surrogateescape"),
            (client[0] or None) if client else None,
            scope["headers"],
        )
        scope[EXCHANGE] = exchange
        if not self._defer:
            self._opening.begin(exchange, scope["path"])
        return exchange


def _ending(error: BaseException, watch: Watch | WebSocketWatch) -> Outcome:
    """Say what an exception that leaves the application means: a cancellation is no fault of it."""
    from asyncio import CancelledError  # not before it is needed: it takes 30 ms to load

    if not isinstance(error, (CancelledError, GeneratorExit)):
        return "app_exception"
    return "complete" if watch.outcome() == "complete" else "shutdown"


def _url(scope: Scope) -> bytes:
    """Return path and query as the client sent them, as far as the server tells."""
    target: bytes | None = scope.get(TARGET)
    if target is not None:
        return target if target.startswith(b"/") else _ORIGIN.sub(b"", target)
    path = scope.get("raw_path")
    query = scope.get("query_string")
    if path is None:
        path = quote(scope["path"], safe=_PATH_SAFE, errors="surrogatepass").encode()
    return path + b"?" + query if query else path


class Watch:
    """Sees what passes between server and application, and tells the exchange."""

    __slots__ = ("_receive", "_send", "_whole", "exchange")

    def __init__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        self.exchange = exchange
        self._receive = receive
        self._send = send
        self._whole = False  # the response's last byte was handed over

    async def receive(self) -> Message:
        """Pass a message to the application; count its body, see the client go."""
        message = await self._receive()
        if message["type"] == "http.request":
            exchange = self.exchange
            exchange.bytes_in += len(message.get("body", b""))
            if not message.get("more_body", False):
                exchange.received = True
        elif message["type"] == "http.disconnect" and not self._whole:
            self.exchange.broke = self.exchange.broke or "client_abort"
        return message

    async def send(self, message: Message) -> None:
        """Pass a message to the server; end the exchange with the last byte of the response."""
        exchange = self.exchange
        kind = message["type"]
        if kind == "http.response.start" and (header := exchange.response_header()) is not None:
            message = {**message, "headers": [*message.get("headers", ()), header]}
        try:
            await self._send(message)
        except OSError:
            # So a server tells that the client has gone (ASGI specification, HTTP, 2.4).
            exchange.broke = exchange.broke or "client_abort"
            raise
        if kind == "http.response.body":
            exchange.bytes_out += len(message.get("body", b""))
            if not message.get("more_body", False):
                self._end()
        elif kind == "http.response.start":
            exchange.status = message["status"]
        elif kind == "http.response.pathsend":
            exchange.bytes_out += _size(message["path"])
            self._end()
        elif kind == "http.response.zerocopysend":
            exchange.bytes_out += message.get("count") or 0
            if not message.get("more_body", False):
                self._end()

    def _end(self) -> None:
        """End the exchange; a 500 when the application returns, as Starlette raises the exception
        again after its answer.
        """
        self._whole = True
        if self.exchange.status != errors.INTERNAL_ERROR.status:
            self.exchange.end("complete")

    def outcome(self) -> Outcome:
        """Say how the exchange ended, now that the application has returned."""
        if self._whole:
            return "complete"
        return "app_exception" if self.exchange.status is None else "upstream_abort"


def _size(path: str) -> int:
    from pathlib import Path

    try:
        return Path(path).stat().st_size
    except OSError:
        return 0  # it was sent, and is gone already
