"""What `orphans` names, in its order: what the log holds, then what happens."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatewaylog.formats import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.cli.feed import Feed
    from gatewaylog.cli.span import Span
    from gatewaylog.cli.unread import Unread
    from gatewaylog.reader import Entry, Orphan, Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class _RawLine(Line):
    """A line, and how it stands in the log."""

    raw: bytes


def raw_of(line: Line) -> bytes:
    """Return how a line stands in the log, where that was kept."""
    return line.raw if isinstance(line, _RawLine) else b""


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
        late = self._watch.take(_with_raw(line, entry.raw) if self._raw else line)
        return () if late is None else (late,)


def _with_raw(line: Line, raw: bytes) -> Line:
    return _RawLine(**{one.name: getattr(line, one.name) for one in fields(Line)}, raw=raw)
