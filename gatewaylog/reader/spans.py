"""Which bytes of logs a span of time lies in, found without reading the rest.

Lines are nearly in the order of time. What is left out is told by a line that stands there: where
one is older than the span by more than DISORDER, so is all that stands before it. Lines may be out
of order by DISORDER, as those of several writers are, or of a clock that was put right; a file in
which they are seen to be more so, such as two logs put behind each other, is read whole.
"""

from __future__ import annotations

import os
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.reader.names import name_of
from gatewaylog.reader.times import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gatewaylog.reader.sources import Source

DISORDER = 60.0  # seconds
_WORTH = 1024 * 1024  # bytes from which on a file is looked into
_SAMPLES = 64
_LOOK = 64 * 1024  # bytes that are searched for a line with a time
_NEAR = 128 * 1024  # bytes: how close to the span's ends is close enough


class _Mark(NamedTuple):
    """Where a line begins, and its time."""

    offset: int
    time: float


def between(
    sources: Sequence[Source], earliest: float | None = None, latest: float | None = None
) -> list[Source]:
    """Return `sources`, or the parts of them, without most of what lies outside a span of time.

    `earliest` is in it, `latest` is not; seconds since the epoch, None: open. Lines outside it are
    left, those inside all kept; see above for what may be out of order. Files that are packed are
    left out or kept whole, pipes are kept.
    """
    low = float("-inf") if earliest is None else earliest - DISORDER
    high = float("inf") if latest is None else latest + DISORDER
    if low == -high:
        return list(sources)
    ends = _known_ends(sources)
    parts = (_part(source, end, low, high) for source, end in zip(sources, ends, strict=True))
    return [part for part in parts if part is not None]


def _known_ends(sources: Sequence[Source]) -> list[float]:
    """Return when a log went on in the next file, for each source; infinity where it did not."""
    ends = [float("inf")] * len(sources)
    by_log: dict[object, list[int]] = {}
    for at, source in enumerate(sources):
        if not source.is_pipe:
            family = source.path.parent, name_of(source.path.name).family
            by_log.setdefault(family, []).append(at)
    for places in by_log.values():
        for at, following in pairwise(places):
            begin = sources[following].begin
            ends[at] = float("inf") if begin is None else begin
    return ends


def _part(source: Source, end: float, low: float, high: float) -> Source | None:
    if source.is_pipe:
        return source
    if source.is_packed:
        is_later = source.begin is not None and source.begin >= high
        return None if is_later or end < low else source
    with source.seekable() as file:
        first, stop = _bytes_of(file.fileno(), low, high)
    if first and source.end is not None and source.end < low:
        return None
    return source.part(first, stop) if stop is None or first < stop else None


def _bytes_of(fd: int, low: float, high: float) -> tuple[int, int | None]:
    """Return where what may lie in the span begins and ends; None: at the file's end."""
    size = os.fstat(fd).st_size
    if size < _WORTH:
        return 0, None
    marks = [mark for at in range(_SAMPLES) if (mark := _mark(fd, size * at // _SAMPLES))]
    if not _are_in_order(marks):
        return 0, None
    old = [mark for mark in marks if mark.time < low]
    new = [mark for mark in marks if mark.time >= high]
    first = _last_old(fd, old[-1], _after(old[-1], marks, size), low) if old else 0
    if not new:
        return first, None
    return first, _first_new(fd, _before(new[0], marks), new[0], high)


def _are_in_order(marks: Iterable[_Mark]) -> bool:
    times = [mark.time for mark in marks]
    return all(
        newest - time <= DISORDER
        for newest, time in zip(accumulate(times, max), times, strict=True)
    )


def _after(mark: _Mark, marks: Sequence[_Mark], size: int) -> _Mark:
    return next((one for one in marks if one.offset > mark.offset), _Mark(size, float("inf")))


def _before(mark: _Mark, marks: Sequence[_Mark]) -> _Mark:
    before = [one for one in marks if one.offset < mark.offset]
    return before[-1] if before else _Mark(0, float("-inf"))


def _last_old(fd: int, old: _Mark, end: _Mark, low: float) -> int:
    """Return where a line stands that is older than `low`, near the last that is."""
    stop = end.offset
    while stop - old.offset > _NEAR:
        middle = (old.offset + stop) // 2
        mark = _mark(fd, middle)
        if mark is not None and mark.offset < stop and _fits(old, mark, end) and mark.time < low:
            old = mark
        else:
            stop = middle
    return old.offset


def _first_new(fd: int, begin: _Mark, new: _Mark, high: float) -> int:
    """Return where a line stands that is newer than `high`, near the first that is."""
    start = begin.offset
    while new.offset - start > _NEAR:
        middle = (start + new.offset) // 2
        mark = _mark(fd, middle)
        if (
            mark is not None
            and mark.offset < new.offset
            and _fits(begin, mark, new)
            and mark.time >= high
        ):
            new = mark
        else:
            start = middle
    return new.offset


def _fits(before: _Mark, mark: _Mark, after: _Mark) -> bool:
    """Tell whether a line's time lies between those of its neighbours: it may tell anything."""
    return before.time - DISORDER <= mark.time <= after.time + DISORDER


def _mark(fd: int, at: int) -> _Mark | None:
    """Return the first line with a time that begins at `at` or soon behind it."""
    piece = os.pread(fd, _LOOK, max(0, at - 1))
    place = piece.find(b"\n") + 1 if at else 0
    if at and not place:
        return None
    at = max(0, at - 1) + place
    for raw in piece[place:].split(b"\n")[:-1]:
        time = time_of(raw)
        if time is not None:
            return _Mark(at, time)
        at += len(raw) + 1
    return None
