"""Short questions of the gateway's own to other servers: for keys, about tokens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gatewaylog.exceptions import (
    AnswerStalled,
    AuthServerError,
    AuthServerTimeout,
    ConnectTimeout,
    ResponseTimeout,
    UpstreamError,
)
from gatewaylog.gateway.upstream import Timeouts

if TYPE_CHECKING:
    from gatewaylog.gateway.upstream import Engine, Headers, Origin, Response

_MOST = 512 * 1024  # bytes of an answer


class WholeBody:
    """A request's body that is there already."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        """Return it, then `b""`."""
        content, self._content = self._content, b""
        return content


class Asked:
    """One address that is asked, within `seconds` for everything.

    `host` is the value of Host, `target` path and query.
    """

    def __init__(
        self, engine: Engine, origin: Origin, *, host: bytes, target: bytes, seconds: float
    ) -> None:
        self._engine = engine
        self._origin = origin
        self._host = host
        self._target = target
        self._seconds = seconds
        self._timeouts = Timeouts(connect=seconds, response=seconds, idle=seconds)

    async def get(self) -> bytes:
        """Return the body of its 200. Raises AuthServerError, for time that is over its kind
        AuthServerTimeout.
        """
        return await self._asked(b"GET", [], None)

    async def post(self, headers: Headers, body: bytes) -> bytes:
        """Send a body; return that of its 200. Raises AuthServerError as `get`."""
        lines = [*headers, (b"content-length", b"%d" % len(body))]
        return await self._asked(b"POST", lines, WholeBody(body))

    async def _asked(self, method: bytes, headers: Headers, body: WholeBody | None) -> bytes:
        lines = [(b"host", self._host), (b"user-agent", b"gatewaylog"), *headers]
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._engine.send(
                    self._origin, method, self._target, lines, body, self._timeouts
                )
                try:
                    return await _whole(response)
                finally:
                    await response.aclose()
        except (ConnectTimeout, ResponseTimeout, AnswerStalled, TimeoutError):
            raise AuthServerTimeout(f"no answer within {self._seconds:g} s") from None
        except UpstreamError as error:
            raise AuthServerError(f"no answer: {str(error) or type(error).__name__}") from None


async def _whole(response: Response) -> bytes:
    if response.status != 200:
        raise AuthServerError(f"HTTP {response.status}")
    content = b""
    while piece := await response.read():
        content += piece
        if len(content) > _MOST:
            raise AuthServerError(f"the answer is over {_MOST} bytes")
    return content
