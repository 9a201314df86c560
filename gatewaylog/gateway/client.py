"""The client's side of one exchange: its body piece by piece, and whether it is still there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gatewaylog import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.errors import Failure
    from gatewaylog.gateway.protocol import GatewayProtocol
    from gatewaylog.middleware.asgi import Receive, Scope

CONNECTION = "gatewaylog.connection"  # scope key: the connection, under our own server
MALFORMED = "gatewaylog.malformed"  # scope key: the server could not read the body's framing


class ClientError(Exception):
    """The client's part went wrong; `failure` is what the event tells."""

    failure: Failure


class ClientGone(ClientError):
    """The client went away before its request was whole."""

    failure = errors.CLIENT_GONE_SENDING


class BodyMalformed(ClientError):
    """The body's framing can't be read (RFC 9112 §7.1)."""

    failure = errors.UNROUTABLE


class BodyTooLarge(ClientError):
    """The body is over the limit."""

    failure = errors.CONTENT_TOO_LARGE


class BodyStalled(ClientError):
    """No byte came for too long."""

    failure = errors.REQUEST_TIMEOUT


class Body:
    """The request's body as it comes: at most `limit` bytes, each piece within `timeout` s."""

    def __init__(self, scope: Scope, receive: Receive, *, limit: int, timeout: float) -> None:
        self._scope = scope
        self._receive = receive
        self._left = limit
        self._timeout = timeout
        self.consumed = False  # something of it was read, so that it can't be sent again
        self.whole = False
        self.when_whole: Callable[[], None] | None = None

    async def read(self) -> bytes:
        """Return the next piece, `b""` at the end. Raises the ClientError that tells."""
        while not self.whole:
            try:
                async with asyncio.timeout(self._timeout):
                    message = await self._receive()
            except TimeoutError:
                raise BodyStalled from None
            if message["type"] != "http.request":
                raise BodyMalformed if self._scope.get(MALFORMED) else ClientGone
            self.whole = not message.get("more_body", False)
            if self.whole and self.when_whole is not None:
                self.when_whole()
            piece: bytes = message.get("body", b"")
            if piece:
                self.consumed = True
                self._left -= len(piece)
                if self._left < 0:
                    raise BodyTooLarge
                return piece
        return b""


class Presence:
    """Cancels the task that serves a request when its client goes away.

    Under our own server the connection calls; under others a task of ours listens, which costs
    what a task costs, and only once the body is whole, since `receive` is one for both.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._connection: GatewayProtocol | None = scope.get(CONNECTION)
        self._receive = receive
        self._serving: asyncio.Task[object] | None = None
        self._listener: asyncio.Task[None] | None = None
        self.gone = False

    def watch(self, body: Body | None) -> None:
        """Begin to watch for the running task."""
        self._serving = asyncio.current_task()
        if self._connection is not None:
            self._connection.on_lost = self._leave
        elif body is None:
            self._listen()
        else:
            body.when_whole = self._listen

    def stop(self) -> None:
        """Watch no longer."""
        self._serving = None
        if self._connection is not None:
            self._connection.on_lost = None
        elif self._listener is not None:
            self._listener.cancel()

    def _leave(self) -> None:
        self.gone = True
        if self._serving is not None:
            self._serving.cancel()

    def _listen(self) -> None:
        self._listener = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self._leave()
