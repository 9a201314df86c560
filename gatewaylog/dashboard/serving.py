"""Listening, and the server that runs until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from typing import TYPE_CHECKING, NamedTuple

import uvicorn

from gatewaylog.dashboard.app import application
from gatewaylog.dashboard.board import Board
from gatewaylog.dashboard.guard import is_local
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from gatewaylog.dashboard.logs import Logs

_GRACE = 1  # seconds that open streams have at the end


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @property
    def shown(self) -> str:
        """The address as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host


def serve(logs: Logs, address: Address) -> None:
    """Serve the page until SIGINT or SIGTERM. Raises OSError where it can't listen."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.create_server((address.host, address.port), family=family) as listener:
        token = None if is_local(address.host) else secrets.token_urlsafe(24)
        board = Board(logs)
        server = server_of(board, application(board, host=address.host, token=token))
        behind = "" if token is None else f"?token={token}"
        notice(f"dashboard on http://{address.shown}:{listener.getsockname()[1]}/{behind}")
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends the streams before it waits for them: they would go on for ever."""

    def __init__(self, config: uvicorn.Config, board: Board) -> None:
        super().__init__(config)
        self._board = board

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._board.end()
        await super().shutdown(sockets)


def server_of(board: Board, app: Starlette) -> uvicorn.Server:
    """Return the server of an application over `board`."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_GRACE,
    )
    return _Server(config, board)
