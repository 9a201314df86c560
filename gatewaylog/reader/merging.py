"""Several logs as one, in the order of time, each read only from when it begins to matter."""

from __future__ import annotations

import heapq
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.reader.lines import Entry, batches
from gatewaylog.reader.names import name_of
from gatewaylog.reader.times import first_time, time_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gatewaylog.reader.sources import Source

_Wanted: TypeAlias = "Callable[[bytes], bool] | None"
Key: TypeAlias = tuple[float, int]  # a time and a source's place; both negative backwards

_NEVER: Key = (float("inf"), 0)
_LATE = 5.0  # seconds that a writer may go on with a file that was rotated
_MOST_UNTIMED = 10_000  # lines that are held until the one before them tells a time


def merged(
    sources: Sequence[Source],
    *,
    newest_first: bool = False,
    wanted: _Wanted = None,
) -> Iterator[Entry]:
    """Yield the lines of all sources by time; at the same time by source, then by place.

    A line that tells no time goes with the one before it. Lines of one source never change places
    with each other, though their times may.
    """
    streams = _backwards(sources, wanted) if newest_first else _forwards(sources, wanted)
    waiting = sorted(streams, key=lambda stream: stream.bound, reverse=True)
    ready: list[tuple[Key, _Stream]] = []
    while waiting or ready:
        while waiting and (not ready or waiting[-1].bound <= ready[0][0]):
            _ready(ready, waiting.pop())
        if ready:
            stream = heapq.heappop(ready)[1]
            yield from stream.until(
                min(ready[0][0] if ready else _NEVER, waiting[-1].bound if waiting else _NEVER)
            )
            _ready(ready, stream)


def _ready(ready: list[tuple[Key, _Stream]], stream: _Stream) -> None:
    if (head := stream.head()) is not None:
        heapq.heappush(ready, (head, stream))


def _forwards(sources: Sequence[Source], wanted: _Wanted) -> list[_Stream]:
    return [
        _Stream(source, (source.since, place), newest_first=False, wanted=wanted)
        for place, source in enumerate(sources)
    ]


def _backwards(sources: Sequence[Source], wanted: _Wanted) -> list[_Stream]:
    """Make the streams; a packed file's end is known from the one that was begun after it."""
    ends = [source.since if source.begin is None else source.end for source in sources]
    by_log = sorted(enumerate(sources), key=lambda pair: (_log_of(pair[1]), pair[0]))
    for (place, source), (_, later) in pairwise(by_log):
        if ends[place] is None and _log_of(source) == _log_of(later) and later.begin is not None:
            ends[place] = later.begin + _LATE
    return [
        _Stream(
            source,
            (float("-inf") if end is None else -end, -place),
            newest_first=True,
            wanted=wanted,
        )
        for place, (source, end) in enumerate(zip(sources, ends, strict=True))
    ]


def _log_of(source: Source) -> tuple[str, str]:
    return str(source.path.parent), name_of(source.path.name).family


class _Stream:
    """A source's lines in the order of reading, with the key that each is merged by.

    Nothing in it has a key under `bound`. Times are worked out for those batches alone that
    another source reaches into.
    """

    def __init__(self, source: Source, bound: Key, *, newest_first: bool, wanted: _Wanted) -> None:
        self.bound = bound
        self._place = bound[1]
        self._newest_first = newest_first
        self._batches = batches(source, newest_first=newest_first, wanted=wanted)
        self._batch: list[Entry] = []
        self._times: list[float] = []  # of the batch, where they are known
        self._at = 0
        self._time = source.since  # of what was read last
        self._held: list[Entry] = []  # lines that go with one that is still to be read

    def head(self) -> Key | None:
        """Return the key of the next line, None at the end."""
        return self._key(self._worked_out()[self._at]) if self._filled() else None

    def until(self, limit: Key) -> Iterator[Entry]:
        """Yield the lines up to `limit`."""
        while self._filled():
            begin, end = self._at, len(self._batch)
            if self._times or self._key(self._last()) > limit:
                times = self._worked_out()
                end = next((at for at in range(begin, end) if self._key(times[at]) > limit), end)
                if end == begin:
                    return
            self._time = self._times[end - 1] if self._times else self._last()
            self._at = end
            yield from self._batch[begin:end]

    def _key(self, time: float) -> Key:
        return (-time if self._newest_first else time), self._place

    def _filled(self) -> bool:
        """Have a line at hand, or find the end."""
        while self._at == len(self._batch):
            batch = next(self._batches, None)
            if batch is None and not self._held:
                return False
            self._batch = self._released(batch) if self._newest_first else batch or []
            self._times, self._at = [], 0
        return True

    def _released(self, batch: list[Entry] | None) -> list[Entry]:
        """Return a batch newest first, without what goes with a line still to be read."""
        whole = [*(batch or ()), *self._held]
        most = 0 if batch is None else _MOST_UNTIMED
        timed = next((at for at, entry in enumerate(whole) if time_of(entry.raw) is not None), most)
        self._held = whole[: min(timed, most)]
        return whole[: min(timed, most) - len(whole) - 1 : -1] if whole[timed:] else []

    def _last(self) -> float:
        """Return the time of the batch's last line."""
        time = first_time(entry.raw for entry in reversed(self._batch))
        return self._time if time is None else time

    def _worked_out(self) -> list[float]:
        """Return the time of each line of the batch."""
        if not self._times:
            step = -1 if self._newest_first else 1
            for entry in self._batch[::step]:
                time = time_of(entry.raw)
                self._time = self._time if time is None else time
                self._times.append(self._time)
            self._times = self._times[::step]
        return self._times
