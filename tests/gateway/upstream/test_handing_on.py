"""A connection that goes from one exchange to the next in one turn of the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gatewaylog.gateway.upstream.incoming import IncomingResponse
from tests.gateway.upstream.scripted import HELLO, StartBackend, answers, get, whole

if TYPE_CHECKING:
    import pytest

    from gatewaylog.gateway.upstream import Headers, Response
    from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine


async def test_a_cancelled_exchange_does_not_break_the_next_one_on_its_connection(
    ours: HttptoolsEngine, backend: StartBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response is whole and its connection taken again, before its own task hears of it."""
    server = await backend(answers(HELLO))
    opened = IncomingResponse.opened
    following: list[asyncio.Task[Response]] = []

    def cancelled_meanwhile(response: IncomingResponse, status: int, headers: Headers) -> None:
        if not following:
            following.append(asyncio.create_task(get(ours, server.origin)))
            first.cancel()
        opened(response, status, headers)

    monkeypatch.setattr(IncomingResponse, "opened", cancelled_meanwhile)
    first = asyncio.create_task(get(ours, server.origin))
    await asyncio.wait((first,))
    assert first.cancelled()
    assert await whole(await following[0]) == b"hello"
    assert len(server.wires) == 1
