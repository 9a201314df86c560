"""The page's application behind real sockets, in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import httpx

from gatewaylog.dashboard.app import application
from gatewaylog.dashboard.board import Board
from gatewaylog.dashboard.server import server_of
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gatewaylog.dashboard.logs import Logs
    from gatewaylog.dashboard.token_use import Store


@contextlib.asynccontextmanager
async def served(logs: Logs, store: Store | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the page over `logs` and a store of token use; give a client of it."""
    board = Board(logs, store)
    server = server_of(board, application(board, host="127.0.0.1", token=None))
    with board.fed(), socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        running = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started or running.done())
        try:
            async with httpx.AsyncClient(base_url=address, timeout=PATIENCE) as client:
                yield client
        finally:
            server.should_exit = True
            await running


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition while the loop goes on."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)
