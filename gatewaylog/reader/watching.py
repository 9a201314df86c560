"""Exchanges that are not whole, each named once, while the log is written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gatewaylog.reader.exchanges import GRACE, Orphan, Pairing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gatewaylog.formats import Line

_EVERY = 0.5  # seconds between two looks at what is open
_SHARE = 20  # of the time goes into looking, at most


class Watch:
    """Names what is not whole once, when it passes `grace` seconds, and tells of a late end."""

    def __init__(self, grace: float = GRACE) -> None:
        self.pairing = Pairing()
        self._grace = grace
        self._named: dict[int, Orphan] = {}  # by the identity of its line, which it holds
        self._next = 0.0

    @property
    def orphans(self) -> int:
        """How many of those that were named are orphans still."""
        return len(self._named)

    @property
    def lacks_ends(self) -> bool:
        """Tell whether one of them is a request without an end."""
        return any(orphan.fault == "no end" for orphan in self._named.values())

    @property
    def young(self) -> int:
        """How many requests without an end were not named, as they are younger than `grace`."""
        named = sum(orphan.fault == "no end" for orphan in self._named.values())
        return self.pairing.open - named

    def take(self, line: Line) -> Orphan | None:
        """Take the next line; return the orphan that it ends."""
        exchange = self.pairing.add(line)
        if exchange is None or exchange.incoming is None:
            return None
        if self._named.pop(id(exchange.incoming), None) is None:
            return None
        return Orphan(exchange=exchange, fault="ended late")

    def found(self, now: datetime | None = None) -> Iterator[Orphan]:
        """Yield those that were not named yet, by time; `now` None: at the newest line."""
        for orphan in self.pairing.orphans(grace=self._grace, now=now):
            line = orphan.exchange.lines[0]
            if self._named.setdefault(id(line), orphan) is orphan:
                yield orphan

    def is_due(self) -> bool:
        """Tell whether it is time for another look at all that is open."""
        return time.monotonic() >= self._next

    def due(self, now: datetime) -> list[Orphan]:
        """Return those that were not named yet; the more is open, the more seldom this is due."""
        begun = time.monotonic()
        found = list(self.found(now))
        ended = time.monotonic()
        self._next = ended + max(_EVERY, (ended - begun) * _SHARE)
        return found
