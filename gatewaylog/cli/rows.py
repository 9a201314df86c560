"""Rows of logs for a plan, newest first; the lines that can't be read are kept count of."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from gatewaylog.reader import LONGEST, between, blocks_of, lines_of
from gatewaylog.reader.times import clean
from gatewaylog.search import row_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gatewaylog.reader import Entry, Source
    from gatewaylog.search import Plan, Row


class Rows:
    """The rows of `sources` that may match; iterate it as often as there are plans.

    Lines that hold nothing of what is searched for are not parsed, so that `unread` counts those
    that can't be read among the others. `on_unread` is given each of them.
    """

    def __init__(
        self,
        sources: Mapping[str, Sequence[Source]],
        *,
        on_unread: Callable[[Entry], object] | None = None,
    ) -> None:
        self.unread = 0
        self._sources = sources
        self._on_unread = on_unread

    def of(self, plan: Plan) -> Iterator[Row]:
        """Yield the rows that `plan` wants, to be run as `prefiltered`."""
        streams = [
            self._indexed(index, sources, plan) if index else self._of(sources, plan)
            for index, sources in self._sources.items()
        ]
        if len(streams) == 1:
            return streams[0]
        return heapq.merge(*streams, key=lambda row: row.time, reverse=True)

    def _indexed(self, index: str, sources: Sequence[Source], plan: Plan) -> Iterator[Row]:
        for row in self._of(sources, plan):
            yield row._replace(fields=row.fields | {"index": index})

    def _of(self, sources: Sequence[Source], plan: Plan) -> Iterator[Row]:
        sources = between(sources, plan.earliest, plan.latest)
        if len(sources) == 1 and self._on_unread is None:
            return self._of_one(sources[0], plan)
        return self._of_entries(sources, plan)

    def _of_entries(self, sources: Sequence[Source], plan: Plan) -> Iterator[Row]:
        read, passes = row_reader(plan.reads), plan.prefilter.passes
        for entry in lines_of(sources, newest_first=True):
            raw = clean(entry.raw)
            if raw and not passes(raw):
                continue
            row = read(raw) if len(raw) < LONGEST else None
            if row is not None:
                yield row
                continue
            self.unread += 1
            if self._on_unread is not None:
                self._on_unread(entry)

    def _of_one(self, source: Source, plan: Plan) -> Iterator[Row]:
        """Yield the same of a single log, without an entry for each line: a third of the time."""
        read, lines_in = row_reader(plan.reads), plan.prefilter.lines
        for block in blocks_of(source, newest_first=True):
            for raw in reversed(list(lines_in(block.raw))):
                row = None if block.is_cut else read(clean(raw))
                if row is not None:
                    yield row
                elif raw.strip():
                    self.unread += 1
        self.unread += bool(source.damage)
