"""The client's side of one exchange: its body piece by piece, and whether it is still there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gatewaylog import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.errors import Failure
    from gatewaylog.middleware.asgi import Receive

CONNECTION = "gatewaylog.connection"  # scope key: the connection, under our own server
FOLLOWED = "gatewaylog.followed"  # in http.response.start: its first body message comes at once
MALFORMED = "gatewaylog.malformed"  # message and scope key: the body's framing can't be read


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

    def __init__(self, receive: Receive, *, limit: int, timeout: float) -> None:
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
                raise BodyMalformed if message["type"] == MALFORMED else ClientGone
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


class Listener:
    """Hears the client's going from a server that tells it by `receive` alone.

    It costs a task, and begins once the request's body is whole, as `receive` is one for both.
    """

    def __init__(self, receive: Receive, body: Body | None, leave: Callable[[], None]) -> None:
        self._receive = receive
        self._leave = leave
        self._task: asyncio.Task[None] | None = None
        if body is None or body.whole:
            self._begin()
        else:
            body.when_whole = self._begin

    def stop(self) -> None:
        """Listen no longer."""
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self._leave()
