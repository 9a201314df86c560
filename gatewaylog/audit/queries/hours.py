"""From rows of hours to series over time: the busiest, then the others together."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from gatewaylog.audit.queries.asking import Value

OTHER, UNKNOWN = "OTHER", "unknown"
HOUR = 3600
# A series for each of these, by the columns that name it.
BY = {
    "client": ("vendor_name", "application_name", "api_client_key"),
    "application": ("vendor_name", "application_name"),
    "vendor": ("vendor_name",),
}
_SERIES = 10


class Series(NamedTuple):
    """One series: its accesses in each hour that was asked for."""

    name: str
    counts: list[int]


class Hourly:
    """Accesses by hour, those of the columns `by` together, from rows of the timeline."""

    def __init__(self, by: Sequence[str]) -> None:
        self._by = by
        self._hours: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._sums: Counter[str] = Counter()

    def add(self, row: Mapping[str, Value]) -> None:
        """Take the accesses of an hour."""
        at, count = row["access_hour"], row["access_count"]
        if isinstance(at, datetime) and isinstance(count, int):
            named = [str(row[name]) for name in self._by if row[name] is not None]
            series = " / ".join(named) or UNKNOWN
            self._hours[int(at.timestamp())][series] += count
            self._sums[series] += count

    @property
    def hours(self) -> Collection[int]:
        """The hours that have accesses, in seconds since the epoch."""
        return self._hours.keys()

    def series(self, hours: Iterable[int]) -> list[Series]:
        """Return the ten busiest by name, then the others together where there are more."""
        rows = [self._hours.get(hour, Counter()) for hour in hours]
        busiest = sorted(self._sums, key=lambda name: (-self._sums[name], name))[:_SERIES]
        found = [Series(name, [row[name] for row in rows]) for name in sorted(busiest)]
        if len(self._sums) > len(busiest):
            rest = [row.total() - sum(row[name] for name in busiest) for row in rows]
            found.append(Series(OTHER, rest))
        return found
