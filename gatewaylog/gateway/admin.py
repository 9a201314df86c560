"""The admin listener: is the gateway alive, does it take calls, and what has it counted."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gatewaylog.gateway.metrics import CONTENT_TYPE, exposition

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from gatewaylog.gateway.metrics import Snapshot
    from gatewaylog.middleware.asgi import Receive, Scope, Send

_PLAIN = b"text/plain; charset=utf-8"
_JSON = ".json"


class Admin:
    """An ASGI application for those who run the gateway, on an address of its own.

    `workers` returns the snapshots of all workers, ended ones among them. A worker is ready from
    the moment it listens until it is told to stop, but while it refuses calls for its log.
    """

    def __init__(self, workers: Callable[[], list[Snapshot]]) -> None:
        self._workers = workers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        status, kind, body = self._answer(scope["path"])
        if scope["method"] not in {"GET", "HEAD"}:
            status, kind, body = 405, _PLAIN, b"method not allowed\n"
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str) -> tuple[int, bytes, bytes]:
        if path == "/health/live":
            return 200, _PLAIN, b"alive\n"
        workers = self._workers()
        living = [one for one in workers if one["alive"]]
        if path == "/health/ready":
            if any(one["ready"] for one in living):
                return 200, _PLAIN, b"ready\n"
            return 503, _PLAIN, b"not ready: no worker takes calls\n"
        if path == "/metrics":
            return 200, CONTENT_TYPE, exposition(workers, living)
        return 404, _PLAIN, b"not found: /health/live, /health/ready and /metrics are here\n"


async def listen(listener: socket.socket, workers: Callable[[], list[Snapshot]]) -> asyncio.Server:
    """Serve the admin application on a socket of the running event loop."""
    config = uvicorn.Config(
        Admin(workers),
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: HttpToolsProtocol(config, state, {}), sock=listener)


class Board:
    """A folder where workers pin up their snapshots, for the process that serves the admin."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pin(self, snapshot: Snapshot) -> None:
        """Replace this process's snapshot, in one step."""
        pid = os.getpid()
        fresh = self._folder / f"{pid}.new"
        fresh.write_text(json.dumps(snapshot), "utf-8")
        fresh.replace(self._folder / f"{pid}{_JSON}")

    def read(self) -> list[Snapshot]:
        """Return every worker's newest snapshot; `alive` tells whether it still runs. The parent's
        says so itself.
        """
        pinned = {
            int(path.stem): json.loads(path.read_text("utf-8"))
            for path in sorted(self._folder.glob(f"*{_JSON}"))
        }
        return [one | {"alive": one.get("alive", _runs(pid))} for pid, one in pinned.items()]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def serve_board(listener: socket.socket, board: Board, parent: int) -> None:
    """Serve the admin listener in a process of its own, until it is killed or `parent` is gone."""
    asyncio.run(_serve(listener, board, parent))


async def _serve(listener: socket.socket, board: Board, parent: int) -> None:
    await listen(listener, board.read)
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells it
        await asyncio.sleep(1)
