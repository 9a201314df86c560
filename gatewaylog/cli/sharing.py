"""Processes that share big logs: each gathers what a part of them gives to a query."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, NamedTuple

from gatewaylog.exceptions import ReaderError
from gatewaylog.reader import LONGEST, between, blocks_between, blocks_of, shares_of
from gatewaylog.reader.times import clean
from gatewaylog.search import Gathering, Together, compile_query, gathering_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from gatewaylog.reader import Block, Source
    from gatewaylog.search import Plan, Result
    from gatewaylog.search.stream import Setting

SHARE = 16 * 1024 * 1024  # bytes: a fraction of a second's work, so that all end together
WORTH = 64 * 1024 * 1024  # bytes from which on processes gain more than their start takes
_MOST = 8  # processes: each takes 20 MB


class Shared:
    """A query, or several in one pass, over `sources` by index, read in parts by as many processes
    as pay.

    `unread` counts, once the result's rows are drawn, the lines that can't be read.
    """

    def __init__(
        self,
        gathering: Gathering | Sequence[Gathering],
        sources: Mapping[str, Sequence[Source]],
        *,
        workers: int | None = None,
        share: int = SHARE,
    ) -> None:
        self.unread = 0
        gatherings = [gathering] if isinstance(gathering, Gathering) else gathering
        self._together = Together(gatherings)
        self._sources = sources
        self._workers = workers
        self._share = share

    def result(self) -> Result:
        """Return what the query gives. Raises QueryError and ReaderError, also as rows come."""
        (gathering,) = self._together.gatherings
        return gathering.result(state for (state,) in self._states())

    def results(self) -> list[Result]:
        """Return what each query gives. Raises QueryError and ReaderError, also as rows come."""
        return self._together.results(self._states())

    def _states(self) -> Iterator[list[Any]]:
        apart: list[_Part] = []
        earliest, latest = self._together.earliest, self._together.latest
        for index, sources in self._sources.items():
            for source in between(sources, earliest, latest):
                parts = shares_of(source, self._share)
                apart += [_Part(source, index, *part) for part in parts]
                if not parts:
                    yield self._gathered(blocks_of(source), index)
                    self.unread += bool(source.damage)
        workers = self._number_of_workers(apart)
        if workers > 1:
            yield from self._spread(apart, workers)
            return
        for part in apart:
            yield self._gathered(part.blocks(), part.inside)

    def _gathered(self, blocks: Iterable[Block], index: str) -> list[Any]:
        states, unread = _gathered(self._together, blocks, index)
        self.unread += unread
        return states

    def _number_of_workers(self, parts: list[_Part]) -> int:
        if self._workers is not None:
            return self._workers
        if sum(part.end - part.begin for part in parts) < WORTH:
            return 1
        return min(_processors(), _MOST, len(parts))

    def _spread(self, parts: list[_Part], workers: int) -> Iterator[list[Any]]:
        queries = [_Query.of(each.plan.setting) for each in self._together.gatherings]
        # Spawned, as a fork takes over whatever threads and locks there are.
        with ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(queries,),
        ) as pool:
            try:
                waiting = deque(pool.submit(_work, part) for part in parts)
                while waiting:
                    states, unread = waiting.popleft().result()
                    self.unread += unread
                    yield states
            except BrokenProcessPool:
                raise ReaderError("a process that read the log was killed") from None
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


class _Part(NamedTuple):
    """Bytes of a file."""

    source: Source
    inside: str  # the index
    begin: int
    end: int

    def blocks(self) -> Iterator[Block]:
        return blocks_between(self.source, self.begin, self.end)


class _Query(NamedTuple):
    """What a plan is made of again in another process."""

    text: str
    now: float
    earliest: float | None
    latest: float | None
    zone: tzinfo | None

    @classmethod
    def of(cls, setting: Setting) -> _Query:
        return cls(setting.query, setting.now, setting.earliest, setting.latest, setting.zone)

    def plan(self) -> Plan:
        return compile_query(
            self.text, now=self.now, earliest=self.earliest, latest=self.latest, zone=self.zone
        )


_begun: list[Together] = []  # the queries of a worker process, together


def _begin(queries: list[_Query]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends the others
    gatherings = [gathering_of(query.plan()) for query in queries]
    _begun.append(Together([each for each in gatherings if each]))


def _work(part: _Part) -> tuple[list[Any], int]:
    return _gathered(_begun[0], part.blocks(), part.inside)


def _gathered(together: Together, blocks: Iterable[Block], index: str) -> tuple[list[Any], int]:
    before, cut = together.unread, _TooLong(together)
    also = {"index": index} if index else {}
    states = together.states(cut.readable(blocks), clean=clean, also=also)
    return states, together.unread - before + cut.number


class _TooLong:
    """Counts lines that are too long to be read, and takes them out of blocks."""

    def __init__(self, together: Together) -> None:
        self.number = 0
        self._passes = together.passes

    def readable(self, blocks: Iterable[Block]) -> Iterator[bytes]:
        for block in blocks:
            if len(block.raw) < LONGEST and not block.is_cut:
                yield block.raw
                continue
            for line in block.raw.split(b"\n"):
                if len(line) < LONGEST and not block.is_cut:
                    yield line
                else:
                    self.number += self._passes(line[:LONGEST])


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
