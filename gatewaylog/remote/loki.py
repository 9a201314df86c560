"""A plan run over the lines of a Loki, by its query_range: they are all drawn and tried here.

https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time: the
start is in the range, the end is not; `backward` gives the newest `limit` lines of it. Loki has no
cursor, so that the next page begins at the time of the oldest line of this one, which is drawn
again whole: several lines may share it.
"""

from __future__ import annotations

import json
import math
import re
import time
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from gatewaylog.exceptions import RemoteError
from gatewaylog.reader.times import clean
from gatewaylog.remote.http import PassingError, asked
from gatewaylog.search import row_reader
from gatewaylog.search.logql import SELECTOR, query_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gatewaylog.remote.http import Store
    from gatewaylog.search import Plan, Result, Row

LIMIT = 5000  # lines: Loki's max_entries_limit_per_query, if not set otherwise
_SECOND = 1_000_000_000  # nanoseconds, as all times for Loki
_WINDOW = 30 * 24 * 3600 * _SECOND  # Loki's max_query_length is an hour more
_SHORTEST = 60 * _SECOND
_AHEAD = 3600  # seconds by which a sender's clock may be ahead of ours
_SLACK = 1000  # nanoseconds by which a double may miss a moment
_AGAIN = (0.5, 1.0, 2.0, 4.0)  # seconds before it is asked again
_LONGEST_WAIT = 30.0
_BUSY = frozenset({408, 429, 500, 502, 503, 504})

# Lines keep their stream's order with this: else those with metadata are streams of their own.
ENCODING = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}

_WRITTEN = ("Writer", "Seq")
_TOO_LONG = "query time range exceeds the limit"
_TOO_MANY = re.compile(r"max entries limit per query exceeded.*\([0-9]+ > ([0-9]+)\)", re.DOTALL)


class Drawn(NamedTuple):
    """A line, its time in nanoseconds, and which of an answer's streams it is from."""

    time: int
    raw: bytes
    stream: int


class _Refused(RemoteError):
    """Loki's own limits do not allow what was asked."""


