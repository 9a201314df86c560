"""Logs for users of the library: events one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.formats import Line
from gatewaylog.reader.files import find
from gatewaylog.reader.lines import Entry, batches
from gatewaylog.reader.merging import merged

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gatewaylog.events import Event
    from gatewaylog.formats import Unparsed
    from gatewaylog.reader.sources import Source


def entries(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str], *, newest_first: bool = False
) -> Iterator[Entry]:
    """Yield the lines of files, folders, globs or `-` by time, not parsed yet; see `find`.

    Lines of one file keep their order. Several are merged by time, at the same time by the order
    of the files. `newest_first` gives exactly the reverse where each file is in order of time.
    """
    return lines_of(find(paths), newest_first=newest_first)


def lines_of(
    sources: Sequence[Source],
    *,
    newest_first: bool = False,
    wanted: Callable[[bytes], bool] | None = None,
) -> Iterator[Entry]:
    """Yield the lines of what `find` returned; `wanted` may refuse many that stand together."""
    if len(sources) != 1:
        yield from merged(sources, newest_first=newest_first, wanted=wanted)
        return
    for batch in batches(sources[0], newest_first=newest_first, wanted=wanted):
        yield from reversed(batch) if newest_first else batch


class Reading:
    """The events of logs; see `read`. Each iteration begins anew."""

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        *,
        newest_first: bool,
        on_unread: Callable[[Entry, Unparsed], object] | None,
    ) -> None:
        self.unread = 0
        """Lines that could not be read, so far."""
        self._paths = paths
        self._newest_first = newest_first
        self._on_unread = on_unread

    def __iter__(self) -> Iterator[Event]:
        """Yield the events."""
        return (line.event for line in self.lines())

    def lines(self) -> Iterator[Line]:
        """Yield the events with their time and what else the line tells."""
        self.unread = 0
        for entry in entries(self._paths, newest_first=self._newest_first):
            line = entry.line
            if isinstance(line, Line):
                yield line
                continue
            self.unread += 1
            if self._on_unread is not None:
                self._on_unread(entry, line)


def read(
    *paths: str | os.PathLike[str],
    newest_first: bool = False,
    on_unread: Callable[[Entry, Unparsed], object] | None = None,
) -> Reading:
    """Read the events of logs, by time.

    `paths` are files, folders, globs or `-`; rotated and compressed ones are read in order with
    the others, and lines of every format are recognised. What can't be read is counted in
    `unread`, and handed to `on_unread` with its place. Memory stays flat.

        events = gatewaylog.read("logs/")
        for event in events:
            if isinstance(event, gatewaylog.RequestError):
                print(event.api, event.error_message)
        print(events.unread, "lines not read")

    `read(…).lines()` gives the time of each event too. Raises ReaderError, when it is iterated,
    for a path that names nothing or can't be read.
    """
    return Reading(paths, newest_first=newest_first, on_unread=on_unread)
