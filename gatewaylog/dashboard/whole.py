"""A query over the whole log, in a process of its own that ends when its page goes away.

A process, since a search keeps a core busy for seconds and can be stopped at any moment by ending
it; one at a time, since two would only wait for each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING

from gatewaylog.analytics.parts import FilePart, gathered
from gatewaylog.dashboard import answers
from gatewaylog.dashboard.apart import Apart, sending
from gatewaylog.exceptions import ReaderError
from gatewaylog.reader import LONGEST, between, blocks_of, find, lines_of, shares_of
from gatewaylog.reader.times import clean
from gatewaylog.search import QueryError, Together, compile_query, gathering_of, row_reader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

    from gatewaylog.analytics.parts import Given
    from gatewaylog.dashboard.logs import Logs
    from gatewaylog.reader import Source
    from gatewaylog.search import Gathering, Plan, Result, Row
    from gatewaylog.search.gathering import State

_EVERY = 0.1  # seconds from one telling how far it is to the next, at least
_SHARE = 16 * 1024 * 1024  # bytes from one to the next, at most, where it is read in parts
_SHOWN = 300  # rows of an answer


class WholeLog:
    """Runs queries over all files, one at a time, for pages that wait."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._running = asyncio.Semaphore(1)
        self._apart = Apart("searching")

    def end(self) -> None:
        """End the search that runs, and begin no other."""
        self._apart.end()

    async def told(self, query: str) -> AsyncGenerator[dict[str, object], None]:
        """Yield how far the search is, `read` of 1; at last the answer, `refused` or `failed`.

        Closing the generator ends the search.
        """
        if self._running.locked():
            yield {"waiting": True}
        async with self._running:
            async with contextlib.aclosing(self._apart.told(_run, self._logs, query)) as search:
                async for told in search:
                    yield told
                    if "read" not in told:
                        return
            yield {"failed": "the search ended without an answer"}


def _run(logs: Logs, query: str, output: Connection) -> None:
    """Search, and send what there is to say; what is wrong is the answer then."""
    with sending(output) as send:
        send(json.dumps(answered(logs, query, send)).encode())


def answered(logs: Logs, query: str, send: Callable[[bytes], object]) -> dict[str, object]:
    """Return what a query gives over all files of `logs`; tell `send` how far it is."""
    began = time.monotonic()
    try:
        plan = compile_query(query or "*", now=time.time())
        search = _Search(plan, find(logs.all), send)
        found = search.answer()
    except QueryError as error:
        return answers.refusal(error)
    except (ReaderError, OSError) as error:
        return {"failed": str(error)}
    return {**found, "unread": search.unread, "seconds": time.monotonic() - began}


class _Search:
    """One run of a plan, told of as it goes on."""

    def __init__(
        self, plan: Plan, sources: Sequence[Source], send: Callable[[bytes], object]
    ) -> None:
        self.unread = 0
        self._plan = plan
        self._sources = between(sources, plan.earliest, plan.latest)
        self._size = max(1, sum(source.path.stat().st_size for source in self._sources))
        self._send = send
        self._read = 0  # bytes
        self._next = 0.0  # when to tell again

    def answer(self) -> dict[str, object]:
        """Return events or a table. Raises QueryError and ReaderError."""
        if not self._plan.commands:
            return answers.events_of(self._in_order(), _SHOWN)
        gathering = gathering_of(self._plan)
        result = self._in_order() if gathering is None else self._in_parts(gathering)
        return answers.table_of(result, _SHOWN)

    def _in_order(self) -> Result:
        return self._plan.run(self._rows(), prefiltered=True)

    def _rows(self) -> Iterator[Row]:
        read, passes = row_reader(self._plan.reads), self._plan.prefilter.passes
        for entry in lines_of(self._sources, newest_first=True):
            raw = clean(entry.raw)
            self._tell(len(entry.raw) + 1)
            if raw and not passes(raw):
                continue
            row = read(raw) if len(raw) < LONGEST else None
            if row is None:
                self.unread += 1
            else:
                yield row

    def _in_parts(self, gathering: Gathering) -> Result:
        """Gather part by part, several times as fast as in order."""
        together = Together([gathering])
        return gathering.result(state for (state,) in self._states(together))

    def _states(self, together: Together) -> Iterator[list[State]]:
        for source in self._sources:
            for begin, end in (parts := shares_of(source, _SHARE)):
                yield from self._counted(FilePart(source, "", begin, end).given(together))
                self._tell(end - begin)
            if not parts:
                yield from self._counted(gathered(together, blocks_of(source), ""))
                self._tell(source.path.stat().st_size)

    def _counted(self, given: Given) -> list[list[State]]:
        self.unread += given.unread
        return given.states

    def _tell(self, size: int) -> None:
        self._read += size
        if (now := time.monotonic()) >= self._next:
            self._next = now + _EVERY
            self._send(json.dumps({"read": min(1.0, self._read / self._size)}).encode())
