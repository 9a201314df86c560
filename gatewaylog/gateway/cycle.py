"""One request and its response on a connection of uvicorn's, written the gateway's way.

uvicorn writes head and body apart, which is two system calls and two segments for most responses;
here a head waits for the body that follows at once. An HTTP/1.0 client gets nothing chunked.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from gatewaylog.gateway.client import FOLLOWED, MALFORMED

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent

    from gatewaylog.gateway.protocol import GatewayProtocol

_BODILESS = frozenset((204, 304))
_CLOSE = (b"connection", b"close")
_CHUNKED = (b"transfer-encoding", b"chunked")


class GatewayCycle(RequestResponseCycle):
    """One request and its response.

    What differs from the defaults below is set on the way: most requests come without a body,
    and need neither the buffer nor the event that uvicorn makes for each (3 % of a call).
    """

    body: bytes = b""  # type: ignore[assignment]  # what has come of the body and was not received yet
    more_body = True
    disconnected = False
    response_started = False
    response_complete = False
    chunked_encoding = False
    _held = b""  # a head that waits for its body
    _left: int | None = None  # bytes of the body still to come; None: not known
    _news = False  # something happened since the last message was received
    _waiting: asyncio.Future[None] | None = None  # for that

    def __init__(
        self, connection: GatewayProtocol, scope: Any, *, keep_alive: bool, awaits_100: bool
    ) -> None:
        self.connection = connection
        self.scope = scope
        self.transport = connection.transport
        self.flow = connection.flow
        self.logger = connection.logger
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = awaits_100

    async def run(self) -> None:
        """Serve the request, and leave the running tasks."""
        connection = self.connection
        app: Any = connection.app
        try:
            await self.run_asgi(app)
        finally:
            connection.tasks.discard(cast("Any", asyncio.current_task()))

    def wake(self) -> None:
        """Have `receive` look: more of the body has come, or it is over, or the client has gone."""
        self._news = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def receive(self) -> ASGIReceiveEvent:
        """Return the next message; of a body that can't be read, that it can't."""
        if MALFORMED in self.scope:
            return cast("ASGIReceiveEvent", {"type": MALFORMED})
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self._wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = self.body, b""
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def _wait(self) -> None:
        if not self._news:
            self._waiting = self.connection.loop.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        self._news = False

    async def send(self, message: ASGISendEvent) -> None:
        """Send a part of the response, once the client has taken enough of those before.

        Raises RuntimeError for what is no response (RFC 9112): uvicorn then closes.
        """
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        event: Any = message
        kind = event["type"]
        if kind == "http.response.body" and self.response_started and not self.response_complete:
            self._write(event.get("body", b""), more=event.get("more_body", False))
        elif kind == "http.response.start" and not self.response_started:
            self.response_started = True
            if self.waiting_for_100_continue:
                # Whether the client will send the body is not to be known (RFC 9110 §10.1.1).
                self.keep_alive = self.waiting_for_100_continue = False
            self._held = self._head(event["status"], event.get("headers", ()))
            if FOLLOWED not in event:
                self.transport.write(self._held)
                self._held = b""
        else:
            raise RuntimeError(f"{kind} does not come here")

    def _head(self, status: int, headers: Any) -> bytes:
        lines = list(headers)
        close = False
        for name, value in lines:
            if name == b"content-length":
                self._left = int(value)
            elif name == b"connection":
                close = b"close" in value.lower()
        self.keep_alive = self.keep_alive and not close
        self._frame(status, lines)
        if not self.keep_alive and not close:
            lines.append(_CLOSE)
        head = b"\r\n".join((STATUS_LINE[status][:-2], *map(b": ".join, lines), b"", b""))
        if head.count(b"\n") != len(lines) + 2 or head.count(b"\r") != len(lines) + 2:
            raise RuntimeError("a line end inside a response's header line")
        return head

    def _frame(self, status: int, lines: list[tuple[bytes, bytes]]) -> None:
        """Decide how the body's end is told (RFC 9112 §6.3)."""
        self.chunked_encoding = False
        if status in _BODILESS or self.scope["method"] == "HEAD":
            self._left = 0
        elif self._left is None and self.scope["http_version"] == "1.0":
            self.keep_alive = False
        elif self._left is None:
            self.chunked_encoding = True
            lines.append(_CHUNKED)

    def _write(self, body: bytes, *, more: bool) -> None:
        if self.chunked_encoding:
            data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            data = data if more else data + b"0\r\n\r\n"
        else:
            data = self._counted(body, more=more)
        if self._held:
            data = self._held + data
            self._held = b""
        if data:
            self.transport.write(data)
        if not more:
            self._end()

    def _counted(self, body: bytes, *, more: bool) -> bytes:
        if self.scope["method"] == "HEAD" or self._left is None:
            return b"" if self._left is not None else body
        self._left -= len(body)
        if self._left < 0 or (self._left and not more):
            raise RuntimeError("the response's body is not as long as its content-length says")
        return body

    def _end(self) -> None:
        self.response_complete = True
        self.wake()
        connection = self.connection
        if self.keep_alive:
            connection.on_response_complete()
        elif self.more_body or connection.deaf:
            connection.on_response_complete()
            connection.linger()
        else:
            self.transport.close()
            connection.on_response_complete()
