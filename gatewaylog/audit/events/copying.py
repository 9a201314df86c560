"""Records copied to a table by a thread of its own: a slow or dead database delays nothing."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from gatewaylog.forks import renew_after_fork
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from gatewaylog.audit.events.records import AuditEvent
    from gatewaylog.audit.events.table import EventTable

_BATCH = 500
_FAREWELL = 5.0  # seconds that `close` waits for the last records


class TableCopy:
    """Takes records and inserts them in order, again and again where that fails.

    At most `most` records wait; what comes then is left out of the table (the file has it), and
    told on standard error.
    """

    def __init__(self, table: EventTable, *, most: int = 10_000, again: float = 1.0) -> None:
        self._table = table
        self._most = most
        self._again = again  # seconds between two tries
        self._begin()
        renew_after_fork(self._begin)

    def _begin(self) -> None:
        """Be without records, as after a fork: those that wait are the parent's to insert."""
        self._waiting: deque[AuditEvent] = deque()
        self._some = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._failed = False
        self.left_out = 0

    def put(self, event: AuditEvent) -> None:
        """Take a record. Never raises, never waits."""
        if len(self._waiting) >= self._most:
            if not self.left_out:
                told = "the table of the event log is too slow; records are left out of it"
                notice(told, code=SystemCode.RESOURCE_INSERT)
            self.left_out += 1
            return
        self._waiting.append(event)
        self._some.set()
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="gatewaylog-events", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        while not (self._closing.is_set() and not self._waiting):
            self._some.wait(self._again)
            self._some.clear()
            while self._waiting:
                if not self._inserted():
                    if self._closing.wait(self._again) and time.monotonic() > self._end:
                        return
                    continue

    def _inserted(self) -> bool:
        batch = [self._waiting[at] for at in range(min(_BATCH, len(self._waiting)))]
        try:
            self._table.insert(batch)
        except (SQLAlchemyError, OSError) as error:
            if not self._failed:
                reason = str(getattr(error, "orig", None) or error).splitlines()[0]
                told = f"can't write the table of the event log: {reason}; trying on"
                notice(told, code=SystemCode.RESOURCE_INSERT)
            self._failed = True
            return False
        self._failed = False
        for _ in batch:
            self._waiting.popleft()
        return True

    def close(self) -> None:
        """Insert what waits, for a few seconds at most; what is left is told."""
        self._end = time.monotonic() + _FAREWELL
        self._closing.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join(_FAREWELL + self._again)
        if missing := len(self._waiting) + self.left_out:
            told = f"{missing} records are not in the table of the event log"
            notice(told, code=SystemCode.RESOURCE_INSERT)