class Loki:
    """A log in the streams of `selector` at `store`, whose headers hold ENCODING.

    `unread` counts, once a result's rows are drawn, the lines that can't be read. `pause` waits for
    some seconds.
    """

    def __init__(
        self,
        store: Store,
        selector: str = SELECTOR,
        *,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self.unread = 0
        self._store = store
        self._selector = selector
        self._pause = pause
        self._limit = LIMIT
        self._window = _WINDOW

    def result(self, plan: Plan) -> Result:
        """Return what `plan`, whose `earliest` is known, gives.

        Raises RemoteError and QueryError, also as rows come.
        """
        return plan.run(self._rows(plan), prefiltered=True)

    def _rows(self, plan: Plan) -> Iterator[Row]:
        read, passes = row_reader(plan.reads), plan.prefilter.passes
        for raw in map(clean, self._lines(plan)):
            row = read(raw) if passes(raw) else None
            if row is not None:
                yield row
            else:
                self.unread += passes(raw)

    def _lines(self, plan: Plan) -> Iterator[bytes]:
        """Yield the lines of the plan's range, newest first."""
        query = query_of(plan, self._selector)
        begin, end = _range(plan)
        while end > begin:
            start = max(begin, end - self._window)
            page = self._page(query, start, end)
            if page is None:
                continue
            if len(page) < self._limit:
                yield from (line.raw for line in page)
                end = start
                continue
            oldest = page[-1].time
            end = oldest + 1
            if page[0].time == oldest:
                page = self._moment(query, oldest)
                end = oldest
            yield from (line.raw for line in page if line.time >= end)

    def _page(self, query: str, start: int, end: int) -> list[Drawn] | None:
        """Return the newest lines of a range; None where it has to be asked for less."""
        try:
            return self._asked(query, start, end, self._limit)
        except _Refused as refused:
            if _TOO_LONG in str(refused) and end - start > _SHORTEST:
                self._window = (end - start) // 2
                return None
            allowed = _TOO_MANY.search(str(refused))
            if allowed and 0 < int(allowed[1]) < self._limit:
                self._limit = int(allowed[1])
                return None
            raise

    def _moment(self, query: str, moment: int) -> list[Drawn]:
        """Return all lines of one nanosecond of which there are more than a page holds."""
        limit = self._limit
        while True:
            limit *= 2
            try:
                page = self._asked(query, moment, moment + 1, limit)
            except _Refused as refused:
                if not _TOO_MANY.search(str(refused)):
                    raise
                told = f"more than {limit // 2} lines have the time {moment} ns, and Loki gives no"
                raise self._store.failed(
                    f"{told} more at once: raise its max_entries_limit_per_query"
                ) from None
            if len(page) < limit:
                return page

    def _asked(self, query: str, start: int, end: int, limit: int) -> list[Drawn]:
        asks = urlencode(
            {"query": query, "start": start, "end": end, "limit": limit, "direction": "backward"}
        )
        for wait in _AGAIN:
            try:
                return self._once(asks)
            except PassingError as error:
                self._pause(_wait(error.after, wait))
        return self._once(asks)

    def _once(self, asks: str) -> list[Drawn]:
        with asked(self._store, "GET", "/loki/api/v1/query_range", query=asks) as answer:
            if answer.status == 200:
                return self._page_of(b"".join(answer.pieces()))
            kind = PassingError if answer.status in _BUSY else _Refused
            problem = self._store.failed(answer.refusal(), kind)
            if isinstance(problem, PassingError):
                problem.after = answer.header("Retry-After")
            raise problem

    def _page_of(self, body: bytes) -> list[Drawn]:
        try:
            answer = json.loads(body)
            streams = answer["data"]["result"]
            page = [line for at, stream in enumerate(streams) for line in _drawn(at, stream)]
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            raise self._store.failed("the answer is not what Loki gives") from None
        return newest_first(page)


def _drawn(at: int, stream: Any) -> Iterator[Drawn]:
    for value in stream["values"]:
        yield Drawn(int(value[0]), str(value[1]).encode("utf-8", "surrogatepass"), at)


def newest_first(page: list[Drawn]) -> list[Drawn]:
    """Return lines in order; those of one time as their stream has them, which is later first.

    Between streams Loki tells no order: there Writer and Seq do, where the lines have them.
    """
    ordered: list[Drawn] = []
    for _, same in groupby(sorted(page, key=_time, reverse=True), _time):
        lines = list(same)
        ordered += lines if len({line.stream for line in lines}) == 1 else _by_writer(lines)
    return ordered


def _time(line: Drawn) -> int:
    return line.time


def _by_writer(lines: list[Drawn]) -> list[Drawn]:
    rows = map(row_reader(_WRITTEN), (line.raw for line in lines))
    found = [[row.fields.get(name, "") for name in _WRITTEN] if row else ["", ""] for row in rows]
    if not all(writer and seq.isdigit() for writer, seq in found):
        return lines
    places = [(writer, int(seq)) for writer, seq in found]
    return [lines[at] for at in sorted(range(len(lines)), key=places.__getitem__, reverse=True)]


def _range(plan: Plan) -> tuple[int, int]:
    """Return the plan's range in nanoseconds, a little more than it; without an end, all."""
    latest = plan.setting.now + _AHEAD if plan.latest is None else plan.latest
    begin = math.floor((plan.earliest or 0) * _SECOND) - _SLACK
    return max(0, begin), math.ceil(latest * _SECOND) + _SLACK


def _wait(asked_for: str, usual: float) -> float:
    """Return for how many seconds to wait: as long as Retry-After asks for, within bounds."""
    if asked_for.isascii() and asked_for.isdigit() and len(asked_for) < 9:
        return min(max(usual, float(asked_for)), _LONGEST_WAIT)
    return usual
