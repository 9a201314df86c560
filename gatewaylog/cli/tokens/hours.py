"""From rows of hours to a chart over time: a series for each client, hours without use as 0."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from datetime import datetime
from typing import TYPE_CHECKING

from gatewaylog.search import Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gatewaylog.audit.queries.statements import Window
    from gatewaylog.cli.tokens.asked import Row
    from gatewaylog.search.values import Record

OTHER, UNKNOWN = "OTHER", "unknown"
_SERIES = 10
_HOUR = 3600
_MOST = 24 * 366 * 10  # hours that are filled: a row of the year 1970 makes no chart of millions


def charted(rows: Iterable[Row], by: Sequence[str], window: Window) -> Result:
    """Return the chart of accesses an hour; the ten busiest series, the others together."""
    hours: defaultdict[int, Counter[str]] = defaultdict(Counter)
    sums: Counter[str] = Counter()
    for row in rows:
        at, count = row["access_hour"], row["access_count"]
        if isinstance(at, datetime) and isinstance(count, int):
            series = " / ".join(str(row[name]) for name in by if row[name] is not None) or UNKNOWN
            hours[int(at.timestamp())][series] += count
            sums[series] += count
    busiest = sorted(sums, key=lambda name: (-sums[name], name))[:_SERIES]
    columns = sorted(busiest) + [OTHER] * (len(sums) > len(busiest))
    records = [_record(hour, hours[hour], columns) for hour in _span(hours, window)]
    return Result(("_time", *columns), iter(records), "timechart", "_time")


def _record(hour: int, counts: Counter[str], columns: Sequence[str]) -> Record:
    told: Record = {"_time": hour}
    for name in columns:
        told[name] = counts[name]
    if columns and columns[-1] == OTHER:
        told[OTHER] = counts.total() - sum(counts[name] for name in columns[:-1])
    return told


def _span(hours: Iterable[int], window: Window) -> Iterable[int]:
    """Return every hour of the window, else from the first that has a row to the last."""
    known = sorted(hours)
    if not known:
        return ()
    first, last = known[0], known[-1]
    if window.last is not None:
        last = max(last, int(time.time()) // _HOUR * _HOUR)
        first = min(first, last - int(window.last.total_seconds()))
    if (last - first) // _HOUR > _MOST:
        return known
    return range(first, last + 1, _HOUR)
