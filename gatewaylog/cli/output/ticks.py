"""Where an axis is marked: round numbers, round times."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.search.values import Number

_ROUND = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10)
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 7, 14)),
)
_EPOCH = datetime(1970, 1, 5)  # noqa: DTZ001 - a Monday, as a local time


def round_above(number: Number) -> Number:
    """Return the least round number that is not below `number`."""
    if number <= 0 or not math.isfinite(number):
        return number
    unit = 10.0 ** math.floor(math.log10(number))
    found = next((part * unit for part in _ROUND if part * unit >= number), number)
    return int(found) if found == int(found) else found


def labels_of(moments: Sequence[float], width: int) -> dict[int, str]:
    """Return the labels of an axis by the place of their moments, each `width` columns wide: those
    of round local times, as many as have room; the first moment's where no time is round.
    """
    form, local = _form(moments), [_local(moment) for moment in moments]
    length = len(local[0].strftime(form))
    room = -(-(length + 2) // width)  # moments from one label to the next
    found = _round_times(local, room) or range(0, len(moments), room)
    fitting = [at for at in found if at == found[0] or (len(moments) - at) * width + 2 >= length]
    return {at: local[at].strftime(form) for at in fitting}


def _round_times(local: Sequence[datetime], room: int) -> list[int]:
    """Return where times of the smallest step begin that leaves each so much room."""
    for step in _STEPS:
        counts = [(time.replace(tzinfo=None) - _EPOCH) / timedelta(seconds=step) for time in local]
        starts = [at for at, (one, two) in enumerate(pairwise(counts), 1) if one // 1 != two // 1]
        if counts[0] % 1 == 0:
            starts.insert(0, 0)
        if starts and all(two - one >= room for one, two in pairwise(starts)):
            return starts
    return []


def _local(moment: float) -> datetime:
    try:
        return datetime.fromtimestamp(moment, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return datetime.min.replace(tzinfo=UTC)


def _form(moments: Sequence[float]) -> str:
    """Return how times are written: only as much of them as differs."""
    first, last = _local(moments[0]), _local(moments[-1])
    step = moments[1] - moments[0] if len(moments) > 1 else 0
    if step >= _DAY * 28:
        return "%Y-%m"
    if step >= _DAY:
        return "%Y-%m-%d" if first.year != last.year else "%m-%d"
    if first.date() != last.date():
        return "%m-%d %H:%M"
    return "%H:%M:%S" if step < _MINUTE else "%H:%M"
