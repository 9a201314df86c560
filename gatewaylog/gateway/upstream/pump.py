"""The request's body on its way to the backend, beside the response that may already come."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from gatewaylog.exceptions import SendError

if TYPE_CHECKING:
    from gatewaylog.gateway.upstream import RequestBody
    from gatewaylog.gateway.upstream.connection import Connection
    from gatewaylog.gateway.upstream.request_head import OutgoingRequest

CONTINUE_WAIT = 1.0


class BodyPump:
    """Reads a body piece by piece and writes it as fast as the connection takes it."""

    __slots__ = (
        "_body", "_connection", "_go_ahead", "_left", "_stopped", "_task", "consumed", "over",
    )  # fmt: skip

    consumed: bool  # a byte of the body was read
    over: bool  # the whole body was written

    def __init__(self, connection: Connection, request: OutgoingRequest, body: RequestBody) -> None:
        self._connection = connection
        self._body = body
        self._left = request.length
        self._go_ahead = connection.loop.create_future() if request.expects_continue else None
        self._stopped = False
        self.consumed = False
        self.over = request.length == 0
        self._task = connection.loop.create_task(self._run())

    @property
    def held(self) -> bool:
        """Whether the body waits for the backend's 100."""
        return self._go_ahead is not None

    def go_ahead(self) -> None:
        """Begin: the backend said 100."""
        if self._go_ahead is not None and not self._go_ahead.done():
            self._go_ahead.set_result(None)

    def stop(self) -> None:
        """Read and write no more."""
        self._stopped = True
        self._task.cancel()

    async def stopped(self) -> None:
        """Wait until no read is under way."""
        await asyncio.wait((self._task,))

    async def _run(self) -> None:
        try:
            if self._go_ahead is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CONTINUE_WAIT):
                        await self._go_ahead
                self._go_ahead = None
            await self._pump()
        except asyncio.CancelledError:
            if not self._stopped:  # the loop is being torn down
                self._connection.fail(SendError("the event loop is being closed"))
            raise
        except Exception as exc:  # noqa: BLE001 - the body's own errors belong to its owner
            if not self._stopped:  # else the connection serves someone else already
                self._connection.fail(exc)

    async def _pump(self) -> None:
        connection = self._connection
        while not self.over:
            connection.await_client()
            piece = await self._body.read()
            if self._stopped:
                return
            self.consumed = self.consumed or bool(piece)
            connection.write(self._framed(piece))
            connection.await_backend()
            if not self.over:
                await connection.drained()

    def _framed(self, piece: bytes) -> bytes:
        """Return the piece as it goes on the wire: RFC 9112 §7.1, or as it is."""
        if self._left is None:
            if not piece:
                self.over = True
                return b"0\r\n\r\n"
            return b"%x\r\n%b\r\n" % (len(piece), piece)
        if not piece:
            raise SendError("the request's body is shorter than its content-length")
        self._left -= len(piece)
        if self._left < 0:
            raise SendError("the request's body is longer than its content-length")
        self.over = self._left == 0
        return piece
