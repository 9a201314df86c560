"""What `tail` shows, in its order: the last of logs, then what comes."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

from gatewaylog.cli.line_records import with_raw
from gatewaylog.formats import Line
from gatewaylog.reader import Arriving, Exchange, Last, between, find_ends

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.cli.feed import Feed
    from gatewaylog.cli.unread import Unread
    from gatewaylog.cli.wanted import Wanted
    from gatewaylog.reader import Entry


class Tailing:
    """The last `count` (None: all of the span) of what is wanted of a feed, then what comes.

    None stands for a look that found nothing more. Lines that can't be read go to `unread`. With
    `raw` the lines of exchanges are kept as they stand in the log too.
    """

    def __init__(
        self,
        feed: Feed,
        wanted: Wanted,
        count: int | None,
        unread: Unread,
        *,
        follow: bool,
        raw: bool = False,
    ) -> None:
        self._feed = feed
        self._wanted = wanted
        self._count = count
        self._unread = unread
        self._follow = follow
        self._raw = raw
        self._arriving = Arriving()

    def entries(self) -> Iterator[Entry | None]:
        """Yield lines as they stand in the log."""
        if self._count is None:
            yield from filter(self._wanted, self._feed.held())
        else:
            found = filter(self._wanted, self._feed.last(self._wanted.of_block))
            yield from list(islice(found, self._count))[::-1]
        yield None
        for entry in self._feed.fresh() if self._follow else ():
            if entry is None or self._wanted(entry):
                yield entry

    def exchanges(self) -> Iterator[Exchange | None]:
        """Yield exchanges as they end; those that do not, after a while or at the end."""
        yield from self._held()
        yield None
        for entry in self._feed.fresh() if self._follow else ():
            if entry is None:
                yield from self._arriving.waiting(time.monotonic())
                yield None
            else:
                yield from self._taken(entry)
        yield from self._arriving.rest()

    def _held(self) -> Iterator[Exchange]:
        if self._count is None:
            for entry in self._feed.held():
                yield from self._taken(entry)
            return
        now = time.time()
        for exchange in self._last(self._count):
            if exchange.terminal is None and exchange.incoming is not None and self._follow:
                age = now - exchange.incoming.time.timestamp()
                yield from self._arriving.take(exchange.incoming, time.monotonic() - age)
                yield from self._arriving.waiting(time.monotonic())
            else:
                yield exchange

    def _taken(self, entry: Entry) -> Iterator[Exchange]:
        line = self._line_of(entry)
        if line is not None:
            yield from self._arriving.take(line, time.monotonic(), wanted=self._wanted(entry))
        else:
            self._unread.take(entry)

    def _last(self, count: int) -> list[Exchange]:
        last = Last(count)
        is_all = self._wanted.is_all
        for entry in self._feed.last(self._wanted.of_block) if count else ():
            self._take_older(last, entry)
            if last.is_enough() or (last.is_full and not is_all):
                break
        return self._with_ends(last.exchanges())

    def _take_older(self, last: Last, entry: Entry) -> None:
        wanted = self._wanted(entry)
        if not wanted and not last.is_full:
            return
        line = self._line_of(entry)
        if line is not None:
            last.take(line, wanted=wanted)
        elif not last.is_full:
            self._unread.take(entry)

    def _line_of(self, entry: Entry) -> Line | None:
        line = entry.line
        if not isinstance(line, Line):
            return None
        return with_raw(line, entry.raw) if self._raw else line

    def _with_ends(self, found: list[Exchange]) -> list[Exchange]:
        """Add the ends that the query did not find, of requests that it did."""
        if self._wanted.is_all:
            return found
        begun = {
            exchange.id: exchange.incoming
            for exchange in found
            if exchange.id and exchange.incoming is not None and exchange.terminal is None
        }
        if not begun:
            return found
        sources = between(self._feed.sources(), _earliest(begun.values()))
        ends = {name: self._line_of(entry) for name, entry in find_ends(begun, sources).items()}
        order = {identity: at for at, identity in enumerate(ends)}
        whole = [
            Exchange(
                incoming=exchange.incoming,
                terminal=exchange.terminal or ends.get(exchange.id or ""),
            )
            for exchange in found
        ]
        return sorted(whole, key=lambda one: (_shown_at(one), order.get(one.id or "", -1)))


def _earliest(lines: Iterable[Line]) -> float:
    return min(line.time for line in lines).timestamp()


def _shown_at(exchange: Exchange) -> float:
    return exchange.lines[-1].time.timestamp()
