"""The processes of `gatewaylog serve`: one worker alone, or a parent that watches over several."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewaylog.exceptions import GatewaylogError
from gatewaylog.gateway import records, speaking
from gatewaylog.gateway.admin import Board, serve_board
from gatewaylog.gateway.listening import listeners, told
from gatewaylog.gateway.metrics import Metrics
from gatewaylog.gateway.server import GatewayServer, say
from gatewaylog.gateway.serving import Serving, access_log
from gatewaylog.gateway.shipping import Shippers, orders_of
from gatewaylog.gateway.signals import TAKEN, hold, release
from gatewaylog.gateway.standard_output import StandardOutput
from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from gatewaylog.gateway.config import Config

# Objects made and not freed between two looks for cycles (Python's own choice is 700): a call that
# is served leaves none, so looking more often finds nothing.
_CYCLES = 10_000
_PAUSE = 1.0  # seconds before a worker that died is replaced, so that a broken one can't spin


def serve(load: Callable[[], Config]) -> int:
    """Run the gateway until it is told to stop; return the exit status.

    `load` reads the configuration, now and at SIGHUP. Raises ConfigurationError or LogError
    where it can't start; nothing is left running then.
    """
    hold()
    try:
        return _served(load)
    finally:
        release()
        speaking.end()


def _served(load: Callable[[], Config]) -> int:
    config = load()
    speaking.by(config.system_log)
    load = speaking.by_each(load)
    access_log(config.kept_log).close()  # a log that can't be opened is told here, once
    admin = listeners([config.server.admin], "admin")[0] if config.server.admin else None
    sockets = listeners(config.server.listen)
    for listener in sockets:
        say(f"listening on {told(listener, secure=bool(config.server.tls_certificate))}")
    if admin is not None:
        say(f"health and metrics on {told(admin, secure=False)}")
    say(f"logging to {_log_name(config)}; process {os.getpid()}")
    # The stop is recorded before the shippers end, which may deliver the event log.
    with Shippers(orders_of(config)) as shippers, records.running(config) as recorded:
        load = _shipping_too(recorded.of(load), shippers)
        if config.server.workers == 1:
            shippers.watch()
            work(config, load, sockets, admin=admin)
            return 0
        with tempfile.TemporaryDirectory(prefix="gatewaylog-") as folder:
            board = Board(Path(folder)) if admin is not None else None
            parent = Parent(config, load, sockets, admin=admin, board=board, shippers=shippers)
            return parent.run()


def _shipping_too(load: Callable[[], Config], shippers: Shippers) -> Callable[[], Config]:
    """Have what is loaded anew tell the shippers as well, in the process that runs them."""
    owner = os.getpid()

    def loaded() -> Config:
        config = load()
        if os.getpid() == owner:
            shippers.want(orders_of(config))
        return config

    return loaded


def _log_name(config: Config) -> str:
    return "standard output" if config.log.path == "-" else config.log.path


def work(
    config: Config,
    load: Callable[[], Config],
    sockets: list[socket.socket],
    *,
    admin: socket.socket | None = None,
    board: Board | None = None,
    parent: int | None = None,
) -> None:
    """Serve in this process until it is told to stop, or its `parent` process has gone."""

    async def run() -> None:
        speaking.keep_house()
        serving = Serving(config, HttptoolsEngine())
        server = GatewayServer(serving, load, admin=admin, board=board, parent=parent)
        _spare_collector()
        await server.serve(sockets)

    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(run())


def _spare_collector() -> None:
    """Have the garbage collector leave alone what stays for as long as the worker, and look at the
    rest seldom: 4 % of a call (benchmarks/gateways.py).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_CYCLES)


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's event loop where it is installed, which serves twice as many requests."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Parent:
    """Keeps `workers` processes running on the same sockets, and passes signals on to them."""

    def __init__(
        self,
        config: Config,
        load: Callable[[], Config],
        sockets: list[socket.socket],
        *,
        admin: socket.socket | None = None,
        board: Board | None = None,
        shippers: Shippers | None = None,
    ) -> None:
        self._shippers = shippers
        self._config = config
        self._load = load
        self._sockets = sockets
        self._admin = admin
        self._board = board
        self._admin_worker = 0
        self._pid = os.getpid()
        self._workers: set[int] = set()
        self._stopping = False
        self._output = StandardOutput()
        self._waker, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def run(self) -> int:
        """Run until every worker has ended; return the exit status."""
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in (*TAKEN, signal.SIGCHLD):
            signal.signal(number, _noted)
        release()
        for _ in range(self._config.server.workers):
            self._workers.add(self._started())
        if self._admin is not None:
            self._admin_worker = self._forked(self._serve_admin)
        while self._workers:
            self._wait(_PAUSE, self._waker)
            self._pin()
            for received in _pending(self._waker):
                self._take(received)
            self._replace_dead()
            if self._shippers is not None and not self._stopping:
                self._shippers.look()
        self._output.finish()
        if self._admin_worker:
            os.kill(self._admin_worker, signal.SIGKILL)
            os.waitpid(self._admin_worker, 0)
        return 0

    def _wait(self, seconds: float, *wakers: int) -> None:
        """Wait until one of `wakers` can be read, at most so long; pass on what workers write."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            watched = [*wakers, *self._output.readers]
            ready, _, _ = select.select(watched, self._output.writers, [], left)
            self._output.pass_on(ready)
            if not set(wakers).isdisjoint(ready):
                return

    def _pin(self) -> None:
        """Have the metrics count the lines that workers were killed in."""
        if self._board is not None and self._output.lost:
            counted = Metrics().snapshot(lost=self._output.lost, suspended=())
            self._board.pin(counted | {"ready": False, "alive": False})  # no worker

    def _started(self) -> int:
        """Start a worker; return its process id."""
        pipe = self._output.pipe()
        try:
            return self._forked(lambda: self._work(pipe))
        finally:
            os.close(pipe)

    def _forked(self, task: Callable[[], None]) -> int:
        """Run `task` in a child process; return its id."""
        hold()
        pid = os.fork()
        if pid:
            release()
            return pid
        status = 1
        try:
            self._leave_parent()
            task()
            status = 0
        except GatewaylogError as error:
            say(str(error), "ERROR", SystemCode.INITIALISATION)
        finally:
            sys.stdout.flush()
            os._exit(status)

    def _leave_parent(self) -> None:
        signal.set_wakeup_fd(-1)
        for number in (*TAKEN, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # A terminal sends it to all; workers stop when the parent says so, and only once.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.close(self._waker)
        os.close(self._wake)

    def _work(self, pipe: int) -> None:
        self._output.stand_for(pipe)
        if self._admin is not None:
            self._admin.close()
        work(self._config, self._load, self._sockets, board=self._board, parent=self._pid)

    def _serve_admin(self) -> None:
        for number in TAKEN:
            signal.signal(number, signal.SIG_IGN)  # it stays until the last worker has ended
        self._close_listeners()
        self._output.leave()
        if self._admin is not None and self._board is not None:
            serve_board(self._admin, self._board, self._pid)

    def _take(self, number: int) -> None:
        if number == signal.SIGCHLD:
            return
        if number == signal.SIGHUP and not self._reloaded():
            return
        if number in {signal.SIGTERM, signal.SIGINT}:
            self._stopping = True
            self._close_listeners()
            number = signal.SIGTERM
        for pid in self._workers:
            os.kill(pid, number)

    def _close_listeners(self) -> None:
        """Listen no longer: a socket does so until every process has closed it."""
        for listener in self._sockets:
            listener.close()

    def _reloaded(self) -> bool:
        """Read the configuration for workers that are started from now on."""
        try:
            self._config = self._load()
        except GatewaylogError as error:
            for line in str(error).splitlines():
                say(line, "ERROR", SystemCode.CONFIGURATION_READ)
            say("the configuration stays as it was")
            return False
        return True

    def _replace_dead(self) -> None:
        for pid in list(self._workers):
            if self._has_ended(pid):
                self._workers.discard(pid)
                if not self._stopping:
                    self._workers.add(self._started())
        if self._admin_worker and self._has_ended(self._admin_worker):
            self._admin_worker = 0 if self._stopping else self._forked(self._serve_admin)

    def _has_ended(self, pid: int) -> bool:
        """Say whether a child has ended; tell so, and wait a little, where another is due."""
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended and not self._stopping:
            code = os.waitstatus_to_exitcode(status)
            line = f"worker {pid} ended with status {code}; starting another"
            say(line, "ERROR", SystemCode.RESTART)
            self._wait(_PAUSE)
        return bool(ended)


def _noted(number: int, frame: Any) -> None:
    """Do nothing here: the wake-up descriptor tells the loop, which does what is due."""


def _pending(waker: int) -> bytes:
    ready, _, _ = select.select([waker], [], [], 0)
    return os.read(waker, 4096) if ready else b""
