"""The process that reads the log from its begin to its end and on, and sends the figures.

A process of its own, since reading keeps a core busy: the page would wait for it.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import signal
import time
from typing import TYPE_CHECKING

from gatewaylog.dashboard.figures import READS, Figures
from gatewaylog.exceptions import ReaderError
from gatewaylog.reader import LONGEST, Follower, find, lines_of
from gatewaylog.reader.following import EVERY
from gatewaylog.reader.times import clean
from gatewaylog.search import row_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from gatewaylog.dashboard.logs import Logs
    from gatewaylog.reader import Entry

_OFTEN = 0.5  # seconds from one sending to the next, at least
_SHARE = 10  # of the time goes into sending, at most
_LOOK = 1024  # lines between two looks at the clock
_HEARTBEAT = 5.0  # seconds: sending is how the end of the other side is noticed


class Counting:
    """Reads `logs` and calls `send` with the figures as JSON of one line, at most twice a second
    and for a tenth of the time.
    """

    def __init__(self, logs: Logs, send: Callable[[bytes], object]) -> None:
        self._logs = logs
        self._send = send
        self._figures = Figures()
        self._read = row_reader(READS)
        self._size = max(1, logs.size())
        self._taken = 0  # bytes
        self._changed = True
        self._next = 0.0  # when to send again
        self._reading = True

    def read(self) -> None:
        """Read what is there and what is written meanwhile, until the process ends."""
        with Follower(self._logs.live, last=None) as follower:
            if self._logs.kept:
                self.take(lines_of(find(self._logs.kept)))
            self.take(follower.poll())
            self._reading = False
            self.send()
            while True:
                self.take(follower.poll())
                self._send_if_due()
                time.sleep(EVERY)

    def take(self, entries: Iterable[Entry]) -> None:
        """Count lines."""
        for number, entry in enumerate(entries, 1):
            self._count(entry.raw)
            if not number % _LOOK:
                self._send_if_due()

    def _count(self, raw: bytes) -> None:
        row = self._read(clean(raw)) if len(raw) < LONGEST else None
        if row is None:
            self._figures.unread += 1
        else:
            self._figures.add(row)
        self._taken += len(raw) + 1
        self._changed = True

    def _send_if_due(self) -> None:
        now = time.monotonic()
        if now >= self._next and (self._changed or now >= self._next + _HEARTBEAT):
            self.send()

    def send(self) -> None:
        """Send the figures as they are now."""
        begun = time.monotonic()
        share = min(1.0, self._taken / self._size) if self._reading else 1.0
        shown = {**self._figures.shown(), "read": share, "reading": self._reading}
        self._send(json.dumps(shown, separators=(",", ":")).encode())
        ended = time.monotonic()
        self._changed = False
        self._next = ended + max(_OFTEN, (ended - begun) * _SHARE)


def _run(logs: Logs, output: Connection) -> None:
    """Count until nobody reads `output` any more; what goes wrong is the last thing sent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side is told, and ends this
    with contextlib.suppress(BrokenPipeError):
        try:
            Counting(logs, output.send_bytes).read()
        except (ReaderError, OSError) as error:
            output.send_bytes(json.dumps({"failed": str(error)}).encode())


def started(logs: Logs) -> tuple[BaseProcess, Connection]:
    """Start counting; the figures come from the connection."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(logs, theirs), daemon=True, name="counting")
    process.start()
    theirs.close()
    return process, ours
