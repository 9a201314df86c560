"""Calls to stores in threads: waited for so long, and not made where the last one was in vain."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gatewaylog.auth.aside import Aside
from gatewaylog.auth.breaker import Breaker
from gatewaylog.exceptions import TokenStoreError


class Store:
    """Answers when it may, and counts the calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.free = threading.Event()

    def call(self, answer: str) -> str:
        self.calls += 1
        self.free.wait(20)
        return answer


async def test_a_store_that_does_not_answer_is_left_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    store, aside = Store(), Aside("the store")
    with pytest.raises(TokenStoreError, match=r"no answer within 0\.05 s"):
        await aside.call(0.05, store.call, "late")
    for _ in range(5):
        with pytest.raises(TokenStoreError, match="is left alone for a second"):
            await aside.call(20, store.call, "never")
    assert store.calls == 1
    store.free.set()
    async with asyncio.timeout(20):
        while True:
            try:
                assert await aside.call(20, store.call, "soon") == "soon"
                break
            except TokenStoreError:
                await asyncio.sleep(0.01)
    aside.close()
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "gatewaylog: the store: no answer within 0.05 s",
        "gatewaylog: the store answers again",
    ]


async def test_who_gives_up_says_nothing_of_the_store() -> None:
    store, aside = Store(), Aside("the store")
    call = asyncio.create_task(aside.call(20, store.call, "a"))
    while not store.calls:
        await asyncio.sleep(0.001)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    store.free.set()
    assert await aside.call(20, store.call, "b") == "b"
    aside.close()


def test_who_gives_up_the_try_leaves_it_to_the_next() -> None:
    now = 0.0
    breaker = Breaker(5.0, monotonic=lambda: now)
    assert breaker.begin() == 0.0
    breaker.unanswered(0.0)
    assert breaker.begin() is None
    now = 5.0
    assert breaker.begin() == 5.0
    assert breaker.begin() is None
    breaker.given_up()
    assert breaker.begin() == 5.0
    breaker.answered()
    assert breaker.begin() == breaker.begin() == 5.0
