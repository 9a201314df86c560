"""A response on its way in, as its consumer sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from gatewaylog.gateway.upstream import Headers
    from gatewaylog.gateway.upstream.connection import Connection


class IncomingResponse:
    """The `Response` of the httptools engine.

    Whole responses detach themselves from their connection at once, read or not: it then serves
    the next request already.
    """

    __slots__ = (
        "_connection", "_ended", "_error", "_pieces", "_waiter", "buffered", "finished",
        "headers", "status",
    )  # fmt: skip

    status: int
    headers: Headers
    finished: bool
    buffered: int  # bytes that wait for `read`

    def __init__(self, connection: Connection, waiter: asyncio.Future[None]) -> None:
        self._connection: Connection | None = connection
        self._waiter: asyncio.Future[None] | None = waiter
        self._pieces: list[bytes] = []
        self._error: BaseException | None = None
        self._ended = False
        self.status = 0
        self.headers = []
        self.finished = False
        self.buffered = 0

    @property
    def ready(self) -> bool:
        """Whether `read` would return, or raise, at once."""
        return bool(self._pieces) or self._connection is None

    async def head(self) -> None:
        """Wait for the head; raises what `fail` was given before it came."""
        if self._waiter is not None:
            await self._waiter
        if not self.status and self._error is not None:
            raise self._error

    async def read(self) -> bytes:
        """Return what has come since, waiting for at least one byte; `b""` at the end.

        Raises AnswerBroken, AnswerStalled, or what the request's body raised.
        """
        if not self._pieces:
            if self._connection is not None:
                await self._wait(self._connection)
            if not self._pieces:
                if self._error is not None:
                    raise self._error
                return b""
        return self._take()

    async def aclose(self) -> None:
        """Close the connection unless the response is over."""
        self._pieces.clear()
        if self._connection is not None:
            self._connection.abandon(self)

    def opened(self, status: int, headers: Headers) -> None:
        """Take the head."""
        self.status = status
        self.headers = headers
        self._wake()

    def push(self, pieces: list[bytes]) -> None:
        """Take pieces of the body; the list is the response's from now on."""
        if self._pieces:
            self._pieces += pieces
        else:
            self._pieces = pieces
        for piece in pieces:
            self.buffered += len(piece)
        self._wake()

    def end(self) -> None:
        """Take note that all has come."""
        self._ended = True
        self.finished = not self._pieces
        self._connection = None
        self._wake()

    def fail(self, error: BaseException) -> None:
        """Take note that nothing more comes, and why."""
        self._error = error
        self._connection = None
        self._wake()

    def _take(self) -> bytes:
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces = []
        self.buffered = 0
        if self._connection is not None:
            self._connection.taken()
        self.finished = self._ended
        return data

    async def _wait(self, connection: Connection) -> None:
        self._waiter = connection.loop.create_future()
        try:
            await self._waiter
        except BaseException:  # cancelled: half a response is left on the connection
            connection.abandon(self)
            raise

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
