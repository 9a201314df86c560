"""Connections that wait for their next request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewaylog.gateway.upstream import Origin
    from gatewaylog.gateway.upstream.connection import Connection


class KeptConnections:
    """Kept connections by origin, the last used first, so that what is not needed expires."""

    __slots__ = ("_closed", "_resting", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._resting: dict[Origin, list[Connection]] = {}
        self._closed = False

    def take(self, origin: Origin) -> Connection | None:
        """Return a usable connection, or None."""
        resting = self._resting.get(origin)
        while resting:
            connection = resting.pop()
            if connection.usable:
                return connection
        return None

    def put(self, connection: Connection) -> None:
        """Keep a connection whose exchange is over."""
        if self._closed:
            connection.close()
            return
        resting = self._resting.get(connection.origin)
        if resting is None:
            resting = self._resting[connection.origin] = []
        resting.append(connection)
        connection.rest(self._seconds)

    def forget(self, connection: Connection) -> None:
        """Drop a connection that is closed, if it is kept."""
        resting = self._resting.get(connection.origin, [])
        if connection in resting:
            resting.remove(connection)
        if not resting:
            self._resting.pop(connection.origin, None)

    def close(self) -> None:
        """Close all, and keep none from now on."""
        self._closed = True
        for resting in list(self._resting.values()):
            for connection in resting:
                connection.close()
        self._resting.clear()
