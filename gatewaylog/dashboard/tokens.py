"""The use of tokens as it was told last, asked again when a page wants it and that is due."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from gatewaylog.dashboard.apart import Apart
from gatewaylog.dashboard.token_use import QUERIES, RULES, send_use

if TYPE_CHECKING:
    from gatewaylog.dashboard.token_use import Store

# Seconds that they may take: the rules are shown each row of a month.
LIMITS = {QUERIES: 30.0, RULES: 300.0}
_EVERY = 10.0  # seconds from one asking to the next, at least
_SHARE = 10  # of the time goes into asking, at most


class Tokens:
    """Asks the store while pages look at it: once for all of them, and nothing while none does."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        trouble = store is not None and store.trouble
        self._questions = (
            [] if store is None or trouble else [_Question(store, of) for of in LIMITS]
        )

    @property
    def is_there(self) -> bool:
        """Whether there is a store to ask."""
        return self._store is not None

    def end(self) -> None:
        """End the asking, and begin no other."""
        for question in self._questions:
            question.end()

    def told(self) -> dict[str, object]:
        """Return what is known, and `wait`, the seconds until more may be; ask where that is due.

        `failed` is why the store can't be asked; a part may have its own. `at` is when what is
        there was asked for.
        """
        if not self._questions:
            return {"failed": self._store.trouble if self._store else "", "wait": None}
        told: dict[str, object] = {}
        for question in self._questions:
            question.ask_if_due()
            told |= question.told
        wait = min(question.wait for question in self._questions)
        return {**told, "wait": wait}


class _Question:
    """What is asked together, its last answer, and when to ask again."""

    def __init__(self, store: Store, of: str) -> None:
        self._store = store
        self._of = of
        self._apart = Apart("asking")
        self._task: asyncio.Task[None] | None = None
        self._next = 0.0
        self.told: dict[str, object] = {}

    def end(self) -> None:
        self._apart.end()

    @property
    def _is_asked(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def wait(self) -> float:
        """Seconds until there may be something new."""
        return 1.0 if self._is_asked else max(0.0, self._next - time.monotonic())

    def ask_if_due(self) -> None:
        if not self._is_asked and time.monotonic() >= self._next:
            self._task = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        began, now, limit = time.monotonic(), time.time(), LIMITS[self._of]
        why: object = "the asking ended without an answer"
        parts = self._apart.told(send_use, self._store, self._of, now, limit)
        try:
            async with asyncio.timeout(limit), contextlib.aclosing(parts) as told:
                async for part in told:
                    if "ended" in part:
                        why = part["ended"]
                    else:
                        self.told |= part
        except TimeoutError:
            why = f"it takes longer than {limit:g} s"
        if self._of == QUERIES:
            self.told |= {"failed": why} if why else {"failed": None, "at": now}
        elif why:
            self.told = {"findings": {"failed": why}}
        took = time.monotonic() - began
        self._next = began + max(_EVERY, took * _SHARE)
