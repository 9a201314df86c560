"""The gateway as a test runs it: in the test's event loop, or as processes of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.gateway.config import parse
from gatewaylog.gateway.listening import listeners
from gatewaylog.gateway.server import GatewayServer
from gatewaylog.gateway.serving import Serving
from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine
from tests.gateway.upstream.scripted import Backend
from tests.http_client import PATIENCE, Answer, Client
from tests.logged import Log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gatewaylog.gateway.config import Config
    from tests.gateway.upstream.scripted import Play

LAUNCHER = Path(__file__).parent / "system" / "launcher.py"


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for a condition to hold."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


def toml(folder: Path, *tables: str, server: str = "", log: str = "", listen: str = "") -> str:
    """A configuration that listens on a free port and logs to `folder`."""
    listen = listen or '"127.0.0.1:0"'
    return "\n".join(
        (
            f"[server]\nlisten = {listen}",
            server,
            f'[log]\npath = "{folder}/api.log"',
            log,
            *tables,
        )
    )


def api(
    backend: str | list[str],
    *,
    name: str = "Echo",
    context: str = "/echo",
    auth: str = "none",
    more: str = "",
) -> str:
    """One open [[api]]; `more` is TOML that follows its keys."""
    urls = [backend] if isinstance(backend, str) else backend
    return (
        f'[[api]]\nname = "{name}"\nprovider = "acme"\nversion = "1.0.0"\n'
        f'context = "{context}"\nauth = "{auth}"\nbackend = {urls!r}\n{more}\n'
    )


def url_of(backend: Backend) -> str:
    """The URL of a scripted backend."""
    return f"http://{backend.origin.host}:{backend.origin.port}"


class PromptServer(GatewayServer):
    """Notices within milliseconds that it should stop, for tests are many."""

    async def main_loop(self) -> None:
        while not self.should_exit:
            await asyncio.sleep(0.005)


class Running:
    """A gateway in this event loop."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.config = self.load()
        self.log = Log(Path(self.config.log.path))
        self.sockets = listeners(self.config.server.listen)
        self.where: int | str = _where(self.sockets[0].getsockname())
        self.serving = Serving(self.config, HttptoolsEngine())
        self.server = PromptServer(self.serving, self.load)

    def load(self) -> Config:
        return parse(tomllib.loads(self.text), file="gateway.toml", environ={})

    def client(self) -> Client:
        return Client(self.where)

    async def ask(self, request: bytes) -> Answer:
        """Send one request on a connection of its own."""
        async with self.client() as client:
            return await client.ask(request)

    async def ended(self, count: int = 1) -> None:
        """Wait until so many exchanges have ended, and nothing is being served any more."""
        await until(lambda: len(self.log.terminals()) >= count and not self.tasks)

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        return self.server.server_state.tasks


def _where(name: str | tuple[str, int]) -> int | str:
    return name if isinstance(name, str) else name[1]


@contextlib.asynccontextmanager
async def running(text: str) -> AsyncIterator[Running]:
    """Run a gateway until the block ends; it must stop by itself then, and leave no task."""
    before = asyncio.all_tasks()
    gateway = Running(text)
    task = asyncio.create_task(gateway.server.serve(gateway.sockets))
    try:
        await until(lambda: gateway.server.started or task.done())
        yield gateway
    finally:
        gateway.server.should_exit = True
        gateway.server._hurry.set()
        async with asyncio.timeout(PATIENCE):
            await task
    await until(lambda: len(asyncio.all_tasks() - before) == 0)


@contextlib.asynccontextmanager
async def in_front_of(
    folder: Path, play: Play, *, more: str = "", server: str = "", log: str = ""
) -> AsyncIterator[tuple[Running, Backend]]:
    """Run a gateway with one open API, `/echo`, before a backend that plays a script."""
    async with Backend(play) as backend:
        text = toml(folder, api(url_of(backend), more=more), server=server, log=log)
        async with running(text) as gateway:
            yield gateway, backend


class Process:
    """A gateway in processes of its own, started by `launched`."""

    def __init__(self, process: asyncio.subprocess.Process, config: Path, log: Log) -> None:
        self.process = process
        self.config = config
        self.log = log
        self.where: int | str = 0
        self.said: list[str] = []
        self._known: set[int] = set()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.said.append(line.decode().rstrip("\n"))

    async def listens(self) -> None:
        # What it imports may have to be compiled first, by several processes at once.
        await until(lambda: self._addresses() or self.process.returncode is not None, 4 * PATIENCE)
        if not self._addresses():
            await self._reader  # all that it said before it ended
        assert self._addresses(), f"ended before it listened: {self.said}"
        address = self._addresses()[0]
        self.where = (
            address.removeprefix("unix:")
            if address.startswith("unix:")
            else int(address.rpartition(":")[2])
        )

    def _addresses(self) -> list[str]:
        mark = "] [INFO] supervisor listening on "
        return [line.partition(mark)[2] for line in self.said if mark in line]

    def client(self) -> Client:
        return Client(self.where)

    async def ask(self, request: bytes) -> Answer:
        async with self.client() as client:
            return await client.ask(request)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def says(self, text: str) -> None:
        await until(lambda: any(text in line for line in self.said))

    async def exit(self) -> int:
        """Wait for the end; return the exit status."""
        async with asyncio.timeout(PATIENCE):
            status = await self.process.wait()
            await self._reader
        return status

    async def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return await self.exit()

    def workers(self) -> list[int]:
        """The process ids of the workers, where there are several."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self._known = {int(pid) for pid in children.read_text().split()} | self._known
        return [int(pid) for pid in children.read_text().split()]

    def workers_left(self) -> list[int]:
        """Those of all workers ever seen that still run."""
        return [pid for pid in self._known if Path(f"/proc/{pid}").exists()]


@contextlib.asynccontextmanager
async def launched(folder: Path, text: str, *, output: int | None = None) -> AsyncIterator[Process]:
    """Run a gateway as `gatewaylog serve` does, and kill what is left of it at the end; its
    standard output is `output`, or ours.
    """
    config = folder / "gateway.toml"
    config.write_text(text)
    path = Path(tomllib.loads(text)["log"]["path"])
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        str(LAUNCHER),
        str(config),
        stdout=output,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    process = Process(started, config, Log(path))
    try:
        await process.listens()
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        await process.exit()
