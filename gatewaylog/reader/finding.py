"""Everything that a log knows of one exchange, found by any of its ids."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatewaylog.events import IncomingRequest, RequestComplete, RequestError
from gatewaylog.formats import Line
from gatewaylog.reader.blocks import blocks_of
from gatewaylog.reader.exchanges import Exchange, Pairing
from gatewaylog.reader.files import find
from gatewaylog.reader.lines import entries_in

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from gatewaylog.events import Event
    from gatewaylog.reader.lines import Entry
    from gatewaylog.reader.sources import Source

_URN = "urn:uuid:"
_SHORTEST = 8  # characters of a UUID that are taken for the whole
_PLAIN = re.compile("[A-Za-z0-9_.-]+")  # what no format escapes


def find_exchanges(
    identity: str, paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str]
) -> list[Exchange]:
    """Return the exchanges that `identity` is an id of, in the order of time.

    It is a MessageID (of either event, with or without `urn:uuid:`, its first eight characters or
    more), a RequestID or a TraceID; the last two may be those of several exchanges. What is a
    double stands by itself. Raises ReaderError as `find` does.

    Logs are read newest first, so that a terminal event names its INCOMING_REQUEST before that is
    met; only lines that hold the bytes looked for are parsed.
    """
    wanted = _Wanted(identity)
    found = [line for source in reversed(find(paths)) for line in wanted.lines_of(source)]
    return _exchanges(found[::-1])


class _Wanted:
    """The ids that are looked for; more become known as lines are found."""

    def __init__(self, identity: str) -> None:
        self._identity = identity.removeprefix(_URN)
        self._linked: set[str] = set()
        self._needles = {max(_PLAIN.findall(self._identity), key=len, default="").encode()}

    def lines_of(self, source: Source) -> Iterator[Line]:
        """Yield the lines of a source that belong to it, last first."""
        for block in blocks_of(source, newest_first=True):
            if any(needle in block.raw for needle in self._needles):
                for entry in reversed(entries_in(block)):
                    yield from self._matching(entry)

    def _matching(self, entry: Entry) -> Iterator[Line]:
        if not any(needle in entry.raw for needle in self._needles):
            return
        line = entry.line
        if isinstance(line, Line) and self._takes(line.event):
            yield line

    def _takes(self, event: Event) -> bool:
        if not isinstance(event, (IncomingRequest, RequestComplete, RequestError)):
            return False
        linked = event.message_id if isinstance(event, IncomingRequest) else event.response_to
        if linked not in self._linked and not self._is_named(event, linked):
            return False
        if linked is not None:
            self._linked.add(linked)
            self._needles.add(linked.removeprefix(_URN).encode())
        return True

    def _is_named(
        self, event: IncomingRequest | RequestComplete | RequestError, linked: str | None
    ) -> bool:
        return any(map(self._names, (event.message_id, linked))) or self._identity in (
            event.request_id,
            event.trace_id,
        )

    def _names(self, identity: str | None) -> bool:
        """Tell whether a MessageID is the one that was asked for."""
        if identity is None:
            return False
        bare = identity.removeprefix(_URN)
        return bare == self._identity or (
            len(self._identity) >= _SHORTEST and bare.startswith(self._identity)
        )


def _exchanges(lines: list[Line]) -> list[Exchange]:
    pairing = Pairing()
    whole = [exchange for line in lines if (exchange := pairing.add(line)) is not None]
    doubles = [orphan.exchange for orphan in pairing.orphans() if orphan.fault == "double"]
    found = [*whole, *pairing.unended(), *doubles]
    return sorted(found, key=lambda exchange: exchange.lines[0].time)
