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
from gatewaylog.search import compile_query, gathering_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from gatewaylog.reader import Block, Source
    from gatewaylog.search import Gathering, Plan, Result

SHARE = 16 * 1024 * 1024  # bytes: a fraction of a second's work, so that all end together
WORTH = 64 * 1024 * 1024  # bytes from which on processes gain more than their start takes
_MOST = 8  # processes: each takes 20 MB


class Shared:
    """A query over `sources` by index, read in parts by as many processes as pay.

    `unread` counts, once the result's rows are drawn, the lines that can't be read.
    """

    def __init__(
        self,
        gathering: Gathering,
        sources: Mapping[str, Sequence[Source]],
        *,
        workers: int | None = None,
        share: int = SHARE,
    ) -> None:
        self.unread = 0
        self._gathering = gathering
        self._sources = sources
        self._workers = workers
        self._share = share

    def result(self) -> Result:
        """Return what the query gives. Raises QueryError and ReaderError, also as rows come."""
        return self._gathering.result(self._states())

    def _states(self) -> Iterator[object]:
        apart: list[_Part] = []
        plan = self._gathering.plan
        for index, sources in self._sources.items():
            for source in between(sources, plan.earliest, plan.latest):
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

    def _gathered(self, blocks: Iterable[Block], index: str) -> object:
        state, unread = _gathered(self._gathering, blocks, index)
        self.unread += unread
        return state

    def _number_of_workers(self, parts: list[_Part]) -> int:
        if self._workers is not None:
            return self._workers
        if sum(part.end - part.begin for part in parts) < WORTH:
            return 1
        return min(_processors(), _MOST, len(parts))

    def _spread(self, parts: list[_Part], workers: int) -> Iterator[object]:
        setting = self._gathering.plan.setting
        query = _Query(setting.query, setting.now, setting.earliest, setting.latest, setting.zone)
        # Spawned, as a fork takes over whatever threads and locks there are.
        with ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(query,),
        ) as pool:
            try:
                waiting = deque(pool.submit(_work, part) for part in parts)
                while waiting:
                    state, unread = waiting.popleft().result()
                    self.unread += unread
                    yield state
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

    def plan(self) -> Plan:
        return compile_query(
            self.text, now=self.now, earliest=self.earliest, latest=self.latest, zone=self.zone
        )


_begun: list[Gathering] = []  # the one query of a worker process


def _begin(query: _Query) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends the others
    gathering = gathering_of(query.plan())
    if gathering:
        _begun.append(gathering)


def _work(part: _Part) -> tuple[Any, int]:
    return _gathered(_begun[0], part.blocks(), part.inside)


def _gathered(gathering: Gathering, blocks: Iterable[Block], index: str) -> tuple[Any, int]:
    before, cut = gathering.unread, _TooLong(gathering)
    also = {"index": index} if index else {}
    state = gathering.state(cut.readable(blocks), clean=clean, also=also)
    return state, gathering.unread - before + cut.number


class _TooLong:
    """Counts lines that are too long to be read, and takes them out of blocks."""

    def __init__(self, gathering: Gathering) -> None:
        self.number = 0
        self._passes = gathering.plan.prefilter.passes

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
