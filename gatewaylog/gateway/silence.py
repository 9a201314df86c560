"""Clients that neither send nor take anything any more, and would keep their exchange for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.gateway.protocol import GatewayProtocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uvicorn.server import Protocols


class Silence:
    """Looks at connections now and then, and ends those of clients that have fallen silent."""

    def __init__(self) -> None:
        self._unsent: dict[Protocols, tuple[int, float]] = {}  # bytes, and since when so many

    def look(self, connections: Iterable[Protocols], now: float, seconds: float) -> None:
        """End those from which no byte came, or to which none could be sent, for `seconds`."""
        unsent = {}
        for connection in list(connections):
            if isinstance(connection, GatewayProtocol):
                connection.silent_too_long(now, seconds)
            size = connection.transport.get_write_buffer_size()
            if size:
                before, since = self._unsent.get(connection, (size, now))
                unsent[connection] = (size, since if size == before else now)
                if size == before and now - since > seconds:
                    connection.transport.abort()
        self._unsent = unsent
