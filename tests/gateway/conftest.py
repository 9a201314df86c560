"""Backends that play a script, for a gateway in the test's own event loop."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest_asyncio
from scripted import Backend, Play

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from scripted import StartBackend


@pytest_asyncio.fixture
async def backend() -> AsyncIterator[StartBackend]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            play: Play, *, tls: ssl.SSLContext | None = None, unix_path: str | None = None
        ) -> Backend:
            return await stack.enter_async_context(Backend(play, tls=tls, unix_path=unix_path))

        yield start
