"""What passes over a WebSocket, seen for the log (ASGI specification, WebSocket)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewaylog.exchange import Exchange, Outcome
    from gatewaylog.middleware.asgi import Message, Receive, Send

SWITCHING = 101
_REFUSED = 403  # what a server answers when the application closes before it accepts
_ORDERLY = frozenset({1000, 1001, 1005})  # RFC 6455 §7.4.1; 1005: closed without a code
_RESTART = 1012


class WebSocketWatch:
    """Counts payload bytes both ways and sees who ends the session."""

    __slots__ = ("_closed", "_receive", "_send", "exchange")

    def __init__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        self.exchange = exchange
        self._receive = receive
        self._send = send
        self._closed = False
        exchange.received = True  # a handshake has no body

    async def receive(self) -> Message:
        """Pass a message to the application."""
        message = await self._receive()
        exchange = self.exchange
        if message["type"] == "websocket.receive":
            exchange.bytes_in += _length(message)
        elif message["type"] == "websocket.disconnect" and not self._closed:
            self._closed = True
            code = message.get("code") or 1005
            if code == _RESTART:
                exchange.broke = exchange.broke or "shutdown"
            elif code not in _ORDERLY or exchange.status is None:
                exchange.broke = exchange.broke or "client_abort"
        return message

    async def send(self, message: Message) -> None:
        """Pass a message to the server."""
        exchange = self.exchange
        kind = message["type"]
        if kind in {"websocket.accept", "websocket.http.response.start"}:
            header = exchange.response_header()
            if header is not None:
                message = {**message, "headers": [*message.get("headers", ()), header]}
        try:
            await self._send(message)
        except OSError:
            # So a server tells that the client has gone (ASGI specification, WebSocket, 2.4).
            exchange.broke = exchange.broke or "client_abort"
            raise
        if kind == "websocket.accept":
            exchange.status = SWITCHING
        elif kind == "websocket.send":
            exchange.bytes_out += _length(message)
        elif kind == "websocket.close":
            self._closed = True
            exchange.status = exchange.status or _REFUSED
        elif kind == "websocket.http.response.start":
            exchange.status = message["status"]
        elif kind == "websocket.http.response.body":
            exchange.bytes_out += len(message.get("body", b""))
            self._closed = not message.get("more_body", False)

    def outcome(self) -> Outcome:
        """Say how the exchange ended, now that the application has returned."""
        if self._closed:
            return "complete"
        return "app_exception" if self.exchange.status is None else "upstream_abort"


def _length(message: Message) -> int:
    data = message.get("bytes")
    if data is not None:
        return len(data)
    return len((message.get("text") or "").encode("utf-8", "surrogatepass"))
