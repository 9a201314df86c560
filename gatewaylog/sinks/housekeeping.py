"""What a log's file needs though nobody writes: a look each second, and old files packed away.

A thread of its own does it, so that no request waits for it: zlib and Zstandard compress without
Python's lock.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Protocol

from gatewaylog.forks import renew_after_fork
from gatewaylog.notices import notice
from gatewaylog.sinks.retention import tidy
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.sinks.file import FileSink
    from gatewaylog.sinks.retention import Retention, Seal

_EVERY = 1.0  # seconds between two looks
_TIDY_EVERY = 60.0  # seconds after which files may have become too old


class Looks(Protocol):
    """The log, which is to be called each second, and told what was deleted of it."""

    def look(self) -> None:
        """See what is due."""

    def pruned(self, names: Sequence[str]) -> None:
        """Take note of rotated files that were deleted, being too many or too old."""


class _Stopped(Exception):
    """The log is being closed."""


class Housekeeper:
    """Calls `log.look()` each second, and keeps what was rotated as `retention` says; `seal` signs
    the log's files.

    It goes on in a forked child, and ends when it is stopped or `log` is garbage.
    """

    def __init__(
        self, log: Looks, sink: FileSink, retention: Retention, seal: Seal | None = None
    ) -> None:
        self._log = weakref.ref(log)
        self._sink = sink
        self._retention = retention
        self._seal = seal
        self._failed = ""
        self._start()
        renew_after_fork(self._forked)

    def _start(self) -> None:
        self._tidied = -_TIDY_EVERY
        self._looked = 0.0
        self._seen = (0, 0)
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=_run, args=(weakref.ref(self), self._stopped), name="gatewaylog", daemon=True
        )
        self._thread.start()

    def _forked(self) -> None:
        if not self._stopped.is_set():
            self._start()

    def stop(self) -> None:
        """End the thread; what it packs just now is left for the next time."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def look(self) -> None:
        """Look at the log, then at what was rotated where that may have changed."""
        self._look_at_log()
        if self._seal is not None:
            self._seal.look()
        now = time.monotonic()
        if self._sink.identity != self._seen or now - self._tidied > _TIDY_EVERY:
            self._seen = self._sink.identity
            if self._is_tidy():
                self._tidied = now
            else:
                self._seen = (0, 0)  # again at the next look

    def _look_at_log(self) -> None:
        self._looked = time.monotonic()
        log = self._log()
        if log is None or self._stopped.is_set():
            raise _Stopped
        log.look()

    def _is_tidy(self) -> bool:
        if not (self._retention.is_any or self._seal):
            return True
        deleted: list[str] = []
        try:
            return tidy(self._sink.path, self._retention, self._pause, self._seal, deleted)
        except OSError as error:
            told = f"can't keep house beside {self._sink.path}: {error.strerror}"
            if told != self._failed:
                notice(told, code=SystemCode.RESOURCE_REMOVE)
            self._failed = told
            return True
        finally:
            log = self._log()
            if deleted and log is not None:
                log.pruned(deleted)

    def _pause(self) -> None:
        if self._stopped.is_set() or time.monotonic() - self._looked > _EVERY:
            self._look_at_log()


def _run(keeper: weakref.ref[Housekeeper], stopped: threading.Event) -> None:
    while not stopped.wait(_EVERY):
        housekeeper = keeper()
        if housekeeper is None:
            return
        try:
            housekeeper.look()
        except _Stopped:
            return
        del housekeeper
