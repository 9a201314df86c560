"""One connection of ASGI while the gateway serves it: how it is refused, denied, cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gatewaylog import errors
from gatewaylog.exchange import CLIENT_GONE
from gatewaylog.gateway.answers import answer, refusal
from gatewaylog.gateway.client import CONNECTION, Listener
from gatewaylog.gateway.targets import accept_of
from gatewaylog.middleware.asgi import EXCHANGE

if TYPE_CHECKING:
    from gatewaylog.errors import Failure
    from gatewaylog.exchange import Exchange, Outcome
    from gatewaylog.gateway.answers import Headers
    from gatewaylog.gateway.client import Body
    from gatewaylog.gateway.protocol import GatewayProtocol
    from gatewaylog.gateway.session import SessionProtocol
    from gatewaylog.middleware.asgi import Receive, Scope, Send

_CLIENTS = frozenset((errors.UNROUTABLE, errors.CONTENT_TOO_LARGE))  # the request's own faults
_OUTCOMES: dict[Failure, Outcome] = {
    errors.REQUEST_TIMEOUT: "timeout",
    errors.CONNECT_TIMEOUT: "timeout",
    errors.RESPONSE_TIMEOUT: "timeout",
    errors.CONNECTION_CLOSED: "upstream_abort",
    errors.PROTOCOL_VIOLATION: "upstream_abort",
}
_SERVICE_RESTART = 1012  # IANA's WebSocket close code registry
_SECURE = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


def _broken_by(failure: Failure) -> Outcome:
    """Say what ended an exchange whose answer had begun, or whose client has gone."""
    if failure.status == CLIENT_GONE or failure in _CLIENTS:
        return "client_abort"
    return _OUTCOMES.get(failure, "upstream_abort")


class Call:
    """One connection of ASGI while it is served."""

    added: Headers = []  # noqa: RUF012 - lines for the response, whoever gives it; never changed
    gone = False  # the client went away
    _serving: asyncio.Task[object] | None = None
    _listener: Listener | None = None

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.method: str = scope.get("method", "GET")
        client = scope.get("client")
        self.address: str | None = (client[0] or None) if client else None  # None: a unix socket
        self.exchange: Exchange = scope[EXCHANGE]
        self.scheme = _SECURE[scope.get("scheme", "http")]
        self.connection: GatewayProtocol | SessionProtocol | None = scope.get(CONNECTION)

    def watch(self, body: Body | None) -> None:
        """Cancel the running task when the client goes away."""
        if self.connection is not None:
            self._serving = asyncio.current_task(self.connection.loop)
            self.connection.on_lost = self._leave
        else:
            self._serving = asyncio.current_task()
            self._listener = Listener(self.receive, body, self._leave)

    def unwatch(self) -> None:
        """Let the client go without a word."""
        self._serving = None
        if self.connection is not None:
            self.connection.on_lost = None
        elif self._listener is not None:
            self._listener.stop()

    def _leave(self) -> None:
        self.gone = True
        if self._serving is not None:
            self._serving.cancel()

    async def refuse(self, failure: Failure, headers: Headers) -> None:
        """Answer that the call failed, where the client can still be answered."""
        self.unwatch()
        exchange = self.exchange
        if failure.status == CLIENT_GONE or exchange.status is not None:
            exchange.broke = exchange.broke or _broken_by(failure)
            return
        exchange.failed(failure)
        exchange.broke = exchange.broke or _OUTCOMES.get(failure)
        shape, body = refusal(failure, accept_of(self.scope["headers"]))
        lines = [*shape, *headers, *self.added]
        if not exchange.received and self.scope["type"] == "http":
            # What is still to come of the body is not read: the next request could not be found.
            lines.append((b"connection", b"close"))
        await self._answer(failure.status, lines, body)

    async def _answer(self, status: int, lines: Headers, body: bytes) -> None:
        if self.scope["type"] == "http":
            await answer(self.send, status, lines, body)
        else:
            await self.deny(status, lines, body)

    async def cancelled(self) -> None:
        """End after a cancellation: by the client's going, or by the gateway's being stopped."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        if self.gone:
            self.exchange.broke = "client_abort"
            return
        self.exchange.broke = "shutdown"
        if self.exchange.status is None:
            await self.refuse(errors.SHUTTING_DOWN, [])
        elif self.scope["type"] == "websocket":
            await self.send({"type": "websocket.close", "code": _SERVICE_RESTART})

    async def deny(self, status: int, lines: Headers, body: bytes) -> None:
        """Refuse a WebSocket: with this answer where the server can give it, else with its 403."""
        if "websocket.http.response" not in self.scope.get("extensions", {}):
            await self.send({"type": "websocket.close"})
            return
        framed = [line for line in lines if line[0] != b"content-length"]
        framed.append((b"content-length", str(len(body)).encode()))
        await self.send(
            {"type": "websocket.http.response.start", "status": status, "headers": framed}
        )
        await self.send({"type": "websocket.http.response.body", "body": body})
