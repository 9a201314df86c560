"""A backend's WebSocket, for a session that the gateway relays.

Messages are relayed, not frames: no compression is negotiated, fragments arrive joined, pings are
answered here and none are sent.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.datastructures import Headers as WebSocketHeaders
from websockets.exceptions import (
    ConnectionClosed as SessionClosed,
)
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.http11 import Request
from websockets.uri import WebSocketURI

from gatewaylog.exceptions import (
    ConnectionClosed,
    GatewaylogError,
    ProtocolViolation,
    ResponseTimeout,
    SendError,
)
from gatewaylog.gateway.upstream.dialling import dial
from gatewaylog.gateway.upstream.request_head import outgoing

if TYPE_CHECKING:
    from websockets.typing import Subprotocol

    from gatewaylog.gateway.upstream import Headers, Origin, Timeouts

MAX_MESSAGE = 16 * 1024 * 1024  # bytes
_HANDSHAKE = frozenset((b"connection", b"upgrade"))
_NEVER_SENT = {1005: 1000, 1006: 1001, 1015: 1001}  # RFC 6455 §7.4.1: codes that no frame holds


class HandshakeRefused(GatewaylogError):
    """The backend answered the handshake with an ordinary response, which is here to pass on."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        super().__init__(f"the backend answered the WebSocket handshake with {status}")
        self.status = status
        self.headers = headers
        self.body = body


class WebSocketClosed(GatewaylogError):
    """The session is over. `code` is 1005 for a close without a code, 1006 for none at all."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class WebSocketLink:
    """An open session with a backend."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.subprotocol: str | None = connection.subprotocol
        response = connection.response
        self.headers: Headers = [] if response is None else _lines(response.headers)

    async def receive(self) -> str | bytes:
        """Return the next message. Raises WebSocketClosed."""
        try:
            return await self._connection.recv()
        except SessionClosed as exc:
            raise _closed(exc) from exc

    async def send(self, data: str | bytes) -> None:
        """Send a message, waiting while the backend does not take it. Raises WebSocketClosed."""
        try:
            await self._connection.send(data)
        except SessionClosed as exc:
            raise _closed(exc) from exc

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the session, waiting some seconds for the backend's own close."""
        shortened = reason.encode()[:123].decode(errors="ignore")  # RFC 6455 §5.5
        await self._connection.close(_NEVER_SENT.get(code, code), shortened)


async def connect(
    origin: Origin,
    target: bytes,
    headers: Headers,
    subprotocols: list[str],
    timeouts: Timeouts,
    *,
    max_message: int = MAX_MESSAGE,
) -> WebSocketLink:
    """Open a session. `headers` go out as they are, Host among them.

    Of `headers`, `connection`, `upgrade` and `sec-websocket-*` are left out: the handshake has
    its own. Raises HandshakeRefused or the UpstreamError that tells how far it came.
    """
    outgoing(b"GET", target, headers, None)  # refuses what is ambiguous on the wire
    if not target.isascii():
        raise SendError("a handshake's target is ASCII")
    protocol = _Handshake(origin, target, headers, subprotocols, max_message)
    connection = await dial(
        origin,
        lambda: ClientConnection(protocol, ping_interval=None, ping_timeout=None),
        timeouts.connect,
    )
    try:
        async with asyncio.timeout(timeouts.response):
            await connection.handshake(None, None)
    except BaseException as exc:
        connection.transport.abort()
        if translated := _translated(exc):
            raise translated from exc
        raise
    return WebSocketLink(connection)


class _Handshake(ClientProtocol):
    """The client's side, with the target and the header lines of the request that is relayed."""

    def __init__(
        self,
        origin: Origin,
        target: bytes,
        headers: Headers,
        subprotocols: list[str],
        max_message: int,
    ) -> None:
        uri = WebSocketURI(origin.tls is not None, origin.host, origin.port, "/", "")
        offered = cast("list[Subprotocol]", subprotocols) or None
        super().__init__(uri, subprotocols=offered, max_size=max_message)
        self._target = target.decode("latin-1")
        self._lines = headers

    def connect(self) -> Request:
        """Return the handshake's request."""
        headers = WebSocketHeaders()
        for name, value in self._lines:
            lowered = name.lower()
            if lowered not in _HANDSHAKE and not lowered.startswith(b"sec-websocket-"):
                headers[name.decode("latin-1")] = value.decode("latin-1")
        for key, own in super().connect().headers.raw_items():
            if key.lower() != "host":
                headers[key] = own
        return Request(self._target, headers)


def _translated(exc: BaseException) -> Exception | None:
    match exc:
        case InvalidStatus(response=response):
            body = bytes(response.body)
            return HandshakeRefused(response.status_code, _lines(response.headers), body)
        case SessionClosed() | InvalidMessage(__cause__=EOFError() | OSError()):
            return ConnectionClosed("closed before a response head")
        case InvalidHandshake():
            return ProtocolViolation(str(exc.__cause__ or exc))
        case TimeoutError():
            return ResponseTimeout("no answer to the WebSocket handshake in time")
        case ConnectionError():
            return ConnectionClosed("closed before a response head")
        case OSError():
            return SendError(str(exc))
    return None


def _closed(exc: SessionClosed) -> WebSocketClosed:
    frame: Any = exc.rcvd
    return WebSocketClosed(1006, "") if frame is None else WebSocketClosed(frame.code, frame.reason)


def _lines(headers: WebSocketHeaders) -> Headers:
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in headers.raw_items()
    ]
