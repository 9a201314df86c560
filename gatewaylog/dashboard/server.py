"""uvicorn's server for the page: it ends what would go on for ever before it waits for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket

    from starlette.applications import Starlette

    from gatewaylog.dashboard.board import Board

_GRACE = 1  # seconds that open streams have at the end


class _Server(uvicorn.Server):
    """Ends the board's streams when it is told to end."""

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
