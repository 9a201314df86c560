"""Everything that a log knows of one exchange, found by any of its ids."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatewaylog.events import IncomingRequest, RequestComplete, RequestError
from gatewaylog.formats import Line
from gatewaylog.reader.blocks import blocks_of
from gatewaylog.reader.exchanges import Pairing
from gatewaylog.reader.files import find
from gatewaylog.reader.lines import entries_in

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gatewaylog.events import Event
    from gatewaylog.reader.exchanges import Exchange
    from gatewaylog.reader.lines import Entry
    from gatewaylog.reader.sources import Source

_URN = "urn:uuid:"
_SHORTEST = 8  # characters of a UUID that are taken for the whole
_HEX = re.compile("[0-9A-Fa-f-]{8,}")  # a UUID, a trace's id, or the begin of one
_PLAIN = re.compile("[A-Za-z0-9_.-]+")  # what no format escapes


def find_exchanges(
    identity: str, paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str]
) -> list[Exchange]:
    """Return the exchanges that `identity` is an id of, in the order of time.

    It is a MessageID (of either event, with or without `urn:uuid:`, its first eight characters or
    more), a RequestID or a TraceID; the last two may be those of several exchanges. The case of
    hexadecimal digits does not matter. What is a
    double stands by itself. Raises ReaderError as `find` does.
    """
    return exchanges_in(find_entries(identity, find(paths)))


def find_entries(
    identity: str,
    sources: Sequence[Source],
    *,
    on_unread: Callable[[Entry], object] | None = None,
) -> list[Entry]:
    """Return the lines of the exchanges that `identity` is an id of, in the order of the sources.

    Logs are read newest first, so that a terminal event names its INCOMING_REQUEST before that is
    met; only lines that hold the bytes looked for are parsed. Of those `on_unread` is given what
    can't be read.
    """
    wanted = _Wanted(identity, on_unread)
    return [entry for source in reversed(sources) for entry in wanted.entries_of(source)][::-1]


def exchanges_in(entries: Iterable[Entry]) -> list[Exchange]:
    """Put the exchanges together, in the order of time; what is a double stands by itself."""
    pairing = Pairing()
    lines = [entry.line for entry in entries]
    added = (pairing.add(line) for line in lines if isinstance(line, Line))
    whole = [exchange for exchange in added if exchange is not None]
    doubles = [orphan.exchange for orphan in pairing.orphans() if orphan.fault == "double"]
    found = [*whole, *pairing.unended(), *doubles]
    return sorted(found, key=lambda exchange: exchange.lines[0].time)


def find_ends(identities: Iterable[str], sources: Sequence[Source]) -> dict[str, Entry]:
    """Return the lines of the terminal events that refer to these MessageIDs, if they are there."""
    missing = {identity.removeprefix(_URN).encode(): identity for identity in identities}
    found: dict[str, Entry] = {}
    for block in (block for source in sources for block in blocks_of(source) if missing):
        if not any(needle in block.raw for needle in missing):
            continue
        for entry in entries_in(block):
            if any(needle in entry.raw for needle in missing) and isinstance(entry.line, Line):
                linked = _linked(entry.line.event) or ""
                needle = linked.removeprefix(_URN).encode()
                if needle in missing:
                    found[missing.pop(needle)] = entry
    return found


def _linked(event: Event) -> str | None:
    return event.response_to if isinstance(event, (RequestComplete, RequestError)) else None


def _bare(identity: str) -> str:
    """Return an id without `urn:uuid:`, hexadecimal digits in lower case (RFC 9562 §4)."""
    begins = identity[: len(_URN)].lower() == _URN
    bare = identity[len(_URN) :] if begins else identity
    return bare.lower() if _HEX.fullmatch(bare) else bare


class _Wanted:
    """The ids that are looked for; more become known as lines are found."""

    def __init__(self, identity: str, on_unread: Callable[[Entry], object] | None) -> None:
        self._on_unread = on_unread
        self._identity = _bare(identity)
        self._linked: set[str] = set()
        needle = max(_PLAIN.findall(self._identity), key=len, default="")
        self._needles = {needle.encode()}
        if _HEX.fullmatch(self._identity):
            given = identity[-len(self._identity) :]
            self._needles |= {given.encode(), needle.upper().encode()}

    def entries_of(self, source: Source) -> Iterator[Entry]:
        """Yield the lines of a source that belong to it, last first."""
        for block in blocks_of(source, newest_first=True):
            if any(needle in block.raw for needle in self._needles):
                for entry in reversed(entries_in(block)):
                    yield from self._matching(entry)

    def _matching(self, entry: Entry) -> Iterator[Entry]:
        if not any(needle in entry.raw for needle in self._needles):
            return
        line = entry.line
        if isinstance(line, Line):
            if self._takes(line.event):
                yield entry
        elif self._on_unread is not None:
            self._on_unread(entry)

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
        return any(map(self._names, (event.message_id, linked))) or any(
            identity is not None and _bare(identity) == self._identity
            for identity in (event.request_id, event.trace_id)
        )

    def _names(self, identity: str | None) -> bool:
        """Tell whether a MessageID is the one that was asked for."""
        if identity is None:
            return False
        bare = _bare(identity)
        return bare == self._identity or (
            len(self._identity) >= _SHORTEST and bare.startswith(self._identity)
        )
