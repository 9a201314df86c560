"""The page's figures, kept while lines are read: each line is looked at once."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING, TypedDict

from gatewaylog.dashboard.pairs import Pairs, shown_url
from gatewaylog.dashboard.timechart import NULL, OTHER, TimeChart, largest

if TYPE_CHECKING:
    from gatewaylog.dashboard.pairs import ShownOrphans
    from gatewaylog.dashboard.timechart import Drawn
    from gatewaylog.search import Row

READS = frozenset(
    {
        *("Event", "MessageID", "ResponseTo", "API", "StatusCode", "DurationMs"),
        *("RequestInURL", "RequestInMethod", "RequestOutURL", "ErrorSource", "ERROR_MESSAGE"),
    }
)
SUCCESS = "Success"  # what the seed's query calls a REQUEST_COMPLETE
WINDOWS = {"15m": 900, "1h": 3600, "24h": 86_400, "all": None}
_SLOWEST = 20
_UNMATCHED = 20
_MOST_APIS = 1000
_MOST_RESULTS = 100  # of one API
_MOST_URLS = 20_000


class Slow(TypedDict):
    """One of the slowest exchanges."""

    id: str
    time: float
    ms: float
    api: str
    status: str
    method: str
    url: str
    out: str


class Shown(TypedDict):
    """What is sent to the page."""

    lines: int
    unread: int
    first: float | None
    newest: float | None
    requests: int
    completed: int
    errors: int
    charts: dict[str, Drawn]
    results: dict[str, dict[str, int]]
    unmatched: list[tuple[str, str, int]]
    unmatched_total: int
    slowest: list[Slow]
    orphans: ShownOrphans


class Figures:
    """Counts rows that have the fields READS. Memory is bounded: what is rare among too many
    different APIs, messages or URLs goes into OTHER, or is let go.
    """

    def __init__(self) -> None:
        self.unread = 0
        self._events: Counter[str] = Counter()
        self._first: float | None = None
        self._newest: float | None = None
        self._charts = {name: TimeChart(window) for name, window in WINDOWS.items()}
        self._second = 0  # whose calls are counted in:
        self._calls: Counter[str] = Counter()
        self._apis: set[str] = set()
        self._results: dict[str, Counter[str]] = {}
        self._unmatched: Counter[tuple[str, str]] = Counter()
        self._unmatched_total = 0
        self._ended = 0
        self._slowest: list[tuple[float, int, Row]] = []
        self._pairs = Pairs()

    def add(self, row: Row) -> None:
        """Take the next line."""
        event = row.fields["Event"]
        self._events[event] += 1
        if self._first is None or row.time < self._first:
            self._first = row.time
        if self._newest is None or row.time > self._newest:
            self._newest = row.time
        self._pairs.add(row)
        if event == "INCOMING_REQUEST":
            self._count_call(row)
        else:
            self._count_end(row, event)

    def _count_call(self, row: Row) -> None:
        second = int(row.time // 1)
        if second != self._second:
            self._flush()
            self._second = second
        self._calls[self._known(row.fields.get("API", NULL))] += 1

    def _known(self, api: str) -> str:
        if api in self._apis:
            return api
        if len(self._apis) >= _MOST_APIS:
            return OTHER
        self._apis.add(api)
        return api

    def _flush(self) -> None:
        if self._calls:
            for chart in self._charts.values():
                chart.add(self._second, self._calls)
            self._calls.clear()

    def _count_end(self, row: Row, event: str) -> None:
        self._ended += 1
        fields = row.fields
        if event == "ERROR" and fields.get("ErrorSource") == "main":
            self._count_unmatched(fields.get("RequestInMethod", "-"), shown_url(fields))
        if "API" in fields:
            result = SUCCESS if event == "REQUEST_COMPLETE" else fields.get("ERROR_MESSAGE", NULL)
            results = self._results.setdefault(self._known(fields["API"]), Counter())
            results[result if result in results or len(results) < _MOST_RESULTS else OTHER] += 1
        if "DurationMs" in fields:
            self._weigh(row)

    def _count_unmatched(self, method: str, url: str) -> None:
        self._unmatched_total += 1
        self._unmatched[method, url] += 1
        if len(self._unmatched) > _MOST_URLS:
            self._unmatched = Counter(dict(self._unmatched.most_common(_MOST_URLS // 2)))

    def _weigh(self, row: Row) -> None:
        try:
            duration = float(row.fields["DurationMs"])
        except ValueError:
            return  # null
        item = (duration, -self._ended, row)  # of equals the first ones
        if len(self._slowest) < _SLOWEST:
            heapq.heappush(self._slowest, item)
        elif duration > self._slowest[0][0]:
            heapq.heapreplace(self._slowest, item)

    def shown(self) -> Shown:
        """Return the figures as they are now."""
        self._flush()
        return Shown(
            lines=self._events.total() + self.unread,
            unread=self.unread,
            first=self._first,
            newest=self._newest,
            requests=self._events["INCOMING_REQUEST"],
            completed=self._events["REQUEST_COMPLETE"],
            errors=self._events["ERROR"],
            charts={name: chart.drawn() for name, chart in self._charts.items()},
            results=self._shown_results(),
            unmatched=[
                (method, url, count)
                for (method, url), count in sorted(
                    self._unmatched.items(), key=lambda item: (-item[1], item[0])
                )[:_UNMATCHED]
            ],
            unmatched_total=self._unmatched_total,
            slowest=[_slow(row) for *_, row in sorted(self._slowest, reverse=True)],
            orphans=self._pairs.shown(),
        )

    def _shown_results(self) -> dict[str, dict[str, int]]:
        """Return the results of the APIs with the most calls, ten results by name."""
        sums = Counter({api: results.total() for api, results in self._results.items()})
        total: Counter[str] = Counter()
        for results in self._results.values():
            total.update(results)
        named = set(largest(total))
        shown: dict[str, dict[str, int]] = {}
        for api, _ in sums.most_common(15):
            row: Counter[str] = Counter()
            for result, count in self._results[api].items():
                row[result if result in named or result == NULL else OTHER] += count
            shown[api] = dict(row)
        return shown


def _slow(row: Row) -> Slow:
    fields = row.fields
    return Slow(
        id=fields.get("ResponseTo") or fields.get("MessageID", ""),
        time=row.time,
        ms=float(fields["DurationMs"]),
        api=fields.get("API", ""),
        status=fields.get("StatusCode", ""),
        method=fields.get("RequestInMethod", ""),
        url=shown_url(fields),
        out=shown_url(fields, "RequestOutURL"),
    )
