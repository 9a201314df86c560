"""What `orphans` names, in its order: what the log holds, then what happens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatewaylog.cli.line_records import with_raw
from gatewaylog.formats import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.cli.feed import Feed
    from gatewaylog.cli.span import Span
    from gatewaylog.cli.unread import Unread
    from gatewaylog.reader import Entry, Orphan, Watch


class Watched:
    """The orphans of a feed; with `raw` their lines are kept as they stand there."""

    def __init__(self, feed: Feed, span: Span, watch: Watch, unread: Unread, *, raw: bool) -> None:
        self._feed = feed
        self._span = span
        self._watch = watch
        self._unread = unread
        self._raw = raw

    def orphans(self, *, follow: bool) -> Iterator[Orphan | None]:
        """Yield them; with `follow` as they come to be, and None after each look."""
        for entry in self._feed.held():
            self._taken(entry)
        if not follow:
            yield from self._watch.found()
            return
        yield from self._watch.due(datetime.now(UTC))
        for fresh in self._feed.fresh():
            yield from self._due() if fresh is None else self._taken(fresh)

    def _due(self) -> Iterator[Orphan | None]:
        if self._watch.is_due():
            yield from self._watch.due(datetime.now(UTC))
        yield None

    def _taken(self, entry: Entry) -> Iterable[Orphan]:
        line = entry.line
        if not isinstance(line, Line):
            self._unread.take(entry)
            return ()
        if not self._span.holds(line):
            return ()
        late = self._watch.take(with_raw(line, entry.raw) if self._raw else line)
        return () if late is None else (late,)
