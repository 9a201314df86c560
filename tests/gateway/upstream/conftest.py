"""Every engine, on both event loops, against backends that play a script on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest_asyncio
import uvloop

from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine
from gatewaylog.gateway.upstream.httpx_engine import HttpxEngine
from tests.gateway.upstream.scripted import Backend, Play

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    import pytest

    from gatewaylog.gateway.upstream import Engine
    from tests.gateway.upstream.scripted import StartBackend


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture(params=["httptools", "httpx"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    """Each engine; a test marked `ours` names what httpx can't keep."""
    made: Engine = HttptoolsEngine() if request.param == "httptools" else HttpxEngine()
    yield made
    await made.aclose()


@pytest_asyncio.fixture
async def ours() -> AsyncIterator[HttptoolsEngine]:
    """The httptools engine alone: for what the docstring of `httpx_engine` excepts."""
    made = HttptoolsEngine()
    yield made
    await made.aclose()


@pytest_asyncio.fixture
async def backend() -> AsyncIterator[StartBackend]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            play: Play, *, tls: ssl.SSLContext | None = None, unix_path: str | None = None
        ) -> Backend:
            return await stack.enter_async_context(Backend(play, tls=tls, unix_path=unix_path))

        yield start


@pytest_asyncio.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    async with asyncio.timeout(5):
        while asyncio.all_tasks() - before - {asyncio.current_task()}:
            await asyncio.sleep(0.001)
