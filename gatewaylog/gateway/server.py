"""One worker: uvicorn's server around the gateway, with the gateway's own way to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from typing import TYPE_CHECKING

import uvicorn

from gatewaylog.exceptions import ConfigurationError, LogError
from gatewaylog.gateway.admin import listen
from gatewaylog.gateway.protocol import GatewayProtocol
from gatewaylog.gateway.session import SessionProtocol
from gatewaylog.gateway.signals import release
from gatewaylog.gateway.silence import Silence
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator
    from types import FrameType

    from gatewaylog.gateway.admin import Board
    from gatewaylog.gateway.config import Config, ServerConfig
    from gatewaylog.gateway.metrics import Snapshot
    from gatewaylog.gateway.serving import Serving
    from gatewaylog.notices import Level

_SWEEP = 1.0  # seconds between two looks for silent clients
_KEEP_ALIVE = 75  # seconds that a client's connection is kept without a request
_LAST_WORDS = 5.0  # seconds that cancelled exchanges get to write their events


class GatewayServer(uvicorn.Server):
    """Serves until it is told to stop, then lets running exchanges end.

    `load` reads the configuration again, for SIGHUP. The admin listener is served here on
    `admin`, or elsewhere from what is pinned to `board`. A worker ends when its `parent` does.
    """

    def __init__(
        self,
        serving: Serving,
        load: Callable[[], Config],
        *,
        admin: socket.socket | None = None,
        board: Board | None = None,
        parent: int | None = None,
    ) -> None:
        server = serving.config.server
        super().__init__(uvicorn_config(serving, server))
        self._serving = serving
        self._load = load
        self._hurry = asyncio.Event()
        self._admin = admin
        self._board = board
        self._parent = parent
        self._sweeper: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and take signals."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            loop.add_signal_handler(signal.SIGHUP, self._reload)
            loop.add_signal_handler(signal.SIGUSR1, self._reopen)
            release()
        if self._admin is not None:
            await listen(self._admin, self._snapshots)
        self._pin()
        self._sweeper = loop.create_task(self._sweep())

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop at SIGTERM and SIGINT; the exit status is 0, not the signal's."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        taken = [one for one in _STOPPING if signal.getsignal(one) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self.handle_exit) for number in taken}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; the second time, without waiting for exchanges that still run."""
        if self.should_exit:
            self._hurry.set()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no longer, let exchanges end within `drain`, then end the others."""
        self._pin()
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._drain(self._serving.config.server.drain)
        running = list(self.server_state.tasks)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_LAST_WORDS)
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._pin()
        await self._serving.aclose()

    async def _drain(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.server_state.tasks and not self._hurry.is_set():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    async def _sweep(self) -> None:
        loop, silence = asyncio.get_running_loop(), Silence()
        while True:
            await asyncio.sleep(_SWEEP)
            self._pin()
            self._serving.look()
            if self._parent not in {None, os.getppid()}:
                say("the parent of this worker is gone: stopping")
                self.should_exit = True
            seconds = self._serving.config.server.client_timeout
            silence.look(self.server_state.connections, loop.time(), seconds)

    def _snapshots(self) -> list[Snapshot]:
        return [self._serving.snapshot(ready=self._is_ready) | {"alive": True}]

    def _pin(self) -> None:
        if self._board is not None:
            self._board.pin(self._serving.snapshot(ready=self._is_ready))

    @property
    def _is_ready(self) -> bool:
        return self.started and not self.should_exit and not self._serving.log.is_refusing

    def _reload(self) -> None:
        before = self._serving.config.server
        try:
            config = self._load()
            self._serving.reload(config)
        except ConfigurationError as error:
            for problem in error.problems:
                say(problem, "ERROR", SystemCode.CONFIGURATION_READ)
            say("the configuration stays as it was")
        except LogError as error:
            say(
                f"{error}; the configuration stays as it was",
                "ERROR",
                SystemCode.CONFIGURATION_READ,
            )
        else:
            say("serving by the new configuration")
            for key in _AT_START:
                if getattr(before, key) != getattr(config.server, key):
                    say(
                        f"server.{key} has changed: that takes effect when the gateway is restarted"
                    )

    def _reopen(self) -> None:
        try:
            self._serving.reopen()
        except LogError as error:
            say(
                f"{error}; the log stays in the file that is open",
                "ERROR",
                SystemCode.RESOURCE_UPDATE,
            )


# Keys of [server] that are read once.
_AT_START = ("listen", "workers", "admin", "tls_certificate", "tls_key")
_STOPPING = (signal.SIGTERM, signal.SIGINT)


def uvicorn_config(serving: Serving, server: ServerConfig) -> uvicorn.Config:
    """Return uvicorn's options: our protocol, nothing of its own in any response or log."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    return uvicorn.Config(
        serving,
        interface="asgi3",
        http=GatewayProtocol,
        ws=SessionProtocol,
        loop="auto",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        ssl_certfile=server.tls_certificate or None,
        ssl_keyfile=server.tls_key or None,
    )


def say(text: str, level: Level = "INFO", code: SystemCode = SystemCode.OK) -> None:
    """Tell the operator, in the system log."""
    notice(text, level, code, above=1)
