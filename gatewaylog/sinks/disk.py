"""Lines brought to the disk, all that wait for it at once: one fsync takes milliseconds."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gatewaylog.forks import renew_after_fork
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.sinks.file import FileSink

    Done = Callable[[str | None], object]


class Disk:
    """Syncs a file in a thread of its own, for whoever asks."""

    def __init__(self, sink: FileSink) -> None:
        self._sink = sink
        self._failed = ""
        self._begin()
        renew_after_fork(self._begin)

    def _begin(self) -> None:
        self._asked: list[Done] = []
        self._changed = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    @property
    def is_failing(self) -> bool:
        """Whether the last try to bring the file to the disk failed."""
        return bool(self._failed)

    def ask(self, done: Done) -> None:
        """Have all that is written by now on the disk, then call `done` in the other thread: with
        None, or with why it can't be.
        """
        with self._changed:
            if not self._stopped:
                self._asked.append(done)
                self._changed.notify()
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="fsync", daemon=True)
                    self._thread.start()
                return
        done(self._synced())

    def wait(self) -> str | None:
        """Do the same, and wait for it; return what `done` is called with."""
        said: list[str | None] = []
        over = threading.Event()

        def done(reason: str | None) -> None:
            said.append(reason)
            over.set()

        self.ask(done)
        over.wait()
        return said[0]

    def stop(self) -> None:
        """Answer those who wait, and end the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._asked or self._stopped):
                    self._changed.wait()
                asked, self._asked = self._asked, []
                if not asked:
                    return
            reason = self._synced()
            for done in asked:
                try:
                    done(reason)
                except RuntimeError:  # its event loop has ended, and with it who asked
                    continue

    def _synced(self) -> str | None:
        reason = self._sink.sync()
        if reason is not None and reason != self._failed:
            told = f"can't bring {self._sink.name} to the disk: {reason}"
            notice(told, code=SystemCode.RESOURCE_INSERT)
        self._failed = reason or ""
        return reason
