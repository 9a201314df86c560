"""Processes that share big logs: each gathers what a part of them gives to a query."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, NamedTuple

from gatewaylog.analytics.covering import covered
from gatewaylog.analytics.parts import FilePart, gathered
from gatewaylog.exceptions import ReaderError
from gatewaylog.reader import between, blocks_of, shares_of
from gatewaylog.search import Gathering, Together, compile_query, gathering_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from datetime import tzinfo

    from gatewaylog.analytics.parts import Given, Part
    from gatewaylog.reader import Source
    from gatewaylog.search import Plan, Result
    from gatewaylog.search.stream import Setting

SHARE = 16 * 1024 * 1024  # bytes: a fraction of a second's work, so that all end together
WORTH = 64 * 1024 * 1024  # bytes from which on processes gain more than their start takes
_LONG = 2.0  # seconds that more processes take less of: their start takes one
_MOST = 8  # processes: each takes 20 MB
_AHEAD = 3  # parts that wait for each process, or that it has finished before they are wanted


class Shared:
    """A query, or several in one pass, over `sources` by index, read in parts by as many processes
    as pay; what a cache holds is taken from there, if `cached`.

    `unread` counts, once the result's rows are drawn, the lines that can't be read.
    """

    def __init__(
        self,
        gathering: Gathering | Sequence[Gathering],
        sources: Mapping[str, Sequence[Source]],
        *,
        workers: int | None = None,
        share: int = SHARE,
        cached: bool = True,
    ) -> None:
        self.unread = 0
        gatherings = [gathering] if isinstance(gathering, Gathering) else gathering
        self._together = Together(gatherings)
        self._sources = sources
        self._workers = workers
        self._share = share
        self._cached = cached

    def result(self) -> Result:
        """Return what the query gives. Raises QueryError and ReaderError, also as rows come."""
        (gathering,) = self._together.gatherings
        return gathering.result(state for (state,) in self._states())

    def results(self) -> list[Result]:
        """Return what each query gives. Raises QueryError and ReaderError, also as rows come."""
        return self._together.results(self._states())

    def _states(self) -> Iterator[list[Any]]:
        held: deque[Part] = deque()
        apart: list[FilePart] = []
        earliest, latest = self._together.earliest, self._together.latest
        for index, sources in self._sources.items():
            for source in between(sources, earliest, latest):
                cached, rest = covered(source, index) if self._cached else ([], source)
                held += cached
                if rest is None:
                    continue
                parts = shares_of(rest, self._share)
                apart += [FilePart(rest, index, *part) for part in parts]
                if not parts:
                    yield from self._counted(gathered(self._together, blocks_of(rest), index))
                    self.unread += bool(rest.damage)
        workers = self._number_of_workers(apart)
        if workers == 1:
            yield from self._begun_with(held)
            workers = _most(len(held)) if held else 1
        if workers > 1:
            yield from self._spread([*held, *apart], workers)
            return
        for part in apart:
            yield from self._counted(part.given(self._together))

    def _begun_with(self, held: deque[Part]) -> Iterator[list[Any]]:
        """Ask the cache, which nearly always is a matter of moments; stop, with parts left in
        `held`, where those are worth more processes.
        """
        is_first = True  # and takes long by what it loads
        while held:
            began = time.thread_time()
            yield from self._counted(held.popleft().given(self._together))
            left = (time.thread_time() - began) * len(held)
            may_spread = self._workers is None and not is_first and _most(len(held)) > 1
            if may_spread and left > _LONG:
                return
            is_first = False

    def _counted(self, given: Given) -> Iterator[list[Any]]:
        self.unread += given.unread
        yield from given.states

    def _number_of_workers(self, parts: list[FilePart]) -> int:
        if self._workers is not None:
            return self._workers
        if sum(part.end - part.begin for part in parts) < WORTH:
            return 1
        return _most(len(parts))

    def _spread(self, parts: list[Part], workers: int) -> Iterator[list[Any]]:
        queries = [_Query.of(each.plan.setting) for each in self._together.gatherings]
        # Spawned, as a fork takes over whatever threads and locks there are.
        with ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(queries,),
        ) as pool:
            waiting: deque[Future[bytes]] = deque()
            try:
                for part in parts:
                    waiting.append(pool.submit(_work, part))
                    if len(waiting) == workers * _AHEAD:
                        yield from self._finished(waiting)
                while waiting:
                    yield from self._finished(waiting)
            except BrokenProcessPool:
                raise ReaderError("a process that read the log was killed") from None
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _finished(self, waiting: deque[Future[bytes]]) -> Iterator[list[Any]]:
        yield from self._counted(pickle.loads(waiting.popleft().result()))  # noqa: S301 - our own


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


def _work(part: Part) -> bytes:
    # What waits takes less as bytes, and less is left of it if one thread alone unpacks it.
    return pickle.dumps(part.given(_begun[0]), pickle.HIGHEST_PROTOCOL)


def _most(parts: int) -> int:
    """Return how many processes so many parts are worth."""
    return min(_processors(), _MOST, parts)


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
