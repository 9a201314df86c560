"""uvicorn's HTTP/1.1 connection, with what the gateway must see and uvicorn keeps to itself.

That is: the request target's raw bytes, requests that uvicorn refuses before any application sees
them, the moment a client goes away, and HTTP/1.0 clients, to which nothing may be sent chunked.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gatewaylog import errors
from gatewaylog.gateway.answers import refusal
from gatewaylog.gateway.client import CONNECTION, MALFORMED
from gatewaylog.gateway.cycle import GatewayCycle
from gatewaylog.gateway.targets import ASTERISK, accept_of
from gatewaylog.middleware.asgi import TARGET

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from gatewaylog.gateway.serving import Serving

_MAX_HEAD = 64 * 1024  # bytes of a request's target and header lines


class GatewayProtocol(HttpToolsProtocol):
    """One client connection."""

    on_lost: Callable[[], None] | None = None  # called once when the client goes away
    app: Serving
    heard = 0.0  # loop time of the last byte from the client
    _head = 0  # bytes of the current request's head so far

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count the client's silence."""
        super().connection_made(transport)
        self.heard = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever serves a request that its client is gone."""
        if self._head and self.waits_for_head:
            self._note_refusal(gone=True)
        super().connection_lost(exc)
        if self.on_lost is not None:
            on_lost, self.on_lost = self.on_lost, None
            on_lost()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        self.heard = self.loop.time()
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._head = 1
        self._own_scope[CONNECTION] = self

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        super().on_url(url)
        self._measure(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header line."""
        super().on_header(name, value)
        self._measure(len(name) + len(value))

    def _measure(self, size: int) -> None:
        self._head += size
        if self._head > _MAX_HEAD:
            raise ValueError("request head too large")  # ends in send_400_response

    def on_headers_complete(self) -> None:
        """Hand the request over, with its target as it was sent."""
        self._head = 0
        self._own_scope[TARGET] = self.url
        if self.url == ASTERISK:
            self.url = b"/*"  # uvicorn can't parse an asterisk; the target tells
        super().on_headers_complete()
        cycle = self.cycle
        if cycle.scope is self.scope:
            # uvicorn makes the cycle itself; its class is the only place to change what it does.
            cycle.__class__ = GatewayCycle

    @property
    def waits_for_head(self) -> bool:
        """Whether no request is being served: the client is expected to send one."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def send_400_response(self, msg: str) -> None:
        """Refuse what can't be read, and leave its record.

        A request that is being served ends by itself: where its body is what can't be read its
        exchange learns so and answers, and a next request behind it only closes the connection.
        """
        if self.waits_for_head:
            self._note_refusal()
            self._write_refusal()
            self.transport.close()
            return
        cycle = self.cycle
        cycle.keep_alive = False
        if not cycle.more_body:
            self._note_refusal()
        elif MALFORMED not in cycle.scope:
            cast("dict[str, Any]", cycle.scope)[MALFORMED] = True
            cycle.message_event.set()

    def _write_refusal(self) -> None:
        headers, body = refusal(errors.BAD_REQUEST, accept_of(self.headers or []))
        headers += [
            (b"date", formatdate(time.time(), usegmt=True).encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        lines = b"".join(b"%b: %b\r\n" % line for line in headers)
        self.transport.write(STATUS_LINE[400] + lines + b"\r\n" + body)

    @property
    def _own_scope(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self.scope)

    def _note_refusal(self, *, gone: bool = False) -> None:
        """Write the ERROR of a request that no application saw, with what of it was readable."""
        begun = self._head > 0
        self._head = 0
        method = self.parser.get_method() if begun else b""
        scope: dict[str, Any] = {
            "type": "http",
            "method": method.decode("ascii") if method.isalpha() else None,
            "client": self.client,
            "headers": self.headers if begun else [],
            TARGET: self.url if begun else b"",
        }
        self.app.refused(scope, gone=gone)

    def silent_too_long(self, now: float, seconds: float) -> None:
        """Close the connection of a client that has not sent a whole request for too long."""
        if self.waits_for_head and now - self.heard > seconds:
            if self._head:
                self.send_400_response("")
            else:
                self.transport.close()
