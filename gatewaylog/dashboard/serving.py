"""Listening, and the server that runs until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.dashboard.board import Board
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from gatewaylog.dashboard.logs import Logs
    from gatewaylog.dashboard.token_use import Store


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @property
    def shown(self) -> str:
        """The address as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host


def serve(logs: Logs, address: Address, store: Store | None = None) -> None:
    """Serve the page until SIGINT or SIGTERM. Raises OSError where it can't listen."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.create_server((address.host, address.port), family=family) as listener:
        board = Board(logs, store)
        with board.fed():
            # Loaded while the other process begins to read: half a second sooner on the page.
            from gatewaylog.dashboard.app import application
            from gatewaylog.dashboard.guard import is_local
            from gatewaylog.dashboard.server import server_of

            token = None if is_local(address.host) else secrets.token_urlsafe(24)
            server = server_of(board, application(board, host=address.host, token=token))
            behind = "" if token is None else f"?token={token}"
            notice(f"dashboard on http://{address.shown}:{listener.getsockname()[1]}/{behind}")
            server.run(sockets=[listener])
