"""A client's WebSocket as uvicorn serves it, with what the gateway must see and say."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gatewaylog.gateway.answers import bad_request, body_length
from gatewaylog.gateway.client import CONNECTION
from gatewaylog.middleware.asgi import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvicorn._types import ASGISendEvent
    from websockets.http11 import Request

    from gatewaylog.gateway.serving import Serving

_VERSION = (b"sec-websocket-version", b"13")  # RFC 6455 §4.4
_ABNORMAL = 1006  # RFC 6455 §7.4.1: tells that the connection ended without a close


class SessionProtocol(WebSocketsSansIOProtocol):
    """One WebSocket; `target` and `lines` are its handshake's as they were sent."""

    app: Serving
    on_lost: Callable[[], None] | None = None  # called once when the client goes away
    target = b""
    lines: list[tuple[bytes, bytes]] = []  # noqa: RUF012 - never changed

    def handle_connect(self, event: Request) -> None:
        """Open the session, or leave the record of a handshake that is none."""
        if self.conn.accept(event).status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._refuse()
            return
        super().handle_connect(event)
        cast("dict[str, Any]", self.scope).update({TARGET: self.target, CONNECTION: self})

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self._refuse()  # larger than a handshake may be

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message; one that comes after the client's close is dropped.

        That is no going away, as the disconnect of an orderly close is still to be received.
        """
        try:
            await super().send(message)
        except ClientDisconnected:
            if self.conn.close_rcvd is None:
                raise

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the going of a client that did not close its session."""
        if self.handshake_complete and self.conn.close_rcvd is None and not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": _ABNORMAL})
        super().connection_lost(exc)
        if self.on_lost is not None:
            on_lost, self.on_lost = self.on_lost, None
            on_lost()

    def shutdown(self) -> None:
        """Let a running session go on: the server ends it when `drain` is over."""
        if self.close_sent:
            super().shutdown()

    def _refuse(self) -> None:
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        answer = bad_request(self.lines, _VERSION)
        self.transport.write(answer)
        self.transport.close()
        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "client": self.client,
            "headers": self.lines,
            TARGET: self.target,
        }
        self.app.refused(scope, "complete", body_length(answer))
