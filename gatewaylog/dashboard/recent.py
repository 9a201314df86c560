"""The last lines of the log, held in memory: what the live tail and its queries look at."""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.formats import Line, parse_line
from gatewaylog.reader import Exchange, Follower, paired
from gatewaylog.reader.following import EVERY
from gatewaylog.reader.times import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.reader import Entry

_MOST = 20_000  # lines
_MOST_BYTES = 32 * 1024 * 1024


class Fresh(NamedTuple):
    """Lines, newest first, and the place to go on from at the next look."""

    lines: list[bytes]
    place: int


class Recent:
    """The last 20,000 lines, or 32 MB of them; filled by one thread, read by others."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._taken = 0  # lines since the start
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._lines)

    def take(self, entries: Iterable[Entry]) -> None:
        """Hold these lines too."""
        raws = [clean(entry.raw) for entry in entries]
        if not raws:
            return
        with self._lock:
            self._lines.extend(raws)
            self._taken += len(raws)
            self._bytes += sum(map(len, raws))
            while len(self._lines) > _MOST or self._bytes > _MOST_BYTES:
                self._bytes -= len(self._lines.popleft())

    def since(self, place: int) -> Fresh:
        """Return the lines that came after `place`, of those that are held; 0: all."""
        with self._lock:
            count = min(self._taken - place, len(self._lines))
            return Fresh(list(islice(reversed(self._lines), count)), self._taken)

    def exchange(self, identity: str) -> Exchange | None:
        """Return a whole exchange by the MessageID of its INCOMING_REQUEST, if it is held."""
        needle = identity.encode("utf-8", "surrogatepass")
        lines = [line for raw in self.since(0).lines if needle in raw for line in _read(raw)]
        found = (exchange for exchange in paired(lines[::-1]) if exchange.id == identity)
        return next((exchange for exchange in found if len(exchange.lines) > 1), None)


def _read(raw: bytes) -> list[Line]:
    line = parse_line(raw)
    return [line] if isinstance(line, Line) else []


class Tail:
    """Fills a Recent from the live logs, in a thread of its own, until `stop`."""

    def __init__(self, names: Iterable[str], recent: Recent) -> None:
        self._follower = Follower(names, last=_MOST // 4)
        self._recent = recent
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tail", daemon=True)

    def start(self) -> None:
        """Take the last lines, then those that come."""
        self._recent.take(self._follower.poll())
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(EVERY):
            self._recent.take(self._follower.poll())

    def stop(self) -> None:
        """End the thread and close the files."""
        self._stopped.set()
        self._thread.join()
        self._follower.close()
