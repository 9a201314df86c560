"""The gateway's own HTTP client: llhttp on asyncio protocols, and nothing it does not need."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ConnectionClosed
from gatewaylog.gateway.upstream import IDEMPOTENT
from gatewaylog.gateway.upstream.connection import Connection
from gatewaylog.gateway.upstream.dialling import dial
from gatewaylog.gateway.upstream.pool import KeptConnections
from gatewaylog.gateway.upstream.request_head import outgoing

if TYPE_CHECKING:
    from gatewaylog.gateway.upstream import Headers, Origin, RequestBody, Timeouts
    from gatewaylog.gateway.upstream.incoming import IncomingResponse


class HttptoolsEngine:
    """The `Engine` that `gatewaylog serve` uses. One belongs to one event loop.

    `keep` is how many seconds an unused connection is kept open.
    """

    def __init__(self, *, keep: float = 60.0) -> None:
        self._kept = KeptConnections(keep)

    async def send(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: Headers,
        body: RequestBody | None,
        timeouts: Timeouts,
    ) -> IncomingResponse:
        """Send one request and return its final response: see `Engine.send`.

        A kept connection that turns out to be closed is replaced once by a new one where the
        method is idempotent (RFC 9110 §9.2.2) and nothing of the body was read.
        """
        request = outgoing(method, target, headers, body)
        connection = self._kept.take(origin)
        if connection is not None:
            try:
                return await connection.exchange(request, timeouts)
            except ConnectionClosed:
                await connection.pump_stopped()
                if method not in IDEMPOTENT or not connection.replaceable:
                    raise
        connection = await self._connect(origin, timeouts.connect)
        return await connection.exchange(request, timeouts)

    async def aclose(self) -> None:
        """Close every kept connection; those in use close when their exchange ends."""
        self._kept.close()

    async def _connect(self, origin: Origin, seconds: float) -> Connection:
        loop = asyncio.get_running_loop()
        return await dial(origin, lambda: Connection(loop, origin, self._kept), seconds)
