"""The event log: records of what users and requestors did, kept for audits."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypedDict

from gatewaylog.audit.events.line import ENCODERS
from gatewaylog.audit.events.names import GatewayEvent
from gatewaylog.audit.events.pruning import retention_run
from gatewaylog.audit.events.records import AuditEvent, shortened
from gatewaylog.clock import SYSTEM_CLOCK
from gatewaylog.forks import renew_after_fork
from gatewaylog.notices import notice
from gatewaylog.sinks import FileSink, Sink
from gatewaylog.sinks.keeping import Keeping
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from gatewaylog.clock import Clock

_LONGEST = 4096  # characters of a value


class Copies(Protocol):
    """Where records are kept besides, a table say."""

    def put(self, event: AuditEvent) -> None:
        """Take a record, to keep it soon. Never raises, never waits."""

    def close(self) -> None:
        """Keep what was taken, within a bounded time."""


class EventLogOptions(TypedDict, total=False):
    """How the log's lines look and its files are kept; as AccessLog's options of these names."""

    format: str
    max_size: int | str
    rotate: str
    backups: int
    keep: str
    compress: str
    durability: str


class EventLog:
    """Writes records to a file, one line each, in the order in which they come.

    `log` is a path, `"-"` for standard output, or a sink. `format` is "line" or "json". With the
    `durability` "disk" a record is on the disk when `record` returns. Several processes and
    threads can share a file. `table` takes each record too. `authority` stands in records that
    name none.

    Raises ValueError for an option that can't be, LogError for a file that can't be opened.
    """

    def __init__(
        self,
        log: str | os.PathLike[str] | Sink = "event.log",
        *,
        format: str = "line",  # noqa: A002 - the option's name in the configuration file
        max_size: int | str = 0,
        rotate: str = "",
        backups: int = 0,
        keep: str = "",
        compress: str = "",
        durability: str = "kernel",
        table: Copies | None = None,
        authority: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if format not in ENCODERS:
            raise ValueError(f"format: {format!r} is not one of {', '.join(ENCODERS)}")
        if durability not in {"kernel", "disk"}:
            raise ValueError(f"durability: {durability!r} is not one of kernel, disk")
        self._encode = ENCODERS[format]
        self._wall = clock.wall
        self._authority = authority
        self._table = table
        keeping = Keeping(
            max_size=max_size,
            rotate=rotate,
            backups=backups,
            keep=keep,
            compress=compress,
            durable=durability == "disk",
        )
        self._sink = keeping.sink(log)
        self._sync = _sync_of(self._sink) if keeping.durable else None
        self._forked()
        renew_after_fork(self._forked)
        self._housekeeper = keeping.housekeeper(self, self._sink)

    def _forked(self) -> None:
        self._lock = threading.RLock()
        self._untold = 0  # of this process: records that could not be written
        self._reason = ""
        self.lost = 0

    def record(self, event: AuditEvent, *, comes_again: bool = False) -> bool:
        """Record an event; say whether its line is in the kernel, or on the disk. Never raises.

        What can't be written is counted in `lost`, told on standard error, and told by a LOG_LOST
        before the next record that can be. One that `comes_again` then is not lost.
        """
        stamped = replace(
            shortened(event, _LONGEST),
            at=self._wall() if event.at is None else event.at,
            authority=event.authority or self._authority,
        )
        with self._lock:
            reason = self._tell_loss() or self._write(stamped)
            if reason is not None and not comes_again:
                self._lose(reason)
        if self._table is not None and (reason is None or not comes_again):
            self._table.put(stamped)
        return reason is None

    def _write(self, event: AuditEvent) -> str | None:
        reason = self._sink.write(self._encode(event, event.at or 0.0))
        return self._sync() if reason is None and self._sync is not None else reason

    def _tell_loss(self) -> str | None:
        """Write how many records were lost, where any were; return why that can't be."""
        if not self._untold:
            return None
        told = AuditEvent(
            event=GatewayEvent.LOG_LOST,
            at=self._wall(),
            detail=f"{self._untold} records were not written to this log: {self._reason}",
            authority=self._authority,
        )
        reason = self._write(told)
        if reason is None:
            line = f"{self._untold} records were not written to the event log"
            notice(line, code=SystemCode.RESOURCE_INSERT)
            self._untold = 0
        return reason

    def _lose(self, reason: str) -> None:
        if not self._untold:
            told = f"can't write the event log: {reason}; records are lost until it can"
            notice(told, code=SystemCode.RESOURCE_INSERT)
            self._reason = reason
        self._untold += 1
        self.lost += 1

    def look(self) -> None:
        """See whether the file was rotated, and tell what was lost where there is room again."""
        look = getattr(self._sink, "look", None)
        with self._lock:
            if look is not None:
                look()
            self._tell_loss()

    def pruned(self, names: Sequence[str]) -> None:
        """Record that rotated files of this log itself were deleted."""
        self.record(retention_run(getattr(self._sink, "name", "the event log"), names))

    def reopen(self) -> None:
        """Open the file again by its name, as after a rotation from outside. Raises LogError."""
        with self._lock:
            self._sink.reopen()

    def close(self) -> None:
        """Close the log, and what it is copied to."""
        if self._housekeeper is not None:
            self._housekeeper.stop()
        with self._lock:
            self._tell_loss()
            self._sink.close()
        if self._table is not None:
            self._table.close()


def _sync_of(sink: Sink) -> Callable[[], str | None] | None:
    return sink.sync if isinstance(sink, FileSink) else None
