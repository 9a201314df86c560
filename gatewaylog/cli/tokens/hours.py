"""A chart over time of rows of hours, of all hours that were asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gatewaylog.audit.queries.hours import HOUR, Hourly
from gatewaylog.search import Result

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from gatewaylog.audit.queries.hours import Series
    from gatewaylog.audit.queries.statements import Window
    from gatewaylog.cli.tokens.asked import Row
    from gatewaylog.search.values import Record

_MOST = 24 * 366 * 10  # hours that are filled: a row of the year 1970 makes no chart of millions


def charted(rows: Iterable[Row], by: Sequence[str], window: Window) -> Result:
    """Return the chart of accesses an hour; the ten busiest series, the others together."""
    hourly = Hourly(by)
    for row in rows:
        hourly.add(row)
    hours = _span(hourly.hours, window)
    found = hourly.series(hours)
    records = (_record(hour, at, found) for at, hour in enumerate(hours))
    columns = ("_time", *(series.name for series in found))
    return Result(columns, records, "timechart", "_time")


def _record(hour: int, at: int, found: Iterable[Series]) -> Record:
    told: Record = {series.name: series.counts[at] for series in found}
    return {**told, "_time": hour}


def _span(hours: Collection[int], window: Window) -> Sequence[int]:
    """Return every hour of the window, else from the first that has a row to the last."""
    known = sorted(hours)
    if not known:
        return ()
    first, last = known[0], known[-1]
    if window.last is not None:
        last = max(last, int(time.time()) // HOUR * HOUR)
        first = min(first, last - int(window.last.total_seconds()))
    if (last - first) // HOUR > _MOST:
        return known
    return range(first, last + 1, HOUR)
