"""What all open pages look at, and what each of them is sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING

from gatewaylog.dashboard import answers
from gatewaylog.dashboard.counting import started
from gatewaylog.dashboard.recent import Recent, Tail
from gatewaylog.dashboard.tokens import Tokens
from gatewaylog.dashboard.whole import WholeLog
from gatewaylog.reader import find_exchanges
from gatewaylog.search import QueryError, compile_query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from gatewaylog.dashboard.logs import Logs
    from gatewaylog.dashboard.token_use import Store
    from gatewaylog.reader import Exchange
    from gatewaylog.search import Plan

_EVERY = 0.2  # seconds between two looks for a page
_TABLE_EVERY = 1.0  # seconds; a query with commands is worked out anew
_HEARTBEAT = 10.0  # seconds of silence after which a comment is sent
_MOST_FOUND = 20  # exchanges of one id


class Board:
    """The figures as they were sent last, the last lines, and the files behind them."""

    def __init__(self, logs: Logs, store: Store | None = None) -> None:
        self.tokens = Tokens(store)
        self.recent = Recent()
        self.figures = ""
        self.version = 0  # of the figures
        self._logs = logs
        self._whole = WholeLog(logs)
        self._ending = asyncio.Event()
        self._counting: BaseProcess | None = None
        self._finding = asyncio.Semaphore(1)  # each reads the whole log

    @contextlib.contextmanager
    def fed(self) -> Iterator[None]:
        """Have the log read and followed while the block runs."""
        tail = Tail(self._logs.live, self.recent)
        process, figures = started(self._logs)
        self._counting = process
        listening = threading.Thread(target=self._listen, args=(figures,), daemon=True)
        listening.start()
        tail.start()
        try:
            yield
        finally:
            process.terminate()
            process.join()
            listening.join()
            tail.stop()

    def _listen(self, figures: Connection) -> None:
        with contextlib.suppress(EOFError, OSError), figures:
            while True:
                self.figures = figures.recv_bytes().decode()
                self.version += 1

    async def found(self, identity: str) -> list[Exchange]:
        """Return the exchanges of an id: from memory where it is whole there, else from the log."""
        held = await asyncio.to_thread(self.recent.exchange, identity)
        if held is not None:
            return [held]
        async with self._finding:
            found = await asyncio.to_thread(find_exchanges, identity, self._logs.all)
        return found[:_MOST_FOUND]

    def end(self) -> None:
        """Let all streams, searches and the counting end."""
        self._ending.set()
        self._whole.end()
        self.tokens.end()
        if self._counting is not None:  # a signal may end this process with no more to be done
            self._counting.terminate()

    async def stream(self, query: str) -> AsyncGenerator[str, None]:
        """Yield server-sent events until `end`: figures, and what the query finds; first `tokens`
        where there is a store of these, which is not asked.
        """
        if self.tokens.is_there:
            yield _event("tokens", "{}")
        search = _Search(query, self.recent)
        version, spoken = 0, time.monotonic()
        while not self._ending.is_set():
            sent = [told async for told in search.told()]
            if version != self.version:
                version = self.version
                sent.append(_event("figures", self.figures))
            if sent:
                spoken = time.monotonic()
                yield "".join(sent)
            elif time.monotonic() > spoken + _HEARTBEAT:
                spoken = time.monotonic()
                yield ": still here\n\n"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _EVERY)

    async def whole(self, query: str) -> AsyncGenerator[str, None]:
        """Yield server-sent events of a search of the whole log, the last one its answer."""
        async with contextlib.aclosing(self._whole.told(query)) as search:
            async for told in search:
                yield _event("whole", json.dumps(told))


class _Search:
    """A page's query, tried on the lines as they come."""

    def __init__(self, query: str, recent: Recent) -> None:
        self._recent = recent
        self._place = 0
        self._next = 0.0
        self._refusal: dict[str, object] | None = None
        self._plan: Plan | None = None
        self._name = "events"
        try:
            self._plan = compile_query(query or "*", now=time.time())
            self._name = "table" if self._plan.commands else "events"
        except QueryError as error:
            self._refusal = answers.refusal(error)

    async def told(self) -> AsyncIterator[str]:
        """Yield what is new, if anything."""
        if self._plan is None:
            if self._refusal is not None:
                yield _event("refused", json.dumps(self._refusal))
                self._refusal = None
            return
        fresh = self._recent.since(self._place)
        if fresh.place == self._place and self._next:
            return
        if self._name == "table":
            now = time.monotonic()
            if now < self._next:
                return
            self._next = now + _TABLE_EVERY
            fresh = self._recent.since(0)
        first, self._next, self._place = not self._next, self._next or 1.0, fresh.place
        work = answers.table if self._name == "table" else answers.events
        answer = await asyncio.to_thread(self._answer, work, self._plan, fresh.lines)
        if first or answer.get("events") or self._name == "table" or "refused" in answer:
            name = "refused" if "refused" in answer else self._name
            yield _event(name, json.dumps({**answer, "first": first}))

    def _answer(
        self,
        work: Callable[[Plan, list[bytes]], dict[str, object]],
        plan: Plan,
        lines: list[bytes],
    ) -> dict[str, object]:
        try:
            return work(plan, lines)
        except QueryError as error:
            self._plan = None
            return answers.refusal(error)


def _event(name: str, text: str) -> str:
    return f"event: {name}\ndata: {text}\n\n"
